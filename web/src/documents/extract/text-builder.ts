/**
 * Puts a text together in one pass, as its words come, and remembers where its places begin. Breaks and separators are
 * asked for, and written before the next word only: two in a row are one, and none stands at an end.
 */
import { failure } from '../../base/failure';
import type { Extracted, Place } from '../../data/document-records';
import { joinUnspaced } from './unspaced';

/** Longer than any book; a page could not hold it. */
export const MOST_CHARACTERS = 50e6;
/** A text with more headings is no text that is read. */
const MOST_PLACES = 200_000;
/** A heading that was never closed goes on to the document's end. */
const LABEL_CHARACTERS = 300;

/** What no reader sees: control characters, soft hyphens within a line, and marks of the byte order. */
const INVISIBLE = /[\u0000-\u0008\u000e-\u001f\u007f\u00ad\ufeff]/g;
/** Lines end in form feeds and in Unicode's separators too. */
const LINE_ENDS = /[\r\n\u000b\u000c\u0085\u2028\u2029]+/g;
/** A soft hyphen that shows, as a word goes on in the next line. */
const SHOWN_HYPHEN = /\u00ad[ \t]*\r?\n[ \t]*(?=\p{L})/gu;

const NEWLINES = ['', '\n', '\n\n'] as const;

/** A row of a table that is being read. */
interface Row {
  /** Cells of the row around it that have ended since its last word. */
  bars: number;
  /** Length of the text before the row. */
  start: number;
}

export class TextBuilder {
  #text = '';
  readonly #places: Place[] = [];
  /** What is asked for before the next word. */
  #space = false;
  #newlines: 0 | 1 | 2 = 0;
  #bars = 0;
  #bullet = false;
  #place: { label: string; page?: number } | undefined;
  /** The rows that are open, outermost first, and for each open cell the length of the text before it. */
  readonly #rows: Row[] = [];
  readonly #cells: number[] = [];
  #heading: { offset: number; label: string } | undefined;
  #pictures = false;

  /** The next word begins a place. Of two at one point, the later says more (a chapter's own heading). */
  place(label: string, page?: number): void {
    const clean = oneLine(label);
    if (clean !== '') this.#place = { label: clean, ...(page === undefined ? {} : { page }) };
  }

  /** Until it ends, words are a heading's, which is a place. */
  beginHeading(): void {
    this.#heading ??= { offset: -1, label: '' };
  }

  endHeading(): void {
    const { offset, label } = this.#heading ?? { offset: -1, label: '' };
    this.#heading = undefined;
    const clean = oneLine(label);
    if (offset >= 0 && clean !== '') this.#begin({ offset, label: clean });
  }

  /** Words in a line: whitespace is a space. */
  words(text: string): void {
    const clean = joinUnspaced(text.replace(INVISIBLE, ''));
    const words = clean.trim();
    if (words === '') {
      this.#space ||= clean !== '';
      return;
    }
    this.#space ||= /^\s/.test(clean);
    this.#write(words.replace(/[^\S ]\s*|\s{2,}/g, ' '));
    this.#space = /\s$/.test(clean);
  }

  /** Text that keeps its lines, as it was laid out by hand. A long one is not cut into as many lines at once. */
  lines(text: string): void {
    const joined = text.includes('\u00ad') ? text.replace(SHOWN_HYPHEN, '') : text;
    let from = 0;
    for (const { 0: ends, index } of joined.matchAll(LINE_ENDS)) {
      this.#line(joined.slice(from, index));
      this.lineBreak();
      if (ends.length > 1 && ends !== '\r\n') this.lineBreak();
      from = index + ends.length;
    }
    this.#line(joined.slice(from));
  }

  paragraph(text: string): void {
    this.block();
    this.lines(text);
    this.block();
  }

  /** Two of them leave a line empty. */
  lineBreak(): void {
    this.#break(this.#newlines === 0 ? 1 : 2);
  }

  /** A line ends or begins. */
  line(): void {
    this.#break(1);
  }

  /** A paragraph ends or begins. */
  block(): void {
    this.#break(2);
  }

  /** The next word begins an item of a list. */
  beginItem(): void {
    this.block();
    this.#bullet = true;
  }

  endItem(): void {
    this.#bullet = false;
    this.block();
  }

  /** A row has a line of its own, and a bar between two cells. */
  beginRow(): void {
    this.#break(1);
    this.#rows.push({ bars: this.#bars, start: this.#text.length });
  }

  endRow(): void {
    const row = this.#rows.pop();
    // Cells at its end that are empty leave no bars. Of a row without a word, nothing is seen.
    if (row) this.#bars = this.#text.length > row.start ? 0 : row.bars;
    this.#break(1);
  }

  beginCell(): void {
    this.#cells.push(this.#text.length);
  }

  endCell(): void {
    const start = this.#cells.pop();
    if (start !== undefined && this.#text.length > start) this.#newlines = 0;
    [this.#space, this.#bullet] = [false, false];
    this.#bars += 1;
  }

  /** There is a picture, which may be all that there is. */
  picture(): void {
    this.#pictures = true;
  }

  /** Throws `scan` where there are pictures only, and `no-text` where there is nothing at all. */
  done(): Extracted {
    if (this.#text === '') throw failure(this.#pictures ? 'scan' : 'no-text');
    return { text: this.#text, places: this.#places };
  }

  /** At the beginning of a cell no line ends, and in a table none is empty: its rows belong together. */
  #break(newlines: 1 | 2): void {
    const cell = this.#cells.at(-1);
    this.#space = false;
    if (cell === this.#text.length) return;
    const wanted = cell === undefined ? newlines : 1;
    if (wanted > this.#newlines) this.#newlines = wanted;
  }

  #line(line: string): void {
    if (line === '') return;
    const clean = line.replace(INVISIBLE, '').replace(/[\t\u00a0][ \t\u00a0]*|[ \t\u00a0]{2,}/g, ' ');
    const words = clean.trim();
    this.#space ||= clean.startsWith(' ');
    if (words === '') return;
    this.#write(words);
    this.#space = clean.endsWith(' ');
  }

  #write(words: string): void {
    const before = this.#separator();
    const offset = this.#text.length + before.length;
    this.#text += before + words;
    if (this.#text.length > MOST_CHARACTERS) throw failure('too-much', {}, `more than ${MOST_CHARACTERS} characters`);
    if (this.#place) this.#begin({ offset, ...this.#place });
    this.#place = undefined;
    if (!this.#heading) return;
    if (this.#heading.offset < 0) this.#heading.offset = offset;
    if (this.#heading.label.length < LABEL_CHARACTERS) this.#heading.label += (this.#heading.label === '' ? '' : before) + words;
  }

  #separator(): string {
    const newlines = this.#text === '' ? '' : NEWLINES[this.#newlines];
    const inLine = this.#text !== '' && newlines === '';
    const bars = this.#bars > 0 ? `${inLine ? ' ' : ''}${'| '.repeat(this.#bars)}` : '';
    const separator = `${newlines}${bars}${bars === '' && inLine && this.#space ? ' ' : ''}${this.#bullet ? '- ' : ''}`;
    [this.#space, this.#newlines, this.#bars, this.#bullet] = [false, 0, 0, false];
    return separator;
  }

  #begin(place: Place): void {
    if (this.#places.at(-1)?.offset === place.offset) this.#places.pop();
    this.#places.push(place);
    if (this.#places.length > MOST_PLACES) throw failure('too-complex', {}, `more than ${MOST_PLACES} headings`);
  }
}

function oneLine(label: string): string {
  return label.replace(INVISIBLE, '').replace(/\s+/g, ' ').trim().slice(0, LABEL_CHARACTERS);
}
