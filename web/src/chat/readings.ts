/** What a chat needs of the documents that are attached to it, of which it knows no more than their ids. */
import type { PartRead, Source } from '../data/conversation-record';

export interface Readings {
  /** Settles when what is on its way into this chat has come, or has failed. */
  arrived(chat: string): Promise<void>;
  /**
   * What to read of these documents for a question: all of them where that is short enough for `room` tokens, else the passages that it
   * is about, and so what was asked `before` it. Nothing of documents that are deleted.
   */
  choose(question: string, before: string, documents: readonly string[], room: number): Promise<PartRead[]>;
  /** The question after the parts that are read for it, as the model is asked. `shared`: what other questions about them begin with too. */
  prompt(question: string, parts: readonly PartRead[]): Promise<{ text: string; shared: string }>;
  /** The sentences of these parts that an answer most likely goes back to, the best first; none where no sentence has its words. */
  sources(question: string, answer: string, parts: readonly PartRead[]): Promise<Source[]>;
}
