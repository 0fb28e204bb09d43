/** Numbers and names as people read them in a sentence. Decimal units, as browsers and download pages count. */
import { messages } from './messages.ts';

/** 20374272 → "20.4 MB". */
export function formatBytes(bytes: number): string {
  const { units } = messages();
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** What fills the blanks of a sentence. */
export type Blanks = Readonly<Record<string, string | number>>;

/** Puts `data` in the place of `{name}` in a sentence. */
export function fill(sentence: string, data: Blanks): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => (name in data ? isolated(String(data[name])) : whole));
}

/** Hebrew, Arabic and their neighbours: the blocks that Unicode keeps for scripts that run from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Whether a text has letters that run from right to left. */
export function hasRightToLeft(text: string): boolean {
  return RIGHT_TO_LEFT.test(text);
}

/** A name within a sentence of the other direction, so that neither takes the other's words along. */
function isolated(text: string): string {
  return hasRightToLeft(text) ? `\u2068${text}\u2069` : text;
}
