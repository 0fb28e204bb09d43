/** Markdown and plain text: read as they stand. */
import { Marked } from 'marked';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

/** In Markdown, headings are places. */
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
