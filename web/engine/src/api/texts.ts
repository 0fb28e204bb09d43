/** What a model does with texts beside answering: tokens, templates, scores and vectors. */
import type { Prompt, Score } from '../base/wasm-engine.ts';
import type { ModelClient } from '../client/client.ts';
import type { BeginningOptions } from '../protocol/protocol.ts';
import { checkArgument, text } from './checks.ts';
import {
  checkedCall, checkedContinuation, checkedConversation, checkedEmbed, checkedPrompt, checkedScore, checkedTemplate, checkedTexts, checkedTokens,
} from './options.ts';

/** Makes a call in its turn, with the model open. `from` is what texts begin from then. */
type InTurn = <Result>(call: (stop: AbortSignal, from: BeginningOptions) => Promise<Result>, signal?: AbortSignal) => Promise<Result>;

export class ModelTexts {
  constructor(
    private readonly client: ModelClient,
    private readonly inTurn: InTurn,
  ) {}

  async detokenize(given: unknown, options: unknown): Promise<string> {
    const tokens = checkedTokens('tokens', given);
    const { signal } = checkedCall(options);
    return this.inTurn(() => this.client.detokenize(tokens), signal);
  }

  async chatTemplate(options: unknown): Promise<string | undefined> {
    const { signal } = checkedCall(options);
    return this.inTurn(() => this.client.chatTemplate(), signal);
  }

  async applyChatTemplate(given: unknown, options: unknown): Promise<string> {
    const messages = checkedConversation(given);
    const { signal, ...template } = checkedTemplate(options);
    return this.inTurn(() => this.client.applyChatTemplate(messages, template), signal);
  }

  async score(prompt: Prompt, given: unknown, options: unknown): Promise<Score> {
    const [asked, continuation] = [checkedPrompt(prompt), checkedContinuation(given)];
    const { signal, ...score } = checkedScore(options);
    return this.inTurn((stop, from) => this.client.reading('score', [asked, continuation, { ...score, ...from }], stop), signal);
  }

  async perplexity(given: string, options: unknown): Promise<number> {
    checkArgument('text', given, text);
    const { signal } = checkedCall(options);
    return this.inTurn((stop, from) => this.client.reading('perplexity', [given, from], stop), signal);
  }

  async embed(given: unknown, options: unknown): Promise<Float32Array | Float32Array[]> {
    const texts = checkedTexts(given);
    const { signal, ...embed } = checkedEmbed(options);
    const vectors = await this.inTurn((stop, from) => this.client.reading('embed', [texts, { ...embed, ...from }], stop), signal);
    const [only] = vectors;
    return typeof given === 'string' && only ? only : vectors;
  }
}
