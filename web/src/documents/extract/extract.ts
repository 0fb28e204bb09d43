/** A file's text, by what its bytes say that it is. Runs in a worker: a broken file costs a moment of it and nothing of the page. */
import { failure, MambaError } from '../../base/failure';
import type { DocumentKind, Extracted } from '../../data/document-records';
import { contentKind } from './content-kind';
import { docxText } from './docx-text';
import { decodeHtml, decodeText, textOnly, type Decoded } from './encoding';
import { epubText } from './epub-text';
import { htmlText } from './html-text';
import { pdfText } from './pdf-text';
import { plainText } from './plain-text';
import { rtfText } from './rtf-text';

/** How far it is: pages of a PDF. Parts of other files are reported as 0 of 0. */
export type OnProgress = (done: number, total: number) => void;

/**
 * `named`: the kind by the file's name and type. `password`: of a PDF that is locked. Throws the failures `extract`, `file-kind`, `password`, `protected`, `scan`, `no-text`, and of
 * files that are more than can be read, or claim to be, `too-much` (by bytes or characters) and `too-complex` (by elements).
 */
export async function extract(bytes: Uint8Array, named: DocumentKind | undefined, onProgress: OnProgress = () => undefined, password?: string): Promise<Extracted> {
  try {
    const kind = contentKind(bytes, named);
    return { ...(await textOf(bytes, kind, onProgress, password)), kind };
  } catch (thrown) {
    throw thrown instanceof MambaError ? thrown : failure('extract', {}, String(thrown));
  }
}

async function textOf(bytes: Uint8Array, kind: DocumentKind, onProgress: OnProgress, password: string | undefined): Promise<Extracted> {
  switch (kind) {
    case 'pdf':
      return pdfText(bytes, onProgress, password);
    case 'docx':
      return docxText(bytes);
    case 'epub':
      return epubText(bytes, onProgress);
    case 'rtf':
      return rtfText(bytes);
    case 'html':
      return decoded(textOnly(decodeHtml(bytes)), htmlText);
    case 'markdown':
    case 'text':
      return decoded(textOnly(decodeText(bytes)), (text) => plainText(text, kind === 'markdown'));
  }
}

function decoded({ text, guessed }: Decoded, read: (text: string) => Extracted): Extracted {
  return { ...read(text), ...(guessed === undefined ? {} : { notes: [{ kind: 'encoding', name: guessed }] }) };
}
