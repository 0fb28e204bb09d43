/**
 * An answer that goes on in another worker, where nothing is left of the one that wrote its beginning: what was written becomes a part
 * of what is read. Tokens that are chosen greedily are the same as without a break; others are drawn anew from there on.
 */
import { GENERATE_DEFAULTS } from '../protocol/defaults.ts';
import type { AnswerEvent, AnswerOptions } from '../protocol/protocol.ts';

export class ResumedAnswer {
  /** Tokens that were given out. */
  readonly #ids: number[] = [];
  /** So many of them, at the end, without text: it was incomplete, or might have begun a stop text. */
  #mute = 0;
  /** So many of them the engine has as a part of its prompt. */
  #read = 0;
  /** Tokens without text that were given out already, and are written again. */
  #again = 0;

  constructor(private readonly options: AnswerOptions) {}

  /** What to ask an engine for that knows nothing of the answer so far. */
  resume(): AnswerOptions {
    // The half of a character is in no text: its tokens are written again.
    this.#read = this.#ids.length - this.#mute;
    this.#again = this.#mute;
    this.#ids.length = this.#read;
    this.#mute = 0;
    if (this.#read === 0) return this.options;
    // Where a shared text ends was found by the first engine, in a prompt that was text.
    const { maxTokens = GENERATE_DEFAULTS.maxTokens, seed, keepAfter: _, ...others } = this.options;
    const rest = { written: Uint32Array.from(this.#ids), maxTokens: Math.max(0, maxTokens - this.#read) };
    return { ...others, ...rest, ...(seed === undefined ? {} : { seed: seed + this.#read }) };
  }

  /** An event as of one answer without a break; nothing for a token that was given out before. */
  take(event: AnswerEvent): AnswerEvent | undefined {
    const read = this.#read;
    switch (event.type) {
      case 'token':
        return this.#token(event.id, event.text) ? event : undefined;
      case 'prefill':
        return { ...event, done: Math.max(0, event.done - read), total: event.total - read };
      case 'end':
        return { ...event, promptTokens: event.promptTokens - read, tokens: event.tokens + read };
      default:
        return event;
    }
  }

  #token(id: number, text: string): boolean {
    this.#ids.push(id);
    this.#mute = text === '' ? this.#mute + 1 : 0;
    if (this.#again === 0) return true;
    this.#again -= 1;
    return text !== '';
  }
}
