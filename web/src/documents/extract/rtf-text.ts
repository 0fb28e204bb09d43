/** RTF to paragraphs: text of every code page, headings by their level, tables by rows, notes at the end. */
import { failure } from '../../base/failure';
import type { Extracted } from '../../data/document-records';
import { decodeBytes, ofCharset, ofCodePage } from './rtf-encoding';
import { readRtf, type RtfHandler } from './rtf-tokens';
import { TextBuilder } from './text-builder';

/** Groups whose words are not the document's. Those that begin with `\*` are left out unless they are known. */
const UNREAD = new Set([
  'aftncn', 'aftnsep', 'aftnsepc', 'annotation', 'atnauthor', 'atnid', 'colortbl', 'datafield', 'filetbl', 'fldinst', 'footer', 'footerf', 'footerl', 'footerr',
  'ftncn', 'ftnsep', 'ftnsepc', 'header', 'headerf', 'headerl', 'headerr', 'info', 'nonesttables', 'nonshppict', 'pict', 'private', 'rxe', 'sn', 'sp', 'sv',
  'tc', 'tcn', 'txe', 'xe',
]);
/** Known ones that hold words of the document. */
const READ = new Set(['nesttableprops', 'shpinst', 'shptxt', 'ud']);
const CHARACTERS: Readonly<Record<string, string>> = {
  tab: '\t', emdash: '—', endash: '–', bullet: '•', lquote: '‘', rquote: '’', ldblquote: '“', rdblquote: '”', emspace: ' ', enspace: ' ', qmspace: ' ',
  '~': ' ', _: '\u2011', zwj: '\u200d', zwnj: '\u200c', ltrmark: '\u200e', rtlmark: '\u200f',
};
const BLOCK_ENDS = new Set(['par', 'sect', 'page', 'column']);
const DEEPEST_HEADING = 4;
/** Programs nest some dozens. */
const DEEPEST_GROUP = 10_000;

/** What a group begins with from the one around it, and gives back where it ends. */
interface Group {
  /** Where its words go. */
  to: 'text' | 'note' | 'fonts' | 'styles' | 'nowhere';
  encoding: string;
  /** Bytes that stand for a character of `\u`, for programs that do not know that. */
  replaced: number;
  hidden: boolean;
  /** Depth in tables; 0 outside of them. */
  table: number;
  heading: boolean;
  /** The first group within is for older programs. */
  twice: boolean;
}

export function rtfText(bytes: Uint8Array): Extracted {
  const reader = new RtfReader();
  readRtf(bytes, reader);
  return reader.done();
}

class RtfReader implements RtfHandler {
  readonly #builder = new TextBuilder();
  readonly #groups: Group[] = [];
  #group: Group = { to: 'text', encoding: 'windows-1252', replaced: 1, hidden: false, table: 0, heading: false, twice: false };
  /** Of fonts and of the document, as its beginning gives them. */
  readonly #fonts = new Map<number, string>();
  #codePage = 'windows-1252';
  #font = 0;
  readonly #headings = new Set<number>();
  #style = { number: 0, name: '' };
  readonly #notes: string[] = [];
  #note = '';
  #bytes: number[] = [];
  #words = '';
  /** Where the first of them stands: their group may have ended when they are written. */
  #place = { table: 0, heading: false };
  #seen = false;
  #skip = 0;
  #ignorable = false;
  /** Rows that are open, one within the other. */
  #rows = 0;
  #tabled = false;

  done(): Extracted {
    this.#endParagraph();
    this.#closeRows(0);
    for (const note of this.#notes) this.#builder.paragraph(note);
    return this.#builder.done();
  }

  open(): void {
    this.#flushBytes();
    if (this.#groups.length > DEEPEST_GROUP) throw failure('too-complex', {}, `groups nested deeper than ${DEEPEST_GROUP}`);
    this.#groups.push(this.#group);
    this.#group = { ...this.#group, to: this.#group.twice ? 'nowhere' : this.#group.to, twice: false };
    [this.#skip, this.#ignorable] = [0, false];
  }

  close(): boolean {
    this.#flushBytes();
    const [ended, around] = [this.#group, this.#groups.pop()];
    this.#skip = 0;
    if (!around) return false;
    if (ended.to === 'note' && around.to !== 'note') this.#endNote();
    if (ended.to === 'styles') this.#endStyle();
    this.#group = around;
    return this.#groups.length > 0;
  }

  byte(byte: number): void {
    if (this.#skip > 0) this.#skip -= 1;
    else if (this.#group.to !== 'nowhere' && this.#group.to !== 'fonts') this.#bytes.push(byte);
  }

  control(word: string, number: number | undefined): void {
    this.#flushBytes();
    if (this.#skip > 0 && word !== 'u') {
      this.#skip -= 1;
      return;
    }
    const ignorable = this.#ignorable;
    this.#ignorable = word === '*';
    if (ignorable && !READ.has(word)) this.#group.to = 'nowhere';
    else if (word === 'ud') this.#group.to = this.#groups.at(-1)?.to ?? 'text';
    else if (UNREAD.has(word)) this.#leaveOut(word);
    else if (this.#group.to !== 'nowhere') this.#read(word, number);
  }

  #leaveOut(word: string): void {
    if (word === 'pict' && this.#group.to === 'text') this.#builder.picture();
    this.#group.to = 'nowhere';
  }

  #read(word: string, number: number | undefined): void {
    const character = CHARACTERS[word];
    if (character !== undefined) this.#text(character);
    else if (word === 'u') this.#unicode(number ?? 0);
    else if (word === 'chftn') this.#text(`[${this.#notes.length + 1}]`);
    else if (BLOCK_ENDS.has(word)) this.#endParagraph();
    else if (word === 'line' || word === 'lbr') this.#lineBreak();
    else if (this.#group.to === 'text' && this.#tables(word)) return;
    else this.#format(word, number);
  }

  #tables(word: string): boolean {
    if (word === 'cell' || word === 'nestcell') this.#endCell(word === 'cell' ? 1 : Math.max(2, this.#group.table));
    else if (word === 'row') this.#closeRows(0);
    else if (word === 'nestrow') this.#closeRows(Math.max(1, this.#rows - 1));
    else return false;
    return true;
  }

  /** What says how the words that follow are to be taken. */
  #format(word: string, number: number | undefined): void {
    const group = this.#group;
    switch (word) {
      case 'fonttbl': group.to = 'fonts'; break;
      case 'stylesheet': group.to = 'styles'; break;
      case 'footnote': group.to = 'note'; break;
      case 'upr': group.twice = true; break;
      case 'ansicpg': this.#codePage = group.encoding = ofCodePage(number ?? 0); break;
      case 'mac': this.#codePage = group.encoding = 'macintosh'; break;
      case 'pc': this.#codePage = group.encoding = ofCodePage(437); break;
      case 'pca': this.#codePage = group.encoding = ofCodePage(850); break;
      case 'uc': group.replaced = Math.max(0, number ?? 1); break;
      case 'v': case 'deleted': group.hidden = number !== 0; break;
      case 'plain': [group.hidden, group.encoding] = [false, this.#codePage]; break;
      case 'f': this.#useFont(number ?? 0); break;
      case 'fcharset': this.#tellFont(ofCharset(number ?? 0)); break;
      case 'cpg': this.#tellFont(ofCodePage(number ?? 0)); break;
      case 'pard': [group.table, group.heading] = [0, false]; break;
      case 'intbl': group.table = Math.max(1, group.table); break;
      case 'itap': group.table = Math.max(0, number ?? 0); break;
      case 's': this.#useStyle(number ?? 0); break;
      case 'outlinelevel': this.#useLevel(number ?? 0); break;
      default:
    }
  }

  #useFont(number: number): void {
    if (this.#group.to === 'fonts') this.#font = number;
    else this.#group.encoding = this.#fonts.get(number) ?? this.#codePage;
  }

  #tellFont(encoding: string | undefined): void {
    if (this.#group.to === 'fonts' && encoding !== undefined) this.#fonts.set(this.#font, encoding);
  }

  #useStyle(number: number): void {
    if (this.#group.to === 'styles') this.#style.number = number;
    else this.#group.heading = this.#headings.has(number);
  }

  #useLevel(level: number): void {
    if (this.#group.to === 'styles' && level < DEEPEST_HEADING) this.#headings.add(this.#style.number);
    else this.#group.heading = level < DEEPEST_HEADING;
  }

  #endStyle(): void {
    const level = /^heading (\d)/i.exec(this.#style.name.trim())?.[1];
    if (level !== undefined && Number(level) <= DEEPEST_HEADING) this.#headings.add(this.#style.number);
    this.#style = { number: 0, name: '' };
  }

  #unicode(number: number): void {
    this.#skip = 0;
    this.#text(String.fromCharCode(number & 0xffff));
    this.#skip = this.#group.replaced;
  }

  #flushBytes(): void {
    if (this.#bytes.length === 0) return;
    const bytes = Uint8Array.from(this.#bytes);
    this.#bytes = [];
    this.#text(decodeBytes(bytes, this.#group.encoding));
  }

  #text(text: string): void {
    const { to, hidden } = this.#group;
    if (hidden) return;
    if (to === 'text') this.#add(text);
    else if (to === 'note') this.#note += text;
    else if (to === 'styles') this.#style.name += text;
  }

  #add(text: string): void {
    if (!this.#seen && text.trim() !== '') {
      this.#seen = true;
      this.#place = { table: this.#group.table, heading: this.#group.heading };
    }
    this.#words += text;
  }

  #lineBreak(): void {
    if (this.#group.to === 'note') this.#note += '\n';
    if (this.#group.to !== 'text') return;
    this.#flushWords();
    this.#builder.lineBreak();
  }

  #endParagraph(): void {
    this.#flushBytes();
    if (this.#group.to === 'note') this.#note += '\n\n';
    if (this.#group.to !== 'text') return;
    this.#flushWords();
    this.#builder.endHeading();
    this.#builder.block();
  }

  #endNote(): void {
    this.#notes.push(this.#note.replace(/\n+$/, ''));
    this.#note = '';
  }

  #flushWords(table = this.#place.table): void {
    const [words, seen] = [this.#words, this.#seen];
    [this.#words, this.#seen] = ['', false];
    if (seen) {
      // What follows a table is no line of it.
      const afterTable = this.#tabled && table === 0;
      this.#openRows(table);
      if (afterTable) this.#builder.block();
      this.#tabled = table > 0;
      if (this.#place.heading) this.#builder.beginHeading();
    }
    this.#builder.words(words);
  }

  #endCell(depth: number): void {
    this.#flushWords(depth);
    this.#openRows(depth);
    this.#builder.endHeading();
    this.#builder.endCell();
    this.#builder.beginCell();
  }

  #openRows(depth: number): void {
    this.#closeRows(depth);
    if (this.#rows < depth) this.#tabled = true;
    for (; this.#rows < depth; this.#rows += 1) {
      this.#builder.beginRow();
      this.#builder.beginCell();
    }
  }

  #closeRows(depth: number): void {
    if (this.#rows > depth) this.#flushWords();
    for (; this.#rows > depth; this.#rows -= 1) {
      this.#builder.endCell();
      this.#builder.endRow();
    }
  }
}
