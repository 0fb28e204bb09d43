/** Whether what stands between dollars is a formula. Prices, names of shells and templates are far more usual, so it has to be clear. */

interface Surroundings {
  opening: '$' | '$$';
  /** The characters next to the dollars, or empty at an end. */
  before: string;
  after: string;
}

/** Characters; what is longer stands on lines of its own. */
const LONGEST = 1000;
const WORDLIKE = /[\p{L}\d]/u;
/** Words in a formula, as they are written there. */
const COMMANDS = /\\(?:text\w*|mathrm|mathit|mathbf|operatorname)\s*\{[^{}]*\}|\\[a-z]+/gi;
const SENTENCE = /\p{L}{2,}\s+\p{L}{2,}/u;
const LONG_WORD = /\p{L}{4,}/u;
/** What is hardly ever written outside of formulas: commands, powers, indices of one letter. */
const STRONG = /\\[a-z]|\^|_\{|(?<!\p{L}{2})_\w/iu;
const OPERATOR = /[=<>+*/|!-]|\d\p{L}|\p{L}\(/u;
const LOOSE_END = /^[=+*/|]|[=+*/|<-]$/;
/** `x`, `AB`, `x, y`, `(0, 1)`, `42`. */
const SYMBOLS = /^[([]?(?:\p{L}['′]*|[A-Z]{2,3}|[a-z]{2}|-?\d+(?:\.\d+)?)(?:,\s?(?:\p{L}|-?\d+))*[)\]]?$/u;

export function isClearlyFormula(tex: string, { opening, before, after }: Surroundings): boolean {
  if (tex.length > LONGEST) return false;
  if (opening === '$' && (WORDLIKE.test(before) || /^\s|\s$/.test(tex) || /\d/.test(after))) return false;
  const text = tex.trim();
  const words = text.replace(COMMANDS, ' ');
  if (text === '' || text.startsWith('$') || after === '$' || SENTENCE.test(words)) return false;
  if (STRONG.test(text)) return true;
  if (LONG_WORD.test(words) || LOOSE_END.test(text) || WORDLIKE.test(after)) return false;
  return SYMBOLS.test(text) || (OPERATOR.test(text) && /[\p{L}=]/u.test(text));
}
