/** Markdown and plain text: read as they stand. */
import type { Extracted } from '../../data/document-records';
import { outline } from '../../markdown/outline';
import { TextBuilder } from './text-builder';

/** Nobody wrote a longer one by hand; its lines are not looked through for headings. */
const LONGEST_MARKDOWN = 20e6;

/** In Markdown, headings are places. */
export function plainText(text: string, markdown: boolean): Extracted {
  const builder = new TextBuilder();
  if (markdown && text.length <= LONGEST_MARKDOWN) {
    for (const { source, heading } of outline(text)) {
      if (heading !== undefined) builder.place(heading);
      builder.paragraph(source);
    }
  } else builder.paragraph(text);
  return builder.done();
}
