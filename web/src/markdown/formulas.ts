/**
 * Formulas in Markdown: `\(…\)`, `\[…\]`, `$$…$$`, and `$…$` where it is clearly one, since a dollar is money as a rule. What is not
 * finished is text, as it was written; so is what stands in code.
 */
import type { MarkdownIt, StateBlock, StateInline } from 'markdown-it';
import { isClearlyFormula } from './dollars';

const CLOSING = { '\\(': '\\)', '\\[': '\\]', $$: '$$', $: '$' } as const;
type Opening = keyof typeof CLOSING;

export function recogniseFormulas(markdown: MarkdownIt): void {
  markdown.inline.ruler.before('escape', 'formula', formula);
  markdown.block.ruler.before('fence', 'formula-block', formulaBlock, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });
}

function formula(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  const opening = openingAt(src, pos);
  if (!opening || src[pos - 1] === '$') return false;
  const start = pos + opening.length;
  const end = endOf(state, opening, start);
  const tex = src.slice(start, end ?? start);
  const after = src[(end ?? start) + opening.length] ?? '';
  if (end === undefined) return unfinished(state, opening, silent);
  const dollars = opening === '$' || opening === '$$';
  if (dollars ? !isClearlyFormula(tex, { opening, before: src[pos - 1] ?? '', after }) : tex.trim() === '' || isEscapedLink(opening, after)) return false;
  if (!silent) Object.assign(state.push('formula', 'math', 0), { content: tex.trim(), markup: opening, info: src.slice(pos, end + opening.length) });
  state.pos = end + opening.length;
  return true;
}

function openingAt(text: string, at: number): Opening | undefined {
  const two = text.slice(at, at + 2);
  if (two in CLOSING) return two as Opening;
  return two.startsWith('$') ? '$' : undefined;
}

/** A backslash that CommonMark would drop stays, for there may be more to come. */
function unfinished(state: StateInline, opening: Opening, silent: boolean): boolean {
  if (opening.startsWith('$')) return false;
  if (!silent) state.pending += opening;
  state.pos += opening.length;
  return true;
}

/** `\[text\](address)` is a link that is not to be one. */
function isEscapedLink(opening: Opening, after: string): boolean {
  return opening === '\\[' && after === '(';
}

/** Up to where a kind of formula is known not to end: a text of openings would be searched anew from each. */
const endless = new WeakMap<object, Map<Opening, number>>();

function isEndless(state: object, opening: Opening, start: number): boolean {
  return start < (endless.get(state)?.get(opening) ?? 0);
}

function noteEndless(state: object, opening: Opening, end: number): undefined {
  endless.set(state, (endless.get(state) ?? new Map<Opening, number>()).set(opening, end));
}

function endOf(state: StateInline, opening: Opening, start: number): number | undefined {
  if (isEndless(state, opening, start)) return undefined;
  const closing = CLOSING[opening];
  for (let at = start; at + closing.length <= state.posMax; at += 1) {
    if (state.src.startsWith(closing, at)) return at;
    // `\\` and `\$` are TeX's own.
    if (state.src[at] === '\\') at += 1;
  }
  return noteEndless(state, opening, state.posMax);
}

/** A formula that has its lines to itself. Within it, nothing else begins: a line of it may look like an item of a list. */
function formulaBlock(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  if ((state.sCount[start] ?? 0) - state.blkIndent >= 4) return false;
  const first = lineOf(state, start);
  const opening = openingAt(first, 0);
  if (opening !== '\\[' && opening !== '$$') return false;
  const last = lastLine(state, opening, start, end);
  if (last === undefined) return false;
  const source = state.getLines(start, last + 1, state.blkIndent, false).trim();
  const tex = source.slice(opening.length, -opening.length).trim();
  if (tex === '' || (opening === '$$' && tex.startsWith('$'))) return false;
  if (silent) return true;
  Object.assign(state.push('formula', 'math', 0), { content: tex, markup: opening, info: source, block: true, map: [start, last + 1] });
  state.line = last + 1;
  return true;
}

function lineOf({ src, bMarks, tShift, eMarks }: StateBlock, line: number): string {
  return src.slice((bMarks[line] ?? 0) + (tShift[line] ?? 0), eMarks[line]).trimEnd();
}

/** The line that ends with the formula's end, before the next empty one. */
function lastLine(state: StateBlock, opening: Opening, start: number, end: number): number | undefined {
  if (isEndless(state, opening, start)) return undefined;
  const closing = CLOSING[opening];
  for (let line = start; line < end; line += 1) {
    if (state.isEmpty(line) || (state.sCount[line] ?? 0) < state.blkIndent) return noteEndless(state, opening, line);
    const text = lineOf(state, line);
    const at = text.indexOf(closing, line === start ? opening.length : 0);
    // What follows its end makes it a part of a paragraph.
    if (at >= 0) return at + closing.length === text.length ? line : noteEndless(state, opening, line);
  }
  return noteEndless(state, opening, end);
}
