/**
 * The lines of a PDF's pages and how they belong together: into paragraphs, where words that were cut are whole again; items of lists and
 * rows of tables each in a line of its own. What stands on every page, its head, its foot and its number, is found by that.
 */
import type { TextItem } from 'pdfjs-dist/types/src/display/api';
import { betweenLines } from './unspaced';

export interface Line {
  text: string;
  /** Of its base line, in points from the page's foot. */
  y: number;
  height: number;
  /** Parts with wide gaps between them, such as a table's cells. */
  cells: number;
}

export type Item = Pick<TextItem, 'str' | 'hasEOL' | 'transform' | 'height'> & Partial<Pick<TextItem, 'width'>>;

/** A gap between lines larger than this many line heights begins a paragraph. */
const PARAGRAPH_GAP = 1.7;
/** One between words that is larger than this divides cells. */
const CELL_GAP = 2;
/** A line whose letters are so much larger or smaller is a heading, or comes after one. */
const HEADING_SCALE = 1.15;
/** A larger letter may begin a paragraph. */
const INITIAL_CHARACTERS = 3;
/** A hyphen, and what may stand between it and the next line's first letter. */
const LONGEST_LINE_END = 16;
/** Heads and feet: so many lines from the top and from the end of a page, on so many pages, about so far from the same place in points. */
const EDGE_LINES = 2;
const LEAST_PAGES = 3;
const SAME_PLACE = 6;
/** A head is set no larger than the text, give or take what is measured. */
const HEAD_SCALE = 1.05;

const ITEM = /^\s*(?:[•◦▪■‣⁃●○·*–-]\s+\S|\(?(?:\d{1,3}|[a-z])[.)]\s+\S)/u;

export function linesOf(items: readonly Item[]): Line[] {
  const lines: Line[] = [];
  let line: Line | undefined;
  /** Where its last words end. */
  let end = 0;
  for (const { str, hasEOL, transform, height, width = 0 } of items) {
    if (str !== '') {
      line ??= { text: '', y: transform[5] as number, height: 0, cells: 1 };
      const isSpace = str.trim() === '';
      const [x, widest] = [transform[4] as number, CELL_GAP * line.height];
      // A gap is an item of its own, or nothing but a place further on, or back.
      const isGap = line.text.trim() !== '' && line.height > 0 && (isSpace ? width > widest : end > 0 && Math.abs(x - end) > widest);
      if (isGap && !line.text.endsWith(' | ')) {
        line.cells += 1;
        line.text = `${line.text.trimEnd()} | `;
      }
      if (!isSpace) line.height = Math.max(line.height, height);
      if (!isGap || !isSpace) line.text += str;
      end = width > 0 ? x + width : 0;
    }
    if (!hasEOL || !line) continue;
    lines.push(line);
    [line, end] = [undefined, 0];
  }
  if (line) lines.push(line);
  return lines.map((each) => ({ ...each, text: each.text.replace(/(?: \| )+\s*$/, '') })).filter(({ text }) => text.trim() !== '');
}

/** With a line break only where a list or a table has one. */
export function paragraphsOf(lines: readonly Line[]): string[] {
  const found: string[] = [];
  let text = '';
  lines.forEach((line, index) => {
    const before = lines[index - 1];
    const isCutWord = before !== undefined && isCut(`${before.text}\n`, line.text);
    if (isCutWord) {
      text = text.replace(/.\s*$/u, '') + line.text.trimStart();
    } else if (!before || beginsParagraph(before, line)) {
      found.push(text);
      text = line.text;
    } else {
      text = text.trimEnd() + between(before, line) + line.text.trimStart();
    }
  });
  return [...found, text].map((each) => each.trim()).filter((each) => each !== '');
}

function beginsParagraph(before: Line, { y, height }: Line): boolean {
  const gap = before.y - y;
  if (height > 0 && (gap > PARAGRAPH_GAP * height || gap < -height)) return true;
  const scale = before.height > 0 && height > 0 ? Math.max(height / before.height, before.height / height) : 1;
  return scale > HEADING_SCALE && before.text.trim().length > INITIAL_CHARACTERS;
}

function between(before: Line, line: Line): string {
  if (ITEM.test(line.text) || (before.cells > 1 && line.cells > 1)) return '\n';
  return betweenLines(before.text, line.text);
}

/** A hyphen may be the word's own where its second half does not go on in small letters; a soft one never is. */
export function isCut(text: string, next: string): boolean {
  const end = text.slice(-LONGEST_LINE_END);
  return (/[\p{L}\p{M}][-\u2010]\s*\n\s*$/u.test(end) && /^\s*\p{Ll}/u.test(next)) || (/[\p{L}\p{M}]\u00ad\s*\n\s*$/u.test(end) && /^\s*\p{L}/u.test(next));
}

/** The pages without what stands at the same place of at least three of them: the same words, or with a number that counts the pages. */
export function withoutHeads(pages: readonly (readonly Line[])[]): Line[][] {
  const body = usualHeight(pages);
  const places = new Map<string, { page: number; line: Line }[]>();
  pages.forEach((lines, page) => {
    for (const line of edges(lines)) {
      if (line.height > body * HEAD_SCALE) continue;
      for (const key of keysOf(line.text, page)) places.set(key, [...(places.get(key) ?? []), { page, line }]);
    }
  });
  const heads = new Set<Line>();
  for (const found of places.values()) {
    const middle = found.map(({ line }) => line.y).sort((a, b) => a - b)[Math.floor(found.length / 2)] ?? 0;
    const same = found.filter(({ line }) => Math.abs(line.y - middle) <= SAME_PLACE);
    if (new Set(same.map(({ page }) => page)).size >= LEAST_PAGES) same.forEach(({ line }) => heads.add(line));
  }
  return pages.map((lines) => {
    const others = lines.filter((line) => !heads.has(line));
    return others.length > 0 ? others : [...lines];
  });
}

/** The lines at a page's top and at its foot. */
function edges(lines: readonly Line[]): Line[] {
  const sorted = [...lines].sort((a, b) => b.y - a.y);
  return [...new Set([...sorted.slice(0, EDGE_LINES), ...sorted.slice(-EDGE_LINES)])];
}

/** By which a head is known again on other pages: its words, or those beside a number at one of its ends that counts the pages. */
function keysOf(text: string, page: number): string[] {
  const words = text.replace(/\s+/g, ' ').trim();
  if (/^[ivxlcdm]{1,8}$/i.test(words)) return ['roman'];
  const counted = [/^\P{L}*?(?<digits>\d{1,5})(?!\d)(?<rest>.*)$/u, /^(?<rest>.*?)(?<!\d)(?<digits>\d{1,5})[^\p{L}\d]*$/u].flatMap((numbered) => {
    const { digits, rest = '' } = numbered.exec(words)?.groups ?? {};
    return digits === undefined ? [] : [`${rest.replace(/^[^\p{L}\d]+|[^\p{L}\d]+$/gu, '')} #${Number(digits) - page}`];
  });
  return [...new Set([words, ...counted])];
}

/** Of most of the letters. */
function usualHeight(pages: readonly (readonly Line[])[]): number {
  const letters = new Map<number, number>();
  for (const { text, height } of pages.flat()) {
    const rounded = Math.round(height * 2) / 2;
    letters.set(rounded, (letters.get(rounded) ?? 0) + text.length);
  }
  return [...letters].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}
