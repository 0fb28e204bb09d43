/** Which way a text runs, by its first letter that says so. Browsers find that by themselves for a text (`dir="auto"`), but not for a list or a table of texts. */

const LETTER = /\p{L}/u;
/** Hebrew, Arabic and their neighbours: the blocks that Unicode keeps for scripts that run from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name within a sentence of the other direction, so that neither takes the other's words along. */
export function isolated(text: string): string {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

export function directionOf(text: string): 'ltr' | 'rtl' {
  const [letter = ''] = LETTER.exec(text) ?? [];
  return RIGHT_TO_LEFT.test(letter) ? 'rtl' : 'ltr';
}
