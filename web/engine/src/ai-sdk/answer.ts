/** An answer as it grows: what the engine's events come to as blocks of thoughts and text, and its end. */
import type { AnswerEvent } from '../protocol/protocol.ts';
import { UsageCount } from '../api/openai/choices.ts';
import type { ReaderOptions } from '../api/openai/call-reader.ts';
import { Replies, type Reply } from '../api/openai/reply.ts';
import type { Finish, ToolCallPart, Usage } from './types.ts';

/** More of a block; a call that begins, more of its input, or, at its end, all of it. */
export type Piece =
  | { block: 'reasoning' | 'text'; text: string }
  | { block: 'call'; id: string; toolName: string }
  | { block: 'input'; id: string; text: string }
  | { block: 'called'; call: ToolCallPart };

export class Answer {
  readonly #replies: Replies;
  readonly #calls: ToolCallPart[] = [];
  readonly #usage = new UsageCount(1);
  #thought = false;
  #answered = false;
  /** Tokens before the first of the text. */
  #before = 0;
  #end: Extract<AnswerEvent, { type: 'end' }> | undefined;

  /** `calls` are read where there are tools. */
  constructor(calls?: ReaderOptions) {
    this.#replies = new Replies(calls);
  }

  take(event: AnswerEvent): Piece[] {
    if (event.type === 'known') this.#usage.known(0, event.tokens);
    if (event.type !== 'token' && event.type !== 'end') return [];
    const replies = this.#replies.take(event.text, event.type === 'end');
    const pieces = replies.flatMap(({ thoughts, answer, calls }): Piece[] => [
      ...(thoughts === '' ? [] : [{ block: 'reasoning' as const, text: thoughts }]),
      ...(answer === '' ? [] : [{ block: 'text' as const, text: answer }]),
      ...calls.flatMap((piece) => this.#called(piece)),
    ]);
    this.#thought ||= replies.some(({ thoughts }) => thoughts !== '');
    this.#answered ||= replies.some(({ written }) => written !== '');
    if (event.type === 'token' && !this.#answered) this.#before += 1;
    if (event.type === 'end') {
      this.#end = event;
      this.#usage.end(0, event);
    }
    return pieces;
  }

  /** Where it has ended. */
  get finish(): Finish | undefined {
    return this.#end && { unified: this.#end.stop === 'length' ? 'length' : this.#replies.hasCalls ? 'tool-calls' : 'stop', raw: this.#end.stop };
  }

  #called(piece: Reply['calls'][number]): Piece[] {
    if (piece.kind === 'call') {
      const { id, name } = piece;
      this.#calls.push({ type: 'tool-call', toolCallId: id, toolName: name, input: '' });
      return [{ block: 'call', id, toolName: name }];
    }
    const call = this.#calls[piece.index];
    if (!call) return [];
    if (piece.kind === 'end') return [{ block: 'called', call }];
    call.input += piece.text;
    return [{ block: 'input', id: call.toolCallId, text: piece.text }];
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
