/** Which way a text runs, by its first letter that says so. Browsers find that by themselves for a text (`dir="auto"`), but not for a list or a table of texts. */
import { hasRightToLeft } from 'web-mamba';

const LETTER = /\p{L}/u;

export function directionOf(text: string): 'ltr' | 'rtl' {
  const [letter = ''] = LETTER.exec(text) ?? [];
  return hasRightToLeft(letter) ? 'rtl' : 'ltr';
}
