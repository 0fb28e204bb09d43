/** A file's text, by its kind. Runs in a worker: a broken file costs a moment of it and nothing of the page. */
import { failure, Failure } from '../app/failure';
import { docxText } from './docx-text';
import { epubText } from './epub-text';
import { htmlText } from './html-text';
import { pdfText } from './pdf-text';
import { decodeHtml, decodeText, plainText } from './plain-text';
import type { DocumentKind, Extracted } from './records';

/** Throws the failures `extract`, `password` and `no-text`. */
export async function extract(bytes: Uint8Array, kind: DocumentKind, onPage: (done: number, total: number) => void = () => undefined): Promise<Extracted> {
  let extracted: Extracted;
  try {
    extracted = await textOf(bytes, kind, onPage);
  } catch (thrown) {
    throw thrown instanceof Failure ? thrown : failure('extract', {}, String(thrown));
  }
  if (extracted.text === '') throw failure('no-text');
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
      return htmlText(decodeHtml(bytes));
    case 'markdown':
    case 'text':
      return plainText(decodeText(bytes), kind === 'markdown');
  }
}
