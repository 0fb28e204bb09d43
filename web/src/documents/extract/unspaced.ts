/** Scripts that have no spaces between words, with their signs: where a line ends between two of them, nothing stands there. */
const UNSPACED = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\u30fb\u30fc\uff00-\uffef]`;
const END = new RegExp(`${UNSPACED}\\s*$`, 'u');
const START = new RegExp(`^\\s*${UNSPACED}`, 'u');
const BREAK = new RegExp(`(?<=${UNSPACED})[ \\t]*\\r?\\n[ \\t\\r\\n]*(?=${UNSPACED})`, 'gu');

/** What stands between two lines of a paragraph. */
export function betweenLines(before: string, after: string): '' | ' ' {
  return END.test(before.slice(-16)) && START.test(after.slice(0, 16)) ? '' : ' ';
}

/** Without the ends of lines between such characters. */
export function joinUnspaced(text: string): string {
  return text.includes('\n') ? text.replace(BREAK, '') : text;
}
