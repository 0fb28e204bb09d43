/** Markdown and plain text: read as they stand. */
import { outline } from '../markdown/outline';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

/** In Markdown, headings are places. */
export function plainText(text: string, markdown: boolean): Extracted {
  const builder = new TextBuilder();
  if (!markdown) {
    for (const paragraph of text.replace(/\r\n?/g, '\n').split(/\n\s*\n/)) builder.paragraph(paragraph);
    return builder.done();
  }
  for (const { source, heading } of outline(text)) {
    if (heading !== undefined) builder.place(heading);
    builder.paragraph(source);
  }
  return builder.done();
}
