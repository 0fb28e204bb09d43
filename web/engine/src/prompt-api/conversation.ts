/** The messages of a session: what was there first stays, and turns are dropped from the oldest on where the context window is full. */
import type { ChatMessage } from '../base/wasm-engine.ts';

export class Conversation {
  readonly #kept: ChatMessage[];
  #turns: ChatMessage[][];

  constructor(kept: readonly ChatMessage[] = [], turns: readonly ChatMessage[][] = []) {
    [this.#kept, this.#turns] = [[...kept], [...turns]];
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0 && this.#turns.length === 0;
  }

  get turns(): number {
    return this.#turns.length;
  }

  /** All messages, without so many of the oldest turns. */
  after(dropped = 0): ChatMessage[] {
    return [...this.#kept, ...this.#turns.slice(dropped).flat()];
  }

  drop(turns: number): void {
    this.#turns = this.#turns.slice(turns);
  }

  /** Messages that stay for good. */
  keep(messages: readonly ChatMessage[]): void {
    this.#kept.push(...messages);
  }

  /** A system message, which only ever comes first, stays for good. */
  add(messages: readonly ChatMessage[]): void {
    const [first] = messages;
    const kept = this.isEmpty && first?.role === 'system' ? 1 : 0;
    this.#kept.push(...messages.slice(0, kept));
    if (messages.length > kept) this.#turns.push(messages.slice(kept));
  }

  /** Its messages are shared, so that it takes no time. */
  fork(): Conversation {
    return new Conversation(this.#kept, this.#turns);
  }
}
