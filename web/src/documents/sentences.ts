/** Which sentences an answer most likely goes back to: those that have most of its rare words. The model itself cannot be asked. */
import { scoresOf, words } from './passages';

/** Where a sentence stands: in which of the texts, and from where to where. */
export interface Sentence {
  text: number;
  start: number;
  end: number;
}

const MOST_SENTENCES = 3;
/** The words of the question are no proof, but they tell sentences apart that an answer's few words do not. */
const QUESTION_WEIGHT = 0.4;
/** What is much worse than the best one would only distract from it. */
const LEAST_OF_BEST = 0.6;
/** A longer one is no sentence, but a table or a text without points. */
const MOST_CHARACTERS = 400;
const SHORTEST_WORD = 4;

/** The best first. One that shares no word of any weight with the answer is none. */
export async function bestSentences(question: string, answer: string, texts: readonly string[]): Promise<Sentence[]> {
  const sentences = texts.flatMap((text, index) => sentencesOf(text).map(({ start, end }) => ({ text: index, start, end })));
  const said = sentences.map(({ text, start, end }) => texts[text]?.slice(start, end) ?? '');
  const scores = await scoresOf([{ text: question, weight: QUESTION_WEIGHT }, { text: answer, weight: 1 }], said);
  const telling = new Set(words(answer).filter(tells));
  const ranked = sentences
    .map((sentence, index) => ({ sentence, score: scores[index] ?? 0, shares: words(said[index] ?? '').some((word) => telling.has(word)) }))
    .filter(({ score, shares }) => score > 0 && shares)
    .sort((a, b) => b.score - a.score);
  const least = (ranked[0]?.score ?? 0) * LEAST_OF_BEST;
  return ranked.filter(({ score }) => score >= least).slice(0, MOST_SENTENCES).map(({ sentence }) => sentence);
}

/** Without the spaces around them. */
export function sentencesOf(text: string): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  for (const { index, 0: piece } of text.matchAll(/[\s\S]+?(?:[.!?]["”’)\]]*(?=\s|$)|[。！？]["”’）」』]*|\n\s*\n|$)/g)) {
    for (let from = 0; from < piece.length; from += MOST_CHARACTERS) {
      const part = piece.slice(from, from + MOST_CHARACTERS);
      const start = index + from + (part.length - part.trimStart().length);
      const end = index + from + part.trimEnd().length;
      if (end > start) found.push({ start, end });
    }
  }
  return found;
}

/** Numbers, and words that are not among the shortest; of scripts without spaces all. */
function tells(word: string): boolean {
  return word.length >= SHORTEST_WORD || /\p{N}|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(word);
}
