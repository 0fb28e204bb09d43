/** Which parts of long texts a question is about, by Okapi BM25 (Robertson and Zaragoza 2009): words that are rare in them weigh most. */
import type { Section } from '../data/document-records';

/** The usual constants: how soon repetition stops counting, and how much length counts against a part. */
const K1 = 1.2;
const B = 0.75;
/** Endings that are taken off, so that "rivers" finds "river". */
const ENDING = /(?:ing|edly|ed|ies|es|s|ly)$/;
const SHORTEST_STEM = 3;

/** Parts whose words are counted before the page may do something else. */
const COUNTED_AT_ONCE = 32;

/** What is looked for: texts whose words count as much as their weight says. */
export type Sought = readonly { text: string; weight: number }[];

/** The best parts within `most` tokens, in the order of the text. */
export async function passagesFor(question: string, text: string, parts: readonly Section[], most: number): Promise<Section[]> {
  const scores = await scoresOf([{ text: question, weight: 1 }], parts.map(({ start, end }) => text.slice(start, end)));
  return bestWithin(parts, scores, most);
}

/** Those with the highest scores that fit `most` tokens together, in the order in which they came. */
export function bestWithin<Part extends { tokens: number }>(parts: readonly Part[], scores: readonly number[], most: number): Part[] {
  // The earlier one first where two are as good.
  const ranked = parts.map((part, index) => ({ part, index })).sort((a, b) => (scores[b.index] ?? 0) - (scores[a.index] ?? 0) || a.index - b.index);
  let room = most;
  const taken = ranked.filter(({ part }) => {
    if (part.tokens > room) return false;
    room -= part.tokens;
    return true;
  });
  return taken.sort((a, b) => a.index - b.index).map(({ part }) => part);
}

/** How well each text fits what is sought: 0 where it has none of its words. Many texts take seconds, in which the page goes on. */
export async function scoresOf(sought: Sought, texts: readonly string[]): Promise<number[]> {
  const bags: Map<string, number>[] = [];
  for (const text of texts) {
    if (bags.length % COUNTED_AT_ONCE === COUNTED_AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve));
    bags.push(counted(words(text)));
  }
  const lengths = bags.map((bag) => [...bag.values()].reduce((sum, count) => sum + count, 0));
  const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, texts.length);
  const weights = new Map<string, number>();
  for (const { text, weight } of sought) for (const word of words(text)) weights.set(word, Math.max(weight, weights.get(word) ?? 0));
  const weighed = [...weights].map(([word, weight]) => {
    const holding = bags.filter((bag) => bag.has(word)).length;
    return { word, weight: weight * Math.log(1 + (texts.length - holding + 0.5) / (holding + 0.5)) };
  });
  return bags.map((bag, index) => weighed.reduce((sum, { word, weight }) => {
    const count = bag.get(word) ?? 0;
    return sum + (weight * count * (K1 + 1)) / (count + K1 * (1 - B + (B * (lengths[index] ?? 0)) / average));
  }, 0));
}

/** Of scripts without spaces, two characters that stand together count as a word: where words end, only a dictionary knows. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/u;
const PIECES = new RegExp(`${UNSPACED.source}|(?:(?!${UNSPACED.source})[\\p{L}\\p{N}])+`, 'gu');

/** In lower case, without their endings. */
export function words(text: string): string[] {
  return (text.toLowerCase().match(PIECES) ?? []).flatMap((word) => {
    if (UNSPACED.test(word)) return pairs(word);
    const stem = word.replace(ENDING, '');
    return stem.length >= SHORTEST_STEM ? stem : word;
  });
}

function pairs(run: string): string[] {
  const characters = [...run];
  return characters.length === 1 ? characters : characters.slice(1).map((each, index) => `${characters[index]}${each}`);
}

function counted(all: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
