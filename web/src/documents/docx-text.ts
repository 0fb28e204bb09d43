/** DOCX by way of mammoth's HTML, which keeps headings, lists, tables and footnotes. */
import { zipSync } from 'fflate';
import { htmlText } from './html-text';
import type { Extracted } from './records';
import { zipFiles } from './zip-files';

export async function docxText(bytes: Uint8Array): Promise<Extracted> {
  const { default: mammoth } = await import('mammoth');
  // mammoth unpacks whatever it is given. Without the pictures, that is text; they would become megabytes of base64 that nobody reads.
  const files = zipFiles(bytes, /\.(xml|rels)$/i);
  const arrayBuffer = zipSync(files, { level: 0 }).buffer as ArrayBuffer;
  const convertImage = mammoth.images.imgElement(async () => ({ src: '' }));
  const { value } = await mammoth.convertToHtml({ arrayBuffer }, { convertImage });
  return htmlText(value);
}
