/** Which parts of a long text a question is about, by Okapi BM25 (Robertson and Zaragoza 2009): words that are rare in the text weigh most. */
import type { Section } from '../data/document-records';

/** The usual constants: how soon repetition stops counting, and how much length counts against a part. */
const K1 = 1.2;
const B = 0.75;
/** Endings that are taken off, so that "rivers" finds "river". */
const ENDING = /(?:ing|edly|ed|ies|es|s|ly)$/;
const SHORTEST_STEM = 3;

/** Parts whose words are counted before the page may do something else. */
const COUNTED_AT_ONCE = 32;

/** The best parts within `most` tokens, in the order of the text. A long text takes seconds, in which the page goes on. */
export async function passagesFor(question: string, text: string, parts: readonly Section[], most: number): Promise<Section[]> {
  const bags: Map<string, number>[] = [];
  for (const { start, end } of parts) {
    if (bags.length % COUNTED_AT_ONCE === COUNTED_AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve));
    bags.push(counted(words(text.slice(start, end))));
  }
  const lengths = bags.map((bag) => [...bag.values()].reduce((sum, count) => sum + count, 0));
  const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, parts.length);
  const sought = [...new Set(words(question))].map((word) => {
    const holding = bags.filter((bag) => bag.has(word)).length;
    return { word, weight: Math.log(1 + (parts.length - holding + 0.5) / (holding + 0.5)) };
  });
  const ranked = parts
    .map((part, index) => {
      const score = sought.reduce((sum, { word, weight }) => {
        const count = bags[index]?.get(word) ?? 0;
        return sum + (weight * count * (K1 + 1)) / (count + K1 * (1 - B + (B * (lengths[index] ?? 0)) / average));
      }, 0);
      return { part, score };
    })
    .sort((a, b) => b.score - a.score || a.part.start - b.part.start);
  let room = most;
  const taken = ranked.filter(({ part }) => {
    if (part.tokens > room) return false;
    room -= part.tokens;
    return true;
  });
  return taken.map(({ part }) => part).sort((a, b) => a.start - b.start);
}

function words(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map((word) => {
    const stem = word.replace(ENDING, '');
    return stem.length >= SHORTEST_STEM ? stem : word;
  });
}

function counted(all: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
