/** A file's text, by its kind. Runs in a worker: a broken file costs a moment of it and nothing of the page. */
import { failure, Failure } from '../app/failure';
import { docxText } from './docx-text';
import { decodeHtml, decodeText, type Decoded } from './encoding';
import { epubText } from './epub-text';
import { htmlText } from './html-text';
import { pdfText } from './pdf-text';
import { plainText } from './plain-text';
import type { DocumentKind, Extracted } from './records';

/** Longer than any book; a page could not hold it. */
const MOST_CHARACTERS = 50e6;

/** Throws the failures `extract`, `password`, `protected`, `too-much` and `no-text`. */
export async function extract(bytes: Uint8Array, kind: DocumentKind, onPage: (done: number, total: number) => void = () => undefined): Promise<Extracted> {
  let extracted: Extracted;
  try {
    extracted = await textOf(bytes, kind, onPage);
  } catch (thrown) {
    throw thrown instanceof Failure ? thrown : failure('extract', {}, String(thrown));
  }
  if (extracted.text === '') throw failure('no-text');
  if (extracted.text.length > MOST_CHARACTERS) throw failure('too-much');
  return extracted;
}

async function textOf(bytes: Uint8Array, kind: DocumentKind, onPage: (done: number, total: number) => void): Promise<Extracted> {
  switch (kind) {
    case 'pdf':
      return pdfText(bytes, onPage);
    case 'docx':
      return docxText(bytes);
    case 'epub':
      return epubText(bytes);
    case 'html':
      return decoded(decodeHtml(bytes), htmlText);
    case 'markdown':
    case 'text':
      return decoded(decodeText(bytes), (text) => plainText(text, kind === 'markdown'));
  }
}

function decoded({ text, guessed }: Decoded, read: (text: string) => Extracted): Extracted {
  return { ...read(text), ...(guessed === undefined ? {} : { notes: [{ kind: 'encoding', name: guessed }] }) };
}
