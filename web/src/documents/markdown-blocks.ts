/**
 * The headings of Markdown, by CommonMark's rules for blocks at the left margin. A parser of all of it takes long for much of which nothing
 * is needed here, and fails on quotes nested a thousand times.
 */

export interface MarkdownBlock {
  /** Of a block that is one. */
  heading?: string;
  raw: string;
}

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const ATX = /^ {0,3}#{1,6}(?=[ \t]|$)/;
const UNDERLINE = /^ {0,3}(?:=+|-+)[ \t]*$/;
/** What is underlined is a paragraph: not code, a quote, a list or a line of another kind. */
const PARAGRAPH = /^ {0,3}(?![ \t]|>|#{1,6}(?:[ \t]|$)|[-+*](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$)|<|[|])\S/;
const COMMENT = /^ {0,3}<!--/;
/** Begins another block in the middle of a paragraph. */
const INTERRUPTION = /^ {0,3}(?:>|[-+*][ \t]|\d{1,9}[.)][ \t]|<[a-z!/?])/i;

/** Headings, and what is between them. */
export function* markdownBlocks(lines: readonly string[]): Generator<MarkdownBlock, undefined> {
  let [start, paragraph] = [0, -1];
  const between = (end: number) => ({ raw: lines.slice(start, end).join('\n') });
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] as string;
    const closed = endOfKept(lines, at);
    if (closed > at) [at, paragraph] = [closed, -1];
    else if (UNDERLINE.test(line) && paragraph >= 0) {
      yield between(paragraph);
      const text = lines.slice(paragraph, at);
      yield { heading: text.join(' ').trim(), raw: [...text, line].join('\n') };
      [start, paragraph] = [at + 1, -1];
    } else if (ATX.test(line)) {
      yield between(at);
      yield { heading: line.replace(ATX, '').trim().replace(/(^|[ \t])#+$/, ''), raw: line };
      [start, paragraph] = [at + 1, -1];
    } else if (line.trim() === '' || INTERRUPTION.test(line)) paragraph = -1;
    else if (paragraph < 0 && isParagraph(lines, at)) paragraph = at;
  }
  yield between(lines.length);
}

/** A line goes on with the block that it follows, unless that has ended. */
function isParagraph(lines: readonly string[], at: number): boolean {
  const before = lines[at - 1] ?? '';
  return PARAGRAPH.test(lines[at] as string) && (before.trim() === '' || ATX.test(before) || FENCE.test(before) || UNDERLINE.test(before));
}

/** The last line of code between fences, or of a comment, that begins at a line; that line itself where none does. */
function endOfKept(lines: readonly string[], at: number): number {
  const line = lines[at] as string;
  const fence = FENCE.exec(line)?.[1];
  if (fence === undefined && !COMMENT.test(line)) return at;
  const ends = fence === undefined ? /-->/ : new RegExp(`^ {0,3}${fence[0]}{${fence.length},}[ \\t]*$`);
  const from = fence === undefined ? at : at + 1;
  for (let end = from; end < lines.length; end += 1) if (ends.test(lines[end] as string)) return Math.max(end, at + (fence === undefined ? 0 : 1));
  return lines.length;
}
