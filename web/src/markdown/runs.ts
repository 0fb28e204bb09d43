/**
 * Runs of characters that browsers lay out in time that grows with the run's square, or worse: a model that repeats itself writes a hundred
 * thousand accents over one letter. What breaks them is drawn only where no text of any language has such a run.
 */

/** What stands over, under or within the character before it: marks, skin tones, joiners. Unicode's own bound for a text that streams is 30. */
const MARKS = /[\p{M}\p{Emoji_Modifier}\u0e33\u0eb3\u200c\u200d\u{e0020}-\u{e007f}]{30}/gu;
/** The sign for a letter that is missing below a mark. */
const MISSING_LETTER = '\u25cc\u200b';
/** Letters that join: a word of so many is none. */
const JOINED = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Nko}\p{Script=Mandaic}]{100}/gu;
/** Letters of scripts that have no spaces: their words are looked up to find where a line may end. */
const UNSPACED = /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]{1000}/gu;

const ORDINARY = /^[\u0000-\u02ff]*$/;

/** Of a text that begins with another, the result begins with the other's. */
export function breakRuns(text: string): string {
  if (ORDINARY.test(text)) return text;
  return text.replace(MARKS, `$&${MISSING_LETTER}`).replace(JOINED, '$&\u200c\u200b').replace(UNSPACED, '$&\u200b');
}
