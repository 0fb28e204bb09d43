/** A Markdown text as a template: each block by itself, so that what is finished stays as it is while words still come. */
import { html, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { MarkdownText, type MarkdownBlock } from '../markdown-text';
import { blockTemplate } from './markdown-template';
import { plain } from './prose';

/** Elements that are drawn for one text, about. The rest of a longer one is plain text: a browser takes some 20 microseconds for each. */
const MOST_ELEMENTS = 8000;
/** What is more than one element, with all that is in it. */
const WEIGHTS: Readonly<Record<string, number>> = { formula: 8, fence: 12, code_block: 12, text: 0 };

export class MarkdownView {
  readonly #text = new MarkdownText();

  /** With `breaks`, a line's end is one in the result, as people write in chats. */
  constructor(private readonly breaks: boolean) {}

  template(markdown: string): TemplateResult {
    const blocks = this.#text.update(markdown);
    const count = withinBounds(blocks);
    const rest = blocks[count];
    const drawn = blocks.slice(0, count).map((block) => html`${guard([block], () => blockTemplate(block, this.breaks))}`);
    return html`${drawn}${rest ? plain(this.#text.text.slice(rest.start)) : ''}`;
  }
}

/** How many of the blocks are drawn with all that is in them. */
function withinBounds(blocks: readonly MarkdownBlock[]): number {
  let elements = 0;
  const beyond = blocks.findIndex((block) => (elements += weight(block)) > MOST_ELEMENTS);
  return beyond < 0 ? blocks.length : beyond;
}

const weights = new WeakMap<MarkdownBlock, number>();

function weight(block: MarkdownBlock): number {
  const known = weights.get(block);
  if (known !== undefined) return known;
  let elements = 0;
  for (const { nesting, type, children } of block.tokens) {
    elements += nesting < 0 ? 0 : (WEIGHTS[type] ?? 1);
    for (const child of children ?? []) elements += child.nesting < 0 ? 0 : (WEIGHTS[child.type] ?? 1);
  }
  weights.set(block, elements);
  return elements;
}
