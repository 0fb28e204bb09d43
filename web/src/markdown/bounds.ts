/**
 * What keeps markdown-it's time in step with the text's length, and its tree shallow, whatever the text: a model that repeats itself
 * writes thousands of `>` or `_` in a row. Beyond each bound the text is shown as it was written.
 */
import type { MarkdownIt, StateBlock, StateCore, Token } from 'markdown-it';

/** Levels of quotes and lists within one another; a list is two, itself and its item. */
const DEEPEST = 24;
/** Columns of a table: a browser's layout of a wide one takes long, and no screen has room for it. */
const MOST_COLUMNS = 100;
/** Cells of a table, with those that its rows leave out: two characters are a row of as many cells as the table has columns. */
const MOST_CELLS = 8000;
/** Characters that may begin something, in one run of text: the most that a rule looks back on or ahead for each of them. */
const MOST_MARKS = 1000;
const MARKS = /[\\`*_~[\]<&$@:]/g;

export function keepWithinBounds({ block, core }: MarkdownIt): void {
  // A table is tried first.
  const [table] = block.ruler.getRules('');
  if (!table) throw new Error('markdown-it has no rule for tables');
  const bounded: typeof table = (state, start, end, silent) =>
    table(state, start, end, true) && isSmallTable(state, start, end) && (silent || (table(state, start, end, false) && withEveryCell(state)));
  block.ruler.at('table', bounded, { alt: ['paragraph', 'reference'] });
  block.ruler.before('table', 'too-deep', asWritten);
  core.ruler.at('inline', inline);
}

/** All that is left of a quote or an item, as one paragraph. */
function asWritten(state: StateBlock, start: number, limit: number, silent: boolean): boolean {
  if (silent || state.level < DEEPEST) return false;
  let end = start + 1;
  while (end < limit && (state.isEmpty(end) || (state.sCount[end] ?? 0) >= state.blkIndent)) end += 1;
  const content = state.getLines(start, end, state.blkIndent, false).trimEnd();
  state.push('paragraph_open', 'p', 1).map = [start, end];
  Object.assign(state.push('inline', '', 0), { content, map: [start, end], children: [text(state, content)] });
  state.push('paragraph_close', 'p', -1);
  state.line = end;
  return true;
}

/** Up to which line tables are known to be too large: their lines would be counted again from each. */
const tooLarge = new WeakMap<StateBlock, number>();

function isSmallTable(state: StateBlock, start: number, end: number): boolean {
  if (start < (tooLarge.get(state) ?? 0)) return false;
  const columns = state.src.slice(state.bMarks[start + 1], state.eMarks[start + 1]).split('|').length;
  const rows = columns > MOST_COLUMNS ? 0 : MOST_CELLS / columns;
  let line = start;
  while (line < end && line - start <= rows && !state.isEmpty(line)) line += 1;
  const small = line - start <= rows;
  if (!small) tooLarge.set(state, line);
  return small;
}

/** A row with more cells than the table has columns keeps them, in its last cell: GFM would drop them. */
function withEveryCell({ tokens, src, bMarks, tShift, eMarks }: StateBlock): true {
  let last: Token | undefined;
  let row = '';
  let cells = 0;
  for (let at = tokens.findLastIndex(({ type }) => type === 'table_open'); at < tokens.length; at += 1) {
    const token = tokens[at] as Token;
    if (token.type === 'tr_open') {
      const line = token.map?.[0] ?? 0;
      [row, cells] = [src.slice((bMarks[line] ?? 0) + (tShift[line] ?? 0), eMarks[line]), 0];
    } else if (token.type === 'inline') {
      [last, cells] = [token, cells + 1];
    } else if (token.type === 'tr_close' && last) {
      const excess = cellsOf(row).slice(cells);
      if (excess.length > 0) last.content = [last.content, ...excess].join(' | ');
    }
  }
  return true;
}

function cellsOf(row: string): string[] {
  const cells = row.trim().split(/(?<!\\)\|/);
  if (cells[0] === '') cells.shift();
  if (cells.at(-1) === '') cells.pop();
  return cells.map((cell) => cell.trim());
}

/** As markdown-it's own rule, for texts that it reads in time. */
function inline(state: StateCore): void {
  const { tokens, md, env } = state;
  for (const token of tokens) {
    // What is too deep has its text already.
    if (token.type !== 'inline' || token.children?.length) continue;
    token.children = [];
    if (isCrowded(token.content)) token.children.push(text(state, token.content));
    else md.inline.parse(token.content, md, env, token.children);
  }
}

function isCrowded(text: string): boolean {
  if (text.length <= MOST_MARKS) return false;
  MARKS.lastIndex = 0;
  for (let marks = 0; marks <= MOST_MARKS; marks += 1) if (!MARKS.test(text)) return false;
  return true;
}

function text({ Token }: Pick<StateCore, 'Token'>, content: string): Token {
  return Object.assign(new Token('text', '', 0), { content });
}
