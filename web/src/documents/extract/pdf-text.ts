/** PDF by pdf.js: each page is a place. What its lines make together is told by where they stand (`pdf-lines.ts`). */
import type { PDFDocumentProxy, PDFPageProxy, TextContent, TextItem } from 'pdfjs-dist/types/src/display/api';
import { failure } from '../../base/failure';
import { fill } from '../../base/format';
import type { Extracted } from '../../data/document-records';
import { documentStrings } from '../document-strings';
import type { OnProgress } from './extract';
import { isCut, linesOf, paragraphsOf, withoutHeads, type Line } from './pdf-lines';
import { MOST_CHARACTERS, TextBuilder } from './text-builder';
import type { UnpackedTooMuch } from './unpack-limit';

/** Of one page: a hundred times the fullest map. */
const MOST_ITEMS = 2e6;

export async function pdfText(bytes: Uint8Array, onProgress: OnProgress, password?: string): Promise<Extracted> {
  const { getDocument, GlobalWorkerOptions } = await import('pdfjs-dist');
  const port = new Worker(new URL('./pdf.worker.ts', import.meta.url), { type: 'module', name: 'pdf' });
  GlobalWorkerOptions.workerPort = port;
  const loading = getDocument({
    data: bytes, ...(password === undefined ? {} : { password }), cMapUrl: new URL('cmaps/', baseUrl()).href, disableFontFace: true, useWorkerFetch: false, useSystemFonts: false,
    useWasm: false, isOffscreenCanvasSupported: false,
    // It would warn of fonts that it was not given; nothing is drawn here.
    verbosity: 0,
  });
  try {
    return await Promise.race([loading.promise.then((pdf) => readPages(pdf, onProgress)), unpackedTooMuch(port)]);
  } catch (thrown) {
    throw (thrown as Error).name === 'PasswordException' ? failure('password') : thrown;
  } finally {
    GlobalWorkerOptions.workerPort = null;
    port.terminate();
    // What it waits for will not be answered.
    loading.destroy().catch(() => undefined);
  }
}

/** pdf.js takes a stream that could not be unpacked for an empty one. */
function unpackedTooMuch(port: Worker): Promise<never> {
  return new Promise((_, reject) => {
    port.addEventListener('message', ({ data }: MessageEvent<Partial<UnpackedTooMuch>>) => {
      if (data.unpackedTooMuch !== undefined) reject(failure('too-much', {}, `more than ${data.unpackedTooMuch} bytes in a stream`));
    });
  });
}

/** The built scripts lie in `assets/`, beside them the page and what it serves as it is. */
function baseUrl(): URL {
  const here = import.meta.url;
  return new URL(import.meta.env.DEV ? '/' : '../', here);
}

async function readPages(pdf: PDFDocumentProxy, onProgress: OnProgress): Promise<Extracted> {
  const pages: Line[][] = [];
  let characters = 0;
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const page = await pdf.getPage(number);
    const lines = linesOf(await textItems(page));
    characters += lines.reduce((sum, { text }) => sum + text.length, 0);
    if (characters > MOST_CHARACTERS) throw failure('too-much', {}, `more than ${MOST_CHARACTERS} characters`);
    pages.push(lines);
    page.cleanup();
    onProgress(number, pdf.numPages);
  }
  const builder = new TextBuilder();
  const empty = pages.filter((lines) => lines.length === 0).length;
  if (empty > 0) builder.picture();
  let before: string[] = [];
  withoutHeads(pages).forEach((lines, index) => {
    const found = paragraphsOf(lines);
    joinPages(before, found);
    for (const paragraph of before) builder.paragraph(paragraph);
    builder.place(fill(documentStrings.page, { number: index + 1 }), index + 1);
    before = found;
  });
  for (const paragraph of before) builder.paragraph(paragraph);
  const notes = empty === 0 ? {} : { notes: [{ kind: 'empty-pages', empty, pages: pdf.numPages } as const] };
  return { ...builder.done(), ...notes };
}

/** As they come: a page may have more than memory. Throws `too-much` and `too-complex`. */
async function textItems(page: PDFPageProxy): Promise<TextItem[]> {
  const reader = page.streamTextContent().getReader() as ReadableStreamDefaultReader<TextContent>;
  const items: TextItem[] = [];
  let characters = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    for (const item of read.value.items) {
      if (!('str' in item)) continue;
      items.push(item);
      characters += item.str.length;
    }
    if (characters > MOST_CHARACTERS) throw failure('too-much', {}, `more than ${MOST_CHARACTERS} characters on a page`);
    if (items.length > MOST_ITEMS) throw failure('too-complex', {}, `more than ${MOST_ITEMS} pieces of text on a page`);
  }
  return items;
}

/** A word that was cut at a page's end is put together on the page where it begins. Numbers of pages may stand between its halves. */
export function joinPages(before: string[], after: string[]): void {
  const last = before.findLastIndex((paragraph) => /\p{L}/u.test(paragraph));
  const first = after.findIndex((paragraph) => /\p{L}/u.test(paragraph));
  const [half, rest] = [before[last], after[first]];
  if (half === undefined || rest === undefined || !isCut(`${half}\n`, rest)) return;
  const end = /^\S+/.exec(rest)?.[0] ?? '';
  before[last] = half.slice(0, -1) + end;
  after[first] = rest.slice(end.length).trimStart();
}
