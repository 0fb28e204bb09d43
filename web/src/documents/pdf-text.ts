/** PDF by pdf.js: each page is a place. Lines are put together again into paragraphs by where they stand. */
import type { PDFDocumentProxy, TextItem } from 'pdfjs-dist/types/src/display/api';
import { failure } from '../app/failure';
import { documentStrings } from '../ui/document-strings';
import { fill } from '../ui/format';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

/** A gap between lines larger than this many line heights begins a paragraph. */
const PARAGRAPH_GAP = 1.7;

export async function pdfText(bytes: Uint8Array, onPage: (done: number, total: number) => void): Promise<Extracted> {
  const { getDocument, GlobalWorkerOptions } = await import('pdfjs-dist');
  const port = new Worker(new URL('pdfjs-dist/build/pdf.worker.min.mjs', import.meta.url), { type: 'module', name: 'pdf' });
  GlobalWorkerOptions.workerPort = port;
  const loading = getDocument({
    data: bytes, cMapUrl: new URL('cmaps/', baseUrl()).href, disableFontFace: true, useWorkerFetch: false, useSystemFonts: false,
    useWasm: false, isOffscreenCanvasSupported: false,
    // It would warn of fonts that it was not given; nothing is drawn here.
    verbosity: 0,
  });
  try {
    return await readPages(await loading.promise, onPage);
  } catch (thrown) {
    throw (thrown as Error).name === 'PasswordException' ? failure('password') : thrown;
  } finally {
    await loading.destroy();
    GlobalWorkerOptions.workerPort = null;
    port.terminate();
  }
}

/** The built scripts lie in `assets/`, beside them the page and what it serves as it is. */
function baseUrl(): URL {
  const here = import.meta.url;
  return new URL(import.meta.env.DEV ? '/' : '../', here);
}

async function readPages(pdf: PDFDocumentProxy, onPage: (done: number, total: number) => void): Promise<Extracted> {
  const builder = new TextBuilder();
  let empty = 0;
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    builder.place(fill(documentStrings.page, { number }), number);
    const found = paragraphs(items.filter((item): item is TextItem => 'str' in item)).filter((paragraph) => paragraph !== '');
    if (found.length === 0) empty += 1;
    for (const paragraph of found) builder.paragraph(paragraph);
    page.cleanup();
    onPage(number, pdf.numPages);
  }
  const notes = empty === 0 ? {} : { notes: [{ kind: 'empty-pages', empty, pages: pdf.numPages } as const] };
  return { ...builder.done(), ...notes };
}

/** A word that was cut at a line's end is put together again where its second half goes on in small letters. */
export function paragraphs(items: readonly Pick<TextItem, 'str' | 'hasEOL' | 'transform' | 'height'>[]): string[] {
  const found: string[] = [];
  let text = '';
  let lastY: number | undefined;
  for (const { str, hasEOL, transform, height } of items) {
    const y = transform[5] as number;
    if (str !== '') {
      const gap = lastY === undefined ? 0 : lastY - y;
      if (text !== '' && height > 0 && (gap > PARAGRAPH_GAP * height || gap < -height)) {
        found.push(text);
        text = '';
      }
      lastY = y;
      text = /\p{L}-\n$/u.test(text) && /^\p{Ll}/u.test(str) ? text.slice(0, -2) + str : text + str;
    }
    if (hasEOL) text += '\n';
  }
  return [...found, text].map((each) => each.replace(/\s*\n\s*/g, ' ').trim());
}
