/** Markdown as blocks of tokens. A text that grows, as an answer does while it is written, is read anew only where it can still change. */
import MarkdownIt, { type Env, type StateCore, type Token } from 'markdown-it';
import { keepWithinBounds } from './bounds';
import { showDefinitions } from './definitions';
import { recogniseFormulas } from './formulas';
import { allowLinks } from './links';
import { breakRuns } from './runs';

/** A paragraph, a list, a table: what stands at the top level of a text. */
export interface MarkdownBlock {
  /** Where it begins in the text, whose ends of lines are single characters. */
  readonly start: number;
  readonly tokens: readonly Token[];
}

/** HTML is text to read: it is shown as it stands. */
const markdown = new MarkdownIt({ html: false });
keepWithinBounds(markdown);
allowLinks(markdown);
recogniseFormulas(markdown);
showDefinitions(markdown);
markdown.core.ruler.push('tasks', tasks);

/** `- [x]`: the item knows whether it is done, and its text begins behind the box. */
function tasks({ tokens }: StateCore): void {
  tokens.forEach((token, index) => {
    const [item, paragraph] = [tokens[index - 2], tokens[index - 1]];
    const text = token.children?.[0];
    if (token.type !== 'inline' || paragraph?.type !== 'paragraph_open' || item?.type !== 'list_item_open' || text?.type !== 'text') return;
    const [box] = /^\[[ xX]\](?:\s+|$)/.exec(text.content) ?? [];
    if (box === undefined) return;
    item.meta = { done: !box.startsWith('[ ]') };
    text.content = text.content.slice(box.length);
  });
}

export class MarkdownText {
  #text = '';
  #blocks: readonly MarkdownBlock[] = [];
  /** It defines addresses for links, which may stand anywhere before. */
  #defines = false;

  get text(): string {
    return this.#text;
  }

  /** The blocks of `text`; those that are as they were before are the same objects. */
  update(text: string): readonly MarkdownBlock[] {
    const next = breakRuns(text.replace(/\r\n?/g, '\n').replace(/\0/g, '\ufffd'));
    // Of the last two, the one may still become a part of the other: `1` of a list's next item is a paragraph until its dot comes.
    const kept = next.startsWith(this.#text) && !this.#defines ? this.#blocks.slice(0, -2) : [];
    const from = kept.length === 0 ? 0 : (this.#blocks[kept.length]?.start ?? 0);
    const { blocks, defines } = read(next, from);
    this.#text = next;
    this.#defines = defines;
    this.#blocks = defines && from > 0 ? read(next, 0).blocks : [...kept, ...blocks];
    return this.#blocks;
  }
}

function read(text: string, from: number): { blocks: MarkdownBlock[]; defines: boolean } {
  const rest = text.slice(from);
  const env: Env = {};
  const tokens = markdown.parse(rest, env);
  const lines = startsOfLines(rest);
  const blocks: MarkdownBlock[] = [];
  let first = 0;
  let level = 0;
  tokens.forEach(({ nesting }, index) => {
    level += nesting;
    if (level > 0) return;
    blocks.push({ start: from + (lines[tokens[first]?.map?.[0] ?? 0] ?? 0), tokens: tokens.slice(first, index + 1) });
    first = index + 1;
  });
  return { blocks, defines: Object.keys(env.references ?? {}).length > 0 };
}

function startsOfLines(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
