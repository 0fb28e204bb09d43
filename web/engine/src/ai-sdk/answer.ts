/** An answer as it grows: what the engine's events come to as blocks of thoughts and text, and its end. */
import type { AnswerEvent } from '../protocol/protocol.ts';
import { UsageCount } from '../api/openai/choices.ts';
import { Speech } from '../api/openai/speech.ts';
import type { Finish, Usage } from './types.ts';

export interface Piece {
  block: 'reasoning' | 'text';
  text: string;
}

export class Answer {
  readonly #speech = new Speech();
  readonly #usage = new UsageCount(1);
  #thought = false;
  #answered = false;
  /** Tokens before the first of the text. */
  #before = 0;
  #end: Extract<AnswerEvent, { type: 'end' }> | undefined;

  take(event: AnswerEvent): Piece[] {
    if (event.type === 'known') this.#usage.known(0, event.tokens);
    if (event.type !== 'token' && event.type !== 'end') return [];
    const said = [this.#speech.take(event.text), ...(event.type === 'end' ? [this.#speech.end()] : [])];
    const pieces = said.flatMap(({ thoughts, answer }): Piece[] => [{ block: 'reasoning', text: thoughts }, { block: 'text', text: answer }]).filter(({ text }) => text !== '');
    this.#thought ||= pieces.some(({ block }) => block === 'reasoning');
    this.#answered ||= pieces.some(({ block }) => block === 'text');
    if (event.type === 'token' && !this.#answered) this.#before += 1;
    if (event.type === 'end') {
      this.#end = event;
      this.#usage.end(0, event);
    }
    return pieces;
  }

  /** Where it has ended. */
  get finish(): Finish | undefined {
    return this.#end && { unified: this.#end.stop === 'length' ? 'length' : 'stop', raw: this.#end.stop };
  }

  get usage(): Usage {
    if (!this.#end) return NO_USAGE;
    const { prompt_tokens: total, completion_tokens: written, prompt_tokens_details: { cached_tokens: cached } } = this.#usage.total();
    const reasoning = this.#thought ? this.#before : 0;
    return {
      inputTokens: { total, noCache: total - cached, cacheRead: cached, cacheWrite: undefined },
      outputTokens: { total: written, text: written - reasoning, reasoning },
    };
  }
}

const NO_USAGE: Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};
