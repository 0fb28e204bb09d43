/** The words of RTF (Microsoft's specification 1.9.1): groups in braces, control words with a number, and bytes of text. */

export interface RtfHandler {
  open(): void;
  /** Gives false where nothing comes after it. */
  close(): boolean;
  /** A control word or symbol without its backslash; its number, where it has one. */
  control(word: string, number: number | undefined): void;
  /** A byte of text. */
  byte(byte: number): void;
}

const [BACKSLASH, OPEN, CLOSE, QUOTE, MINUS, SPACE] = [0x5c, 0x7b, 0x7d, 0x27, 0x2d, 0x20];
/** The longest control words have half of it. */
const LONGEST_WORD = 64;
const MOST_DIGITS = 10;

const isLetter = (byte: number | undefined) => byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;
const isLineEnd = (byte: number | undefined) => byte === 0x0a || byte === 0x0d;

export function readRtf(bytes: Uint8Array, handler: RtfHandler): void {
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    at += 1;
    if (byte === OPEN) handler.open();
    else if (byte === CLOSE) {
      if (!handler.close()) return;
    } else if (byte === BACKSLASH) at = readControl(bytes, at, handler);
    else if (!isLineEnd(byte) && byte !== 0) handler.byte(byte);
  }
}

/** From behind the backslash; gives where it ends. */
function readControl(bytes: Uint8Array, from: number, handler: RtfHandler): number {
  const symbol = bytes[from];
  if (symbol === undefined) return from;
  if (symbol === QUOTE) {
    const value = Number.parseInt(String.fromCharCode(bytes[from + 1] ?? 0, bytes[from + 2] ?? 0), 16);
    if (!Number.isNaN(value)) handler.byte(value);
    return from + 3;
  }
  if (!isLetter(symbol)) {
    // Escaped braces and backslashes are text; an escaped line end is a paragraph's.
    if (symbol === BACKSLASH || symbol === OPEN || symbol === CLOSE) handler.byte(symbol);
    else handler.control(isLineEnd(symbol) ? 'par' : String.fromCharCode(symbol), undefined);
    return from + 1;
  }
  let at = from;
  while (isLetter(bytes[at]) && at - from < LONGEST_WORD) at += 1;
  const word = String.fromCharCode(...bytes.subarray(from, at));
  const digits = at;
  if (bytes[at] === MINUS && isDigit(bytes[at + 1])) at += 1;
  while (isDigit(bytes[at]) && at - digits < MOST_DIGITS) at += 1;
  const number = at > digits ? Number(String.fromCharCode(...bytes.subarray(digits, at))) : undefined;
  if (bytes[at] === SPACE) at += 1;
  if (word === 'bin') return at + Math.max(0, number ?? 0);
  handler.control(word, number);
  return at;
}
