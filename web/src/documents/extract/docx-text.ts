/** DOCX by way of mammoth's HTML, which keeps headings, lists, tables and footnotes. */
import { zipSync } from 'fflate';
import { failure } from '../../base/failure';
import type { Extracted } from '../../data/document-records';
import { decodeHtml } from './encoding';
import { htmlText } from './html-text';
import { ZipFiles } from './zip-files';

/** mammoth unpacks whatever it is given. Without the pictures, that is text; they would become megabytes of base64 that nobody reads. */
const READ = /\.(xml|rels)$/i;
/**
 * What mammoth takes of memory, in bytes, measured with its version 1.13: for each tag, each attribute, and each byte. It makes trees of trees of
 * all that a file has. A book of a thousand pages takes half a gigabyte.
 */
const MEMORY = { tag: 1200, attribute: 250, byte: 6 };
const MOST_MEMORY = 1.5e9;
const [OPENS_TAG, GIVES_VALUE] = [0x3c, 0x3d];

export async function docxText(bytes: Uint8Array): Promise<Extracted> {
  const { default: mammoth } = await import('mammoth');
  const arrayBuffer = zipSync(textFiles(new ZipFiles(bytes)), { level: 0 }).buffer as ArrayBuffer;
  const convertImage = mammoth.images.imgElement(async () => ({ src: '' }));
  const { value } = await mammoth.convertToHtml({ arrayBuffer }, { convertImage });
  return htmlText(value);
}

/** Throws `too-complex`, and what reading a zip throws. */
function textFiles(zip: ZipFiles): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  let memory = 0;
  for (const name of zip.names.filter((each) => READ.test(each))) {
    const file = zip.read(name) ?? new Uint8Array();
    memory += MEMORY.tag * count(file, OPENS_TAG) + MEMORY.attribute * count(file, GIVES_VALUE) + MEMORY.byte * file.length;
    if (memory > MOST_MEMORY) throw failure('too-complex', {}, `${name}: more elements than ${MOST_MEMORY} bytes hold`);
    files[name] = inUtf8(file);
  }
  return files;
}

function count(file: Uint8Array, byte: number): number {
  let found = 0;
  for (let at = file.indexOf(byte); at >= 0; at = file.indexOf(byte, at + 1)) found += 1;
  return found;
}

/** XML may be in UTF-16, which mammoth does not know. */
function inUtf8(file: Uint8Array): Uint8Array {
  return file.subarray(0, 4).some((byte) => byte === 0 || byte >= 0xfe) ? new TextEncoder().encode(decodeHtml(file).text) : file;
}
