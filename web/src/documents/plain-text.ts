/** Markdown and plain text: read as they stand. */
import { markdownBlocks } from './markdown-blocks';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

/** Nobody wrote a longer one by hand; its lines are not looked through for headings. */
const LONGEST_MARKDOWN = 20e6;

/** In Markdown, headings are places. */
export function plainText(text: string, markdown: boolean): Extracted {
  const builder = new TextBuilder();
  if (markdown && text.length <= LONGEST_MARKDOWN) {
    for (const { heading, raw } of markdownBlocks(text.replace(/\r\n?/g, '\n').split('\n'))) {
      if (heading !== undefined) builder.place(heading);
      builder.paragraph(raw);
    }
  } else builder.paragraph(text);
  return builder.done();
}
