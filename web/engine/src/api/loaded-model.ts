/// <reference lib="esnext.disposable" preserve="true" />
/** A model that is open in a worker of its own. */
import { failure, type MambaError } from '../base/failure.ts';
import type { ChatMessage, GenerateOptions, ModelInfo, Prompt, Score } from '../base/wasm-engine.ts';
import type { ModelClient } from '../client/client.ts';
import type { AnswerEvent, AnswerOptions, BatchEvent, DeviceOptions, FormedOptions, OpenModel } from '../protocol/protocol.ts';
import { checkArgument, number, text } from './checks.ts';
import { ModelState } from './model-state.ts';
import { eventsOf } from './events.ts';
import { ChatCompletions } from './openai/chat-completions.ts';
import type { Answering } from './openai/choices.ts';
import { Completions } from './openai/completions.ts';
import {
  checkedAnswer, checkedCall, checkedCount, checkedPrompt, type AnswerSettings, type CallOptions, type CountOptions, type EmbedSettings, type ScoreSettings,
  type TemplateSettings,
} from './options.ts';
import { ModelStates, type Turn } from './states.ts';
import { ModelTexts } from './texts.ts';

/** What a model needs to be opened again, and what becomes of it at its end. */
export interface Held {
  client: ModelClient;
  open: OpenModel;
  device: DeviceOptions;
  /** Whether its copy in this browser ends with it. */
  isTemporary: boolean;
}

const dutyCycleKind = number('a number above 0, up to 1', (value) => value > 0 && value <= 1);

/** The most sequences that are decoded at once: each takes the memory of a state. */
const MOST_SEQUENCES = 8;

/** A model that is open in a worker of its own. */
export class LoadedModel implements AsyncDisposable {
  /** OpenAI's interface for conversations. */
  readonly chat: { readonly completions: ChatCompletions };
  /** OpenAI's interface for texts that are continued. */
  readonly completions: Completions;
  /** What it remembers, as values. */
  readonly state: ModelStates;
  readonly #held: Held;
  readonly #texts: ModelTexts;
  /** The engine broke: the next call opens the model again, in the worker that takes its place. */
  #broken: MambaError | undefined;
  /** The engine broke, and what the model had read went with it. */
  #isStateLost = false;
  /** What the texts of this model begin from, since it was taken to a state last: the name of a tuned state, or zeros. */
  #beginning: string | undefined;
  #closed: Promise<void> | undefined;
  /** Calls take turns: each begins when those before it have ended, however they did. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(held: Held) {
    this.#held = held;
    held.client.onCrash((fault) => (this.#broken = fault));
    const answering: Answering = { name: () => this.name, calling: () => this.info, answers: (prompts, options, signal) => this.#answers(prompts, options, signal) };
    this.chat = { completions: new ChatCompletions(answering) };
    this.completions = new Completions(answering);
    this.state = new ModelStates((call, signal) => this.#value((stop) => call(this.#turnOf(stop)), signal));
    this.#texts = new ModelTexts(held.client, (call, signal) => this.#value((stop) => call(stop, this.#beginning === undefined ? {} : { beginning: this.#beginning }), signal));
  }

  /** Its key in the store, which `WebMamba.load` takes as a source. */
  get id(): string {
    return this.#held.open.url;
  }

  get name(): string {
    return this.#held.open.name;
  }

  /** What the engine says of it: sizes, backend and why it was selected. */
  get info(): ModelInfo {
    return this.#held.open.info;
  }

  /**
   * Reads a prompt, and gives the events of its completion: `known`, `prefill`, `token`, `end`, and `rebuild` and `rebuilt` where the device was
   * lost. A text is continued, and a conversation is answered. It begins with the first event that is asked for, after the calls before it.
   */
  generate(prompt: Prompt, options?: AnswerSettings | null): AsyncGenerator<AnswerEvent, void, undefined> {
    const asked = checkedPrompt(prompt);
    const { signal, state, ...given } = checkedAnswer(options);
    return this.#inTurn<AnswerEvent>(async (push, stop) => {
      const from = state ? { state: ModelState.fileOf(state) } : {};
      if (state) this.#beginning = state.beginning;
      await this.#turnOf(stop).generate(asked, { ...given, ...from }, push);
    }, signal);
  }

  /** The tokens of a text. Texts of the vocabulary's control tokens become these. */
  async tokenize(given: string, options?: CallOptions | null): Promise<Uint32Array> {
    checkArgument('text', given, text);
    const { signal } = checkedCall(options);
    return this.#value(() => this.#held.client.tokenize(given), signal);
  }

  /** How many tokens a prompt is read as: a conversation with its chat template, as `generate` reads it. */
  async countTokens(prompt: Prompt, options?: CountOptions | null): Promise<number> {
    const asked = checkedPrompt(prompt);
    const { signal, ...given } = checkedCount(options);
    return (await this.#value(() => this.#held.client.promptTokens(asked, given), signal)).length;
  }

  /** The text of tokens; bytes that are no UTF-8 become U+FFFD. Control tokens have the text that `tokenize` knows them by. */
  detokenize(tokens: Uint32Array | readonly number[], options?: CallOptions | null): Promise<string> {
    return this.#texts.detokenize(tokens, options);
  }

  /** The chat template: that of `WebMamba.load`, or of the model's file, or the name of its format; undefined where there is none. */
  chatTemplate(options?: CallOptions | null): Promise<string | undefined> {
    return this.#texts.chatTemplate(options);
  }

  /** A conversation as the text that `generate` reads: with the answer's turn opened, unless `addGenerationPrompt` is false. */
  applyChatTemplate(messages: readonly ChatMessage[], options?: TemplateSettings | null): Promise<string> {
    return this.#texts.applyChatTemplate(messages, options);
  }

  /**
   * How likely a continuation is after a prompt, as a whole and token by token, in natural logarithms. The continuation is tokenised by
   * itself, as the model would write it.
   */
  score(prompt: Prompt, continuation: string | Uint32Array, options?: ScoreSettings | null): Promise<Score> {
    return this.#texts.score(prompt, continuation, options);
  }

  /** The perplexity of a text, read once from its first token, which is not counted: one state goes through all of it. */
  perplexity(given: string, options?: CallOptions | null): Promise<number> {
    return this.#texts.perplexity(given, options);
  }

  /** A text, or several, as vectors of `info.dModel` numbers: its hidden states pooled, and divided by their length unless `normalize` is false. */
  embed(texts: string, options?: EmbedSettings | null): Promise<Float32Array>;
  embed(texts: readonly string[], options?: EmbedSettings | null): Promise<Float32Array[]>;
  embed(texts: string | readonly string[], options?: EmbedSettings | null): Promise<Float32Array | Float32Array[]> {
    return this.#texts.embed(texts, options);
  }

  /**
   * Which share of the time answers take of the machine, from above 0 to 1 (the default): after each step the engine rests, so that
   * 0.5 leaves half of the time to others, at half the speed. It holds at once, and until it is set again; of a shared model for all tabs,
   * until another one holds it.
   */
  async setDutyCycle(share: number): Promise<void> {
    checkArgument('share', share, dutyCycleKind);
    if (this.#closed) throw failure('freed');
    await this.#held.client.setDutyCycle(share);
  }

  /** Ends its calls and its worker. Calls after it fail with `freed`; a second `close` does nothing. */
  close(): Promise<void> {
    return (this.#closed ??= this.#end());
  }

  /** As `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The events of several completions. One alone goes on in another worker where its own breaks, which a batch does not. */
  #answers(prompts: Prompt[], options: GenerateOptions & FormedOptions, signal?: AbortSignal): AsyncGenerator<BatchEvent, void, undefined> {
    return this.#inTurn<BatchEvent>((push, stop) => {
      const [prompt] = prompts;
      if (prompt !== undefined && prompts.length === 1) return this.#turnOf(stop).generate(prompt, options, (event) => push(numbered(event)));
      this.#beginning = undefined;
      return this.#held.client.generateBatch(prompts, { ...options, sequences: Math.min(prompts.length, MOST_SEQUENCES) }, this.#heard(push), stop);
    }, signal);
  }

  /** What a call gives that gives one thing. */
  async #value<Value>(call: (stop: AbortSignal) => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    const results = this.#inTurn<{ value: Value }>(async (push, stop) => push({ value: await call(stop) }), signal);
    for await (const { value } of results) return value;
    throw failure('cancelled');
  }

  /** The model in the turn of a call. What it had read is gone on from only where it is there. */
  #turnOf(stop: AbortSignal): Turn {
    const { client } = this.#held;
    /** After a call that has read something, and did not fail, there is a state again. */
    const reading = async <Value>({ resume, state }: AnswerOptions, call: () => Promise<Value>) => {
      if (resume && !state && this.#isStateLost) throw failure('state-unknown');
      if (!resume && !state) this.#beginning = undefined;
      const value = await call();
      this.#isStateLost = false;
      return value;
    };
    return {
      client,
      generate: (prompt, options, push) => reading(options, () => client.generate(prompt, options, this.#heard(push), stop)),
      read: (prompt, options, push) => reading(options, () => {
        stop.addEventListener('abort', () => void client.stop().catch(() => undefined));
        return client.read(prompt, options, this.#heard(push));
      }),
      takeState: () => reading({ resume: true }, () => client.takeState()),
      restoreState: async (file, beginning) => {
        await reading({ state: file }, () => client.restoreState(file));
        this.#beginning = beginning;
      },
    };
  }

  /** Takes events on the way to their caller: of an engine that was replaced, the model as it is open now. */
  #heard<Event extends AnswerEvent | BatchEvent>(push: (event: Event) => void): (event: Event) => void {
    return (event) => {
      if (event.type === 'rebuilt' && event.model) this.#held.open = event.model;
      push(event);
    };
  }

  /** What a call gives, after the calls before it, with the model open. */
  #inTurn<Given>(call: (push: (given: Given) => void, stop: AbortSignal) => Promise<void>, signal?: AbortSignal): AsyncGenerator<Given, void, undefined> {
    return eventsOf<Given>((push, stop) => this.#queue(async () => {
      if (stop.aborted) return;
      await this.#reopen(stop);
      await call(push, stop);
    }), signal);
  }

  async #end(): Promise<void> {
    const { client, open, isTemporary } = this.#held;
    try {
      if (isTemporary) await client.remove(open.url);
    } finally {
      client.close();
    }
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const begun = this.#turn.then(() => {
      if (this.#closed) throw failure('freed');
      return work();
    });
    this.#turn = begun.catch(() => undefined);
    return begun;
  }

  async #reopen(signal: AbortSignal): Promise<void> {
    if (!this.#broken) return;
    const { client, open, device } = this.#held;
    this.#held.open = await client.open({ kind: 'stored', url: open.url }, device, () => undefined, signal);
    this.#broken = undefined;
    this.#isStateLost = true;
  }
}

/** The event of an answer that is the only one, as one of a batch. */
function numbered(event: AnswerEvent): BatchEvent {
  return event.type === 'rebuild' || event.type === 'rebuilt' ? event : { ...event, index: 0 };
}
