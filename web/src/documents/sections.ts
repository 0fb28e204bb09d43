/** Cuts a text where readers would: between paragraphs, else sentences, else words; then fills sections evenly. */
import { fill } from '../base/format';
import type { Place, Section } from '../data/document-records';
import { documentStrings } from './document-strings';

export interface Block {
  start: number;
  end: number;
}

/** Counting tokens costs a call, and a section's end should not be far from where it was wanted. */
const BLOCK_CHARACTERS = 800;

/** Consecutive blocks that cover the text, found as they are asked for: a text may have ten thousand. */
export function* blocksOf(text: string): Generator<Block, undefined> {
  let start = 0;
  while (start < text.length) {
    const end = blockEnd(text, start);
    yield { start, end };
    start = end;
  }
}

function blockEnd(text: string, start: number): number {
  const limit = start + BLOCK_CHARACTERS;
  if (limit >= text.length) return text.length;
  const ahead = text.slice(start, limit);
  for (const boundary of [/\n\n/g, /[.!?。！？]["”’)]*\s/g, /\s/g]) {
    const last = [...ahead.matchAll(boundary)].at(-1);
    // A boundary near the start would make crumbs.
    if (last && last.index > BLOCK_CHARACTERS / 4) return start + last.index + last[0].length;
  }
  // Not in the middle of a character that takes two units.
  const high = ahead.charCodeAt(ahead.length - 1) & 0xfc00;
  return high === 0xd800 ? limit - 1 : limit;
}

/** As few sections as `most` tokens each allow, of about the same length. `tokens` has one count a block. */
export function sectionsOf(blocks: readonly Block[], tokens: readonly number[], most: number): Section[] {
  const total = tokens.reduce((sum, count) => sum + count, 0);
  const wanted = total / Math.max(1, Math.ceil(total / most));
  const sections: Section[] = [];
  let before = 0;
  for (const [index, { start, end }] of blocks.entries()) {
    const count = tokens[index] ?? 0;
    const last = sections.at(-1);
    // A section ends once the text up to here has filled its share.
    if (last && last.tokens + count <= most && before + count / 2 <= wanted * sections.length) {
      last.end = end;
      last.tokens += count;
    } else {
      sections.push({ start, end, tokens: count });
    }
    before += count;
  }
  return sections;
}

/** What readers call the place where a part of the text stands: its page or chapter, or a range of them. */
export function placeOf(places: readonly Place[], { start, end }: Block): string {
  const first = places.findLast(({ offset }) => offset <= start) ?? places.find(({ offset }) => offset < end);
  const last = places.findLast(({ offset }) => offset < end);
  if (!first || !last) return '';
  if (first === last) return first.label;
  const [from, to] = [first.page, last.page];
  return from !== undefined && to !== undefined ? fill(documentStrings.pageRange, { from, to }) : `${first.label} – ${last.label}`;
}
