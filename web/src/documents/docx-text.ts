/** DOCX by way of mammoth's HTML, which keeps headings, lists, tables and footnotes. */
import { htmlText } from './html-text';
import type { Extracted } from './records';

export async function docxText(bytes: Uint8Array): Promise<Extracted> {
  const { default: mammoth } = await import('mammoth');
  const arrayBuffer = bytes.slice().buffer;
  // Pictures would become megabytes of base64 that nobody reads.
  const convertImage = mammoth.images.imgElement(async () => ({ src: '' }));
  const { value } = await mammoth.convertToHtml({ arrayBuffer }, { convertImage });
  return htmlText(value);
}
