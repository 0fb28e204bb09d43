/** Documents as a chat is answered from them: which parts are read for a question, and which sentences an answer goes back to. */
import type { PartRead, Source } from '../data/conversation-record';
import type { DocumentText } from '../data/document-records';
import type { CountedText } from './counted-text';
import { PASSAGE_TOKENS } from './counted-text';
import { bestWithin, scoresOf } from './passages';
import { attachedPrompt, type DocumentPart } from './prompts';
import { placeOf } from './sections';
import { bestSentences } from './sentences';

/** What is longer is read in passages: a first word should not be minutes away, and a small model finds more in less. */
const MOST_WHOLE_TOKENS = 3000;
const MOST_PASSAGE_TOKENS = 1800;
/** In a chat that has gone on past what its model was trained on, a question still gets so much. */
const LEAST_PASSAGE_TOKENS = 2 * PASSAGE_TOKENS;
/** A follow-up such as "And who built it?" has few words of its own. */
const EARLIER_WEIGHT = 0.5;
/** Documents whose counts are remembered. */
const MOST_COUNTED = 16;

export interface ReadingsParts {
  /** Undefined where it is deleted. */
  text(id: string): Promise<DocumentText | undefined>;
  name(id: string): string;
  count(text: string): Promise<CountedText>;
  /** Key of the open model. */
  model(): string;
}

export class DocumentReadings {
  readonly #counted = new Map<string, Promise<CountedText>>();

  constructor(private readonly parts: ReadingsParts) {}

  async choose(question: string, before: string, documents: readonly string[], room: number): Promise<PartRead[]> {
    const known = (await Promise.all(documents.map(async (documentId) => {
      const there = await this.parts.text(documentId);
      return there ? [{ documentId, text: there.text, counted: await this.#count(documentId, there.text) }] : [];
    }))).flat();
    const total = known.reduce((sum, { counted }) => sum + counted.total, 0);
    if (total <= Math.min(room, MOST_WHOLE_TOKENS)) return known.map(({ documentId, text }) => ({ documentId, start: 0, end: text.length, whole: true }));
    const passages = known.flatMap(({ documentId, text, counted }) => counted.parts().map(({ start, end, tokens }) => ({ documentId, start, end, tokens, text: text.slice(start, end) })));
    const scores = await scoresOf([{ text: question, weight: 1 }, { text: before, weight: EARLIER_WEIGHT }], passages.map(({ text }) => text));
    const most = Math.max(LEAST_PASSAGE_TOKENS, Math.min(room, MOST_PASSAGE_TOKENS));
    return bestWithin(passages, scores, most).map(({ documentId, start, end }) => ({ documentId, start, end }));
  }

  async prompt(question: string, parts: readonly PartRead[]): Promise<{ text: string; shared: string }> {
    return attachedPrompt(await this.#texts(parts), question);
  }

  async sources(question: string, answer: string, parts: readonly PartRead[]): Promise<Source[]> {
    const found = await bestSentences(question, answer, (await this.#texts(parts)).map(({ text }) => text));
    const there = await this.#present(parts);
    return found.flatMap(({ text: index, start, end }) => {
      const part = there[index];
      if (!part) return [];
      const { documentId, whole: { text, places } } = part;
      const at = { start: part.start + start, end: part.start + end };
      return [{ documentId, name: this.parts.name(documentId), ...at, quote: text.slice(at.start, at.end), place: placeOf(places, at) }];
    });
  }

  async #texts(parts: readonly PartRead[]): Promise<DocumentPart[]> {
    return (await this.#present(parts)).map(({ documentId, start, end, whole: { text } }) => ({ documentId, name: this.parts.name(documentId), text: text.slice(start, end) }));
  }

  /** Those whose document is there. */
  async #present(parts: readonly PartRead[]): Promise<{ documentId: string; start: number; end: number; whole: DocumentText }[]> {
    const texts = new Map<string, DocumentText | undefined>();
    for (const { documentId } of parts) if (!texts.has(documentId)) texts.set(documentId, await this.parts.text(documentId));
    return parts.flatMap(({ documentId, start, end }) => {
      const whole = texts.get(documentId);
      return whole ? [{ documentId, start, end, whole }] : [];
    });
  }

  #count(id: string, text: string): Promise<CountedText> {
    const key = `${this.parts.model()} ${id}`;
    const known = this.#counted.get(key);
    if (known) return known;
    const counted = this.parts.count(text);
    this.#counted.set(key, counted);
    counted.catch(() => this.#counted.delete(key));
    const [oldest] = this.#counted.keys();
    if (this.#counted.size > MOST_COUNTED && oldest !== undefined) this.#counted.delete(oldest);
    return counted;
  }
}
