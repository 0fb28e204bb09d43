/** Where the blocks of a Markdown text begin and end, and which are headings. What is within them is not read. */
import MarkdownIt from 'markdown-it';
import { keepWithinBounds } from './bounds';

export interface OutlineBlock {
  /** As it stands in the text. */
  source: string;
  /** Of a heading, without its marks. */
  heading: string | undefined;
}

const markdown = new MarkdownIt({ html: true });
keepWithinBounds(markdown);
// Definitions of links would belong to no block.
markdown.disable(['reference', 'inline', 'table']);

export function outline(text: string): OutlineBlock[] {
  const clean = text.replace(/\r\n?/g, '\n');
  const lines = clean.split('\n');
  const tokens = markdown.parse(clean, {});
  return tokens.flatMap(({ level, nesting, map, type }, index) => {
    if (level > 0 || nesting < 0 || !map) return [];
    return { source: lines.slice(...map).join('\n'), heading: type === 'heading_open' ? tokens[index + 1]?.content : undefined };
  });
}
