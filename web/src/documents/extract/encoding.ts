/** Bytes to text. Old files do not say which encoding they have; a guess is reported with the text. */
import { failure } from '../../base/failure';
import { namedEncoding } from './html-encoding';

export interface Decoded {
  text: string;
  /** The encoding, where the bytes do not say it. */
  guessed?: string;
}

const MARKS: readonly (readonly [string, readonly number[]])[] = [['utf-8', [0xef, 0xbb, 0xbf]], ['utf-16le', [0xff, 0xfe]], ['utf-16be', [0xfe, 0xff]]];

/**
 * What is written in an encoding, of the characters beyond ASCII. Read in a wrong one, Russian is in capitals, Japanese without kana,
 * Chinese in rare characters, Korean in Chinese ones.
 */
const WRITTEN: readonly (readonly [string, RegExp])[] = [
  ['shift_jis', /[\u3040-\u30ff\u3000-\u3002]/g],
  ['euc-jp', /[\u3040-\u30ff\u3000-\u3002]/g],
  ['euc-kr', /[\uac00-\ud7a3]/g],
  ['gb18030', /[的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后，。]/g],
  ['big5', /[的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她裡後，。]/g],
  ['windows-1251', /[а-яё]/g],
  ['koi8-r', /[а-яё]/g],
];
/** How much of a text that is, at least. Chinese has by far the most characters. */
const LEAST: Readonly<Record<string, number>> = { shift_jis: 0.25, 'euc-jp': 0.25, gb18030: 0.1, big5: 0.1 };
const LEAST_OF_LETTERS = 0.6;
const BEYOND_ASCII = /[^\u0000-\u007f]/g;

/** ASCII, the letters of alphabets, kana, Hangul, and what is most frequent in Chinese. */
const WRITTEN_MOST = /[\t\n\r -~\u00a0-\u024f\u0370-\u06ff\u0900-\u0eff\u2010-\u2026\u3000-\u3002\u3040-\u30ff\uac00-\ud7a3\uff01-\uff5e的一是不了在人有我他这這中大来來上国國个個到说說们們为為子和你地出道也时時年得就那要下以生会會自着著去之过過家学學对對可她里裡后後]/g;
const LEAST_OF_WIDE = 0.1;
/** In no text, but in most other files. */
const CONTROLS = /[\u0000-\u0008\u000e-\u0019\u001c-\u001f]/g;

/** In no text that is read in the right encoding, either: halves of characters, and what is for private use. */
const UNWRITTEN = /[\u0000-\u0008\u000e-\u0019\u001c-\u001f\ufffd\ue000-\uf8ff]/g;

/** Enough to judge by. */
const SAMPLE = 65_536;
/** Western languages have fewer letters beyond ASCII than this, all others more. */
const WESTERN = 0.3;
/** Old printers and terminals were given some of them. */
const MOST_CONTROLS = 0.01;
/** A damaged character here and there does not make another encoding. */
const MOST_DAMAGED = 0.05;

/** A byte-order mark decides; else UTF-8 where it is valid, or nearly; else what it looks most like. */
export function decodeText(bytes: Uint8Array): Decoded {
  const marked = byMark(bytes);
  if (marked !== undefined) return { text: marked };
  const wide = unmarkedUtf16(bytes.subarray(0, SAMPLE));
  if (wide) return { text: new TextDecoder(wide).decode(bytes), guessed: wide };
  const text = new TextDecoder('utf-8').decode(bytes);
  if (!isDamaged(text)) return { text };
  const guessed = likeliest(bytes.subarray(0, SAMPLE));
  return { text: new TextDecoder(guessed).decode(bytes), guessed };
}

/** Throws `file-kind` where what was decoded is no text, whatever the file's name says. */
export function textOnly(decoded: Decoded): Decoded {
  if (isBinary(decoded.text.slice(0, SAMPLE))) throw failure('file-kind', {}, 'binary data');
  return decoded;
}

/** HTML and XML may name their encoding within their first bytes. One that they are not in is not believed. */
export function decodeHtml(bytes: Uint8Array): Decoded {
  const marked = byMark(bytes);
  if (marked !== undefined) return { text: marked };
  const wide = markupInUtf16(bytes);
  if (wide) return { text: new TextDecoder(wide).decode(bytes) };
  const named = namedEncoding(bytes);
  if (named === undefined) return decodeText(bytes);
  const text = new TextDecoder(named).decode(bytes);
  return isDamaged(text) ? decodeText(bytes) : { text };
}

/** UTF-32 first: in it, the mark of UTF-16 is followed by zeros. */
function byMark(bytes: Uint8Array): string | undefined {
  const [first, second, third, fourth] = bytes;
  if (first === 0xff && second === 0xfe && third === 0 && fourth === 0) return utf32(bytes, true);
  if (first === 0 && second === 0 && third === 0xfe && fourth === 0xff) return utf32(bytes, false);
  const marked = MARKS.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte));
  return marked && new TextDecoder(marked[0]).decode(bytes);
}

/** Browsers do not know it, yet programs write it. */
function utf32(bytes: Uint8Array, littleEndian: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const characters: string[] = [];
  for (let at = 4; at + 4 <= bytes.length; at += 4) {
    const code = view.getUint32(at, littleEndian);
    characters.push(code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd');
  }
  return characters.join('');
}

function likeliest(bytes: Uint8Array): string {
  const high = bytes.filter((byte) => byte >= 0x80).length;
  const letters = bytes.filter((byte) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a).length;
  if (high < WESTERN * (high + letters)) return 'windows-1252';
  const judged = WRITTEN.map(([name, written]) => {
    const text = new TextDecoder(name).decode(bytes, { stream: true });
    // In units of what each needs, so that they can be compared.
    return { name, score: isDamaged(text) ? 0 : share(text, written) / (LEAST[name] ?? LEAST_OF_LETTERS) };
  });
  const best = judged.reduce((best, each) => (each.score > best.score ? each : best));
  return best.score >= 1 ? best.name : 'windows-1252';
}

/** How much of the characters beyond ASCII are some of them. */
function share(text: string, wanted: RegExp): number {
  const beyond = text.match(BEYOND_ASCII)?.length ?? 0;
  return beyond === 0 ? 0 : (text.match(wanted)?.length ?? 0) / beyond;
}

/** The same of damaged characters, in texts of any length: a list of their characters would take many times their memory. */
function isDamaged(text: string): boolean {
  let [damaged, beyond] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) beyond += 1;
    if (code === 0xfffd) damaged += 1;
  }
  return damaged > MOST_DAMAGED * beyond;
}

function isBinary(text: string): boolean {
  return (text.match(CONTROLS)?.length ?? 0) > MOST_CONTROLS * text.length;
}

/** A zero byte is in no other encoding of text. Which of the two orders of bytes it is, the characters that are written most say. */
function unmarkedUtf16(bytes: Uint8Array): string | undefined {
  if (!bytes.includes(0)) return undefined;
  const judged = ['utf-16le', 'utf-16be'].map((name) => {
    const text = new TextDecoder(name).decode(bytes, { stream: true });
    return { name, score: (text.match(UNWRITTEN)?.length ?? 0) > MOST_CONTROLS * text.length ? 0 : (text.match(WRITTEN_MOST)?.length ?? 0) / text.length };
  });
  const best = judged.reduce((best, each) => (each.score > best.score ? each : best));
  return best.score > LEAST_OF_WIDE ? best.name : undefined;
}

/** Markup begins with an ASCII character, whatever its words are written in. */
function markupInUtf16([first, second, third, fourth]: Uint8Array): string | undefined {
  if (isAscii(first) && second === 0 && isAscii(third) && fourth === 0) return 'utf-16le';
  return first === 0 && isAscii(second) && third === 0 && isAscii(fourth) ? 'utf-16be' : undefined;
}

const isAscii = (byte: number | undefined) => byte !== undefined && byte >= 0x09 && byte < 0x7f;
