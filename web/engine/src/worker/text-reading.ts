/** The session's calls that read a text for what it is: how likely, and as a vector. They leave states as they were, and `stop` ends them. */
import { failure } from '../base/failure.ts';
import type { EmbedOptions, EngineModel, Prompt, Score, ScoreOptions } from '../base/wasm-engine.ts';
import { tokensOf } from './prompt-tokens.ts';

export class TextReading {
  /** Of the call that runs. */
  #running: AbortController | undefined;

  /** `model` gives the open model where it is free. */
  constructor(private readonly model: () => EngineModel) {}

  stop(): void {
    this.#running?.abort(failure('cancelled'));
  }

  score(prompt: Prompt, continuation: string | Uint32Array, options: Pick<ScoreOptions, 'thinking'>): Promise<Score> {
    return this.#run((model, signal) => model.score(tokensOf(model, prompt, options), continuation, { signal }));
  }

  perplexity(text: string): Promise<number> {
    return this.#run((model, signal) => model.perplexity(text, { signal }));
  }

  embed(texts: string[], options: Omit<EmbedOptions, 'signal'>): Promise<Float32Array[]> {
    return this.#run((model, signal) => model.embed(texts, { ...options, signal }));
  }

  async #run<T>(call: (model: EngineModel, signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#running) throw failure('busy');
    const control = (this.#running = new AbortController());
    try {
      return await call(this.model(), control.signal);
    } finally {
      this.#running = undefined;
    }
  }
}
