/** What the engine's events come to in OpenAI's terms: pieces of choices, their ends, and what was used. */
import { failure } from '../../base/failure.ts';
import { newId } from '../../base/new-id.ts';
import type { GenerateOptions, Prompt, SampledLogprob } from '../../base/wasm-engine.ts';
import type { BatchEvent } from '../../protocol/protocol.ts';
import { WaitingTokens } from './logprobs.ts';
import type { CallingModel } from './tools.ts';
import type { CompletionUsage, FinishReason } from './types.ts';

/** The model, as these calls see it. */
export interface Answering {
  name(): string;
  /** How it calls tools. */
  calling(): CallingModel;
  /** The events of a completion of each prompt, by their indices. It begins with the first event that is asked for. */
  answers(prompts: Prompt[], options: GenerateOptions, signal?: AbortSignal): AsyncGenerator<BatchEvent, void, undefined>;
}

/** More of a choice's text, or its end. */
export interface Piece {
  index: number;
  text: string;
  /** What the text is made of, where log-probabilities were asked for. */
  tokens: SampledLogprob[];
  finish?: FinishReason;
}

/** What every result, and every chunk of one result, begins with. */
export function headOf(kind: 'chatcmpl' | 'cmpl', model: Answering): { id: string; created: number; model: string } {
  return { id: `${kind}-${newId()}`, created: Math.floor(Date.now() / 1000), model: model.name() };
}

/** Each prompt as often as it has choices: the engine reads it once. */
export function repeated(prompts: readonly Prompt[], n: number): Prompt[] {
  return prompts.flatMap((prompt) => Array.from({ length: n }, () => prompt));
}

/** The pieces of `count` choices, and into `usage` what they took. */
export async function* piecesOf(events: AsyncIterable<BatchEvent>, count: number, usage: UsageCount): AsyncGenerator<Piece, void, undefined> {
  let ended = 0;
  const waiting = Array.from({ length: count }, () => new WaitingTokens());
  for await (const event of events) {
    if (event.type === 'known') usage.known(event.index, event.tokens);
    if (event.type === 'token') {
      if (event.logprobs) waiting[event.index]?.add(event.logprobs);
      if (event.text !== '') yield { index: event.index, text: event.text, tokens: waiting[event.index]?.take() ?? [] };
    }
    if (event.type !== 'end') continue;
    if (event.stop === 'cancelled') break;
    ended += 1;
    usage.end(event.index, event);
    yield { index: event.index, text: event.text, tokens: waiting[event.index]?.takeEnd(event.text) ?? [], finish: event.stop === 'length' ? 'length' : 'stop' };
  }
  // Those who end an answer by a signal, or by leaving it, do not come here.
  if (ended < count) throw failure('cancelled');
}

interface Figures {
  promptTokens: number;
  prefilledTokens: number;
  tokens: number;
}

export class UsageCount {
  readonly #known = new Map<number, number>();
  readonly #ends = new Map<number, Figures>();

  /** Each prompt has `n` choices, one after the other. */
  constructor(private readonly n: number) {}

  known(index: number, tokens: number): void {
    this.#known.set(index, tokens);
  }

  end(index: number, { promptTokens, prefilledTokens, tokens }: Figures): void {
    this.#ends.set(index, { promptTokens, prefilledTokens, tokens });
  }

  total(): CompletionUsage {
    const tokens = [...this.#ends.values()].reduce((sum, end) => sum + end.tokens, 0);
    let [promptTokens, cached] = [0, 0];
    for (let first = 0; first < this.#ends.size; first += this.n) {
      const group = Array.from({ length: this.n }, (_, at) => first + at).flatMap((index) => {
        const end = this.#ends.get(index);
        return end ? [{ ...end, known: this.#known.get(index) ?? 0 }] : [];
      });
      const length = Math.max(...group.map((end) => end.promptTokens));
      // One of its choices read the prompt, and the others went on from there.
      const read = Math.max(...group.map((end) => end.prefilledTokens));
      const known = Math.max(...group.map((end) => end.known));
      promptTokens += length;
      cached += Math.min(length, Math.max(known, length - read));
    }
    return {
      prompt_tokens: promptTokens,
      completion_tokens: tokens,
      total_tokens: promptTokens + tokens,
      prompt_tokens_details: { cached_tokens: cached },
    };
  }
}
