/** `LanguageModel`: sessions with a model. A session is its messages; what the model has read of them is in its checkpoints, which a clone shares. */
import { failure } from '../base/failure.ts';
import type { ChatMessage } from '../base/wasm-engine.ts';
import { signal as signalKind, wrongArgument } from '../api/checks.ts';
import type { LoadedModel } from '../api/loaded-model.ts';
import { Speech } from '../api/openai/speech.ts';
import { constrained, constraintKinds, type ConstraintMembers } from './constraint.ts';
import { Conversation } from './conversation.ts';
import { createWish, PARAMS, type Sampling } from './create-options.ts';
import { Destruction, streamed, untilAborted } from './destruction.ts';
import { EventHandlers } from './event-handlers.ts';
import { creationException, exception, promptException, quotaExceeded, typeError } from './exceptions.ts';
import { membersOf } from './members.ts';
import { DownloadEvents } from './monitor.ts';
import { canonicalPrompt, type CanonicalPrompt } from './prompt-input.ts';
import type { Settings } from './settings.ts';
import type { ServedModel } from './served-model.ts';
import type {
  Availability, Ending, LanguageModel, LanguageModelCreateCoreOptions, LanguageModelCreateOptions, LanguageModelParams, LanguageModelPrompt,
  LanguageModelPromptOptions, LanguageModelStatic,
} from './types.ts';

/** What a session is made of; a constructor that is not given one was called from outside. */
class Parts {
  constructor(
    readonly model: LoadedModel,
    readonly settings: Settings,
    readonly sampling: Sampling,
    readonly destruction: Destruction,
    readonly conversation: Conversation = new Conversation(),
    readonly usage = 0,
  ) {}
}

/** Names what is no part of the interface. */
const BEGIN = Symbol('begin');

type PromptMembers = ConstraintMembers & { signal: AbortSignal };
type Push = (piece: string) => void;

class Session extends EventTarget {
  readonly #parts: Parts;
  readonly #handlers = new EventHandlers(this);
  #usage: number;
  /** Prompts and appended messages come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts?: unknown) {
    super();
    if (!(parts instanceof Parts)) throw typeError(wrongArgument('new', parts, 'a call of create()'));
    [this.#parts, this.#usage] = [parts, parts.usage];
  }

  get contextUsage(): number {
    return this.#usage;
  }

  get inputUsage(): number {
    return this.#usage;
  }

  get contextWindow(): number {
    return this.#parts.settings.contextWindow;
  }

  get inputQuota(): number {
    return this.contextWindow;
  }

  get topK(): number {
    return this.#parts.sampling.topK;
  }

  get temperature(): number {
    return this.#parts.sampling.temperature;
  }

  get oncontextoverflow() {
    return this.#handlers.of('contextoverflow');
  }

  set oncontextoverflow(handler: unknown) {
    this.#handlers.set('contextoverflow', handler);
  }

  get onquotaoverflow() {
    return this.#handlers.of('quotaoverflow');
  }

  set onquotaoverflow(handler: unknown) {
    this.#handlers.set('quotaoverflow', handler);
  }

  async prompt(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<string> {
    let answer = '';
    await this.#respond(input, promptMembers(options), (piece) => (answer += piece));
    return answer;
  }

  promptStreaming(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): ReadableStream<string> {
    const members = promptMembers(options);
    this.#parts.destruction.with(members.signal).throwIfAborted();
    return streamed((push, cancelled) => this.#respond(input, members, push, cancelled));
  }

  async append(input: LanguageModelPrompt, options?: Ending): Promise<undefined> {
    const { signal } = promptMembers(options);
    await this.#inTurn([signal], async (ends) => this.#read(canonicalPrompt(input, !this.#parts.conversation.isEmpty), ends));
    return undefined;
  }

  /** Reads the messages that a session begins with. */
  async [BEGIN](input: CanonicalPrompt): Promise<void> {
    await this.#inTurn([], async (ends) => this.#read(input, ends, true));
  }

  async measureContextUsage(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<number> {
    const { signal, ...constraint } = promptMembers(options);
    constrained(constraint);
    const { conversation, destruction } = this.#parts;
    const { messages } = canonicalPrompt(input, !conversation.isEmpty);
    return translated(this.#measure(conversation.after(), messages, destruction.with(signal)));
  }

  measureInputUsage(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<number> {
    return this.measureContextUsage(input, options);
  }

  async clone(options?: Ending): Promise<LanguageModel> {
    const { signal } = promptMembers(options);
    const { model, settings, sampling, destruction, conversation } = this.#parts;
    destruction.with(signal).throwIfAborted();
    const Own = this.constructor as new (parts: Parts) => Session;
    return new Own(new Parts(model, settings, sampling, new Destruction(), conversation.fork(), this.#usage)) as unknown as LanguageModel;
  }

  destroy(): undefined {
    return this.#parts.destruction.destroy();
  }

  async #respond(input: LanguageModelPrompt, { signal, ...constraint }: Partial<PromptMembers>, push: Push, cancelled?: AbortSignal): Promise<void> {
    await this.#inTurn([signal, cancelled], async (ends) => {
      const { conversation, model, sampling, settings } = this.#parts;
      const { messages, isPrefixed } = canonicalPrompt(input, !conversation.isEmpty);
      const held = constrained(constraint);
      const read = await this.#makeRoom(messages, ends);
      const last = messages.at(-1);
      const prefix = isPrefixed ? last?.content ?? '' : '';
      // An answer that follows another begins a turn of its own.
      const opening = last?.role === 'assistant' && !isPrefixed ? [{ role: 'assistant', content: '' }] : [];
      const maxTokens = Math.min(settings.maxTokens, Math.max(0, settings.contextWindow - read));
      const speech = new Speech();
      let answer = '';
      const asked = [...conversation.after(), ...messages, ...opening];
      for await (const event of model.generate(asked, { ...sampling, ...held, maxTokens, signal: ends })) {
        if (event.type !== 'token' && event.type !== 'end') continue;
        answer += event.text;
        // What goes on from a beginning is no thought, and has no empty lines to leave out.
        const pieces = isPrefixed ? [event.text] : [speech.take(event.text), ...(event.type === 'end' ? [speech.end()] : [])].map((said) => said.answer);
        for (const piece of pieces) if (piece !== '') push(piece);
        if (event.type !== 'end') continue;
        if (event.stop === 'cancelled') throw failure('cancelled');
        conversation.add([...(isPrefixed ? messages.slice(0, -1) : messages), { role: 'assistant', content: prefix + answer }]);
        this.#usage = event.promptTokens + event.tokens;
      }
    });
  }

  /** Reads messages ahead of a prompt, up to where the last of them ends. */
  async #read({ messages }: CanonicalPrompt, ends: AbortSignal, isFirst = false): Promise<void> {
    const { conversation, model } = this.#parts;
    await this.#makeRoom(messages, ends);
    const keepAfter = messages.at(-1)?.content || undefined;
    for await (const event of model.generate([...conversation.after(), ...messages], { maxTokens: 0, keepAfter, signal: ends })) {
      if (event.type !== 'end') continue;
      if (event.stop === 'cancelled') throw failure('cancelled');
      if (isFirst) conversation.keep(messages);
      else conversation.add(messages);
      this.#usage = event.promptTokens;
    }
  }

  /** Drops the oldest turns where messages would not fit with them, and gives the tokens that are read then; 0 where there is no limit. */
  async #makeRoom(messages: readonly ChatMessage[], ends: AbortSignal): Promise<number> {
    const { conversation, model, settings: { contextWindow } } = this.#parts;
    if (contextWindow === Infinity) return 0;
    for (let dropped = 0; dropped <= conversation.turns; dropped += 1) {
      const tokens = await model.countTokens([...conversation.after(dropped), ...messages], { signal: ends });
      if (tokens > contextWindow) continue;
      if (dropped === 0) return tokens;
      conversation.drop(dropped);
      for (const type of ['contextoverflow', 'quotaoverflow']) this.dispatchEvent(new Event(type));
      return tokens;
    }
    const requested = await this.#measure(conversation.after(), messages, ends);
    const room = Math.max(0, contextWindow - this.#usage);
    throw quotaExceeded(wrongArgument('input', `${requested} tokens`, `${room} tokens at most`), requested, room);
  }

  /** Tokens that messages add to others, as the model's template writes them. */
  async #measure(before: readonly ChatMessage[], messages: readonly ChatMessage[], ends: AbortSignal): Promise<number> {
    const { model } = this.#parts;
    const count = (all: readonly ChatMessage[]) => (all.length === 0 ? 0 : model.countTokens([...all], { signal: ends }));
    return Math.max(0, (await count([...before, ...messages])) - (await count(before)));
  }

  #inTurn<Value>(signals: readonly (AbortSignal | undefined)[], work: (ends: AbortSignal) => Promise<Value>): Promise<Value> {
    const ends = this.#parts.destruction.with(...signals);
    const done = this.#turn.then(() => {
      ends.throwIfAborted();
      return work(ends);
    });
    this.#turn = done.catch(() => undefined);
    return translated(untilAborted(ends, done));
  }
}

function promptMembers(options: unknown): Partial<PromptMembers> {
  return membersOf<PromptMembers>(options, { ...constraintKinds, signal: signalKind });
}

async function translated<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (thrown) {
    throw promptException(thrown);
  }
}

/** The class, of sessions with this model. */
export function languageModelOf(served: ServedModel, settings: Settings): LanguageModelStatic {
  class LanguageModel extends Session {
    static async create(options?: LanguageModelCreateOptions): Promise<LanguageModel> {
      const { sampling, missing, signal, monitor, initialPrompts } = createWish(options);
      signal?.throwIfAborted();
      const begun = initialPrompts.length > 0 ? canonicalPrompt(initialPrompts, false, 'initialPrompts') : undefined;
      const events = new DownloadEvents(monitor);
      if (missing) throw exception('NotSupportedError', missing);
      const making = async () => {
        const model = await served.load((progress) => !signal?.aborted && events.progress(progress)).catch((thrown: unknown) => {
          throw creationException(thrown);
        });
        signal?.throwIfAborted();
        events.end();
        const session = new LanguageModel(new Parts(model, settings, sampling, new Destruction(signal)));
        if (begun) await session[BEGIN](begun);
        return session;
      };
      return signal ? untilAborted(signal, making()) : making();
    }

    static async availability(options?: LanguageModelCreateCoreOptions): Promise<Availability> {
      const { missing } = createWish(options);
      return missing ? 'unavailable' : served.availability();
    }

    static async params(): Promise<LanguageModelParams> {
      return PARAMS;
    }
  }
  return LanguageModel as unknown as LanguageModelStatic;
}
