/** Markdown and plain text: read as they stand, in the encoding that their bytes show. */
import { Marked } from 'marked';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

/** A byte-order mark decides; else UTF-8 where it is valid, else the old Western encoding, which any bytes are. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** HTML names its encoding within its first bytes. */
export function decodeHtml(bytes: Uint8Array): string {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 1024));
  const named = /<meta[^>]+charset=["']?([\w-]+)|<\?xml[^>]+encoding=["']([\w-]+)/i.exec(start);
  try {
    return new TextDecoder(named?.[1] ?? named?.[2] ?? 'utf-8', { fatal: true }).decode(bytes);
  } catch {
    return decodeText(bytes);
  }
}

/** As it stands; in Markdown, headings are places. */
export function plainText(text: string, markdown: boolean): Extracted {
  const builder = new TextBuilder();
  if (!markdown) {
    for (const paragraph of text.replace(/\r\n?/g, '\n').split(/\n\s*\n/)) builder.paragraph(paragraph);
    return builder.done();
  }
  for (const token of new Marked().lexer(text)) {
    if (token.type === 'heading') builder.place(token.text as string);
    builder.paragraph(token.raw);
  }
  return builder.done();
}
