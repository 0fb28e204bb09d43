/** What a summariser, a writer, a rewriter and a translator have in common: one instruction, and inputs that are answered each by itself. */
import { failure } from '../base/failure.ts';
import { signal as signalKind, text, wrongArgument, type Kinds } from '../api/checks.ts';
import type { LoadedModel } from '../api/loaded-model.ts';
import { Speech } from '../api/openai/speech.ts';
import { creatingKinds } from './create-options.ts';
import { Destruction, streamed, untilAborted } from './destruction.ts';
import { creationException, promptException, quotaExceeded, typeError } from './exceptions.ts';
import { headOf, taskPrompt } from './instructions.ts';
import { canonicalTags, membersOf } from './members.ts';
import { DownloadEvents } from './monitor.ts';
import type { Settings } from './settings.ts';
import type { ServedModel } from './served-model.ts';
import type { CreateMonitorCallback } from './types.ts';
import type { Contextual } from './writing-types.ts';

/** Less is left to chance than in a conversation. */
const TEMPERATURE = 0.3;

export const languageKinds: Kinds = {
  expectedInputLanguages: { fits: Array.isArray, expected: 'an array of language tags' },
  expectedContextLanguages: { fits: Array.isArray, expected: 'an array of language tags' },
  outputLanguage: text,
};
export const sharedKinds: Kinds = { ...creatingKinds, sharedContext: text };

interface LanguageMembers {
  expectedInputLanguages: readonly string[];
  expectedContextLanguages: readonly string[];
  outputLanguage: string;
}

type CreatingMembers = { signal: AbortSignal; monitor: CreateMonitorCallback };

/** The languages of a task, canonical; a wrong tag is a RangeError. */
export function languagesOf(members: Partial<LanguageMembers>): Partial<LanguageMembers> {
  const found: Partial<LanguageMembers> = {};
  for (const name of ['expectedInputLanguages', 'expectedContextLanguages'] as const) {
    const tags = members[name];
    if (tags) found[name] = Object.freeze(canonicalTags(tags, name));
  }
  const [output] = members.outputLanguage === undefined ? [] : canonicalTags([members.outputLanguage], 'outputLanguage');
  return output === undefined ? found : { ...found, outputLanguage: output };
}

/** Names of what is no part of the interfaces. */
export const ANSWER = Symbol('answer');
export const STREAM = Symbol('stream');

class Parts {
  constructor(
    readonly model: LoadedModel,
    readonly settings: Settings,
    readonly head: string,
    readonly destruction: Destruction,
    /** Tokens of an input at most. */
    readonly quota: number,
  ) {}
}

export class Task {
  readonly #parts: Parts;

  constructor(parts: unknown) {
    if (!(parts instanceof Parts)) throw typeError(wrongArgument('new', parts, 'a call of create()'));
    this.#parts = parts;
  }

  get inputQuota(): number {
    return this.#parts.quota;
  }

  async measureInputUsage(input: string, options?: Contextual): Promise<number> {
    const { context, signal } = checkedTask(input, options);
    const ends = this.#parts.destruction.with(signal);
    ends.throwIfAborted();
    return untilAborted(ends, this.#measure(input, context, ends)).catch((thrown: unknown) => {
      throw promptException(thrown);
    });
  }

  destroy(): void {
    this.#parts.destruction.destroy();
  }

  async [ANSWER](input: string, options: Contextual | undefined): Promise<string> {
    let answer = '';
    await this.#run(input, checkedTask(input, options), (piece) => (answer += piece));
    return answer;
  }

  [STREAM](input: string, options: Contextual | undefined): ReadableStream<string> {
    const checked = checkedTask(input, options);
    this.#parts.destruction.with(checked.signal).throwIfAborted();
    return streamed((push, cancelled) => this.#run(input, checked, push, cancelled));
  }

  async #run(input: string, { context, signal }: Contextual, push: (piece: string) => void, cancelled?: AbortSignal): Promise<void> {
    const ends = this.#parts.destruction.with(signal, cancelled);
    ends.throwIfAborted();
    // There is nothing in it to do anything about.
    if (/^[\s\p{Cc}]*$/u.test(input)) return;
    try {
      await untilAborted(ends, this.#write(input, context, push, ends));
    } catch (thrown) {
      throw promptException(thrown);
    }
  }

  async #write(input: string, context: string | undefined, push: (piece: string) => void, ends: AbortSignal): Promise<void> {
    const { model, settings, head, quota } = this.#parts;
    const requested = await this.#measure(input, context, ends);
    if (requested > quota) throw quotaExceeded(wrongArgument('input', `${requested} tokens`, `${quota} tokens at most`), requested, quota);
    const speech = new Speech();
    const messages = [{ role: 'user', content: taskPrompt(head, input, context) }];
    for await (const event of model.generate(messages, { temperature: TEMPERATURE, maxTokens: settings.maxTokens, keepAfter: head, signal: ends })) {
      if (event.type !== 'token' && event.type !== 'end') continue;
      for (const { answer } of [speech.take(event.text), ...(event.type === 'end' ? [speech.end()] : [])]) if (answer !== '') push(answer);
      if (event.type === 'end' && event.stop === 'cancelled') throw failure('cancelled');
    }
  }

  /** 0 where there is no quota. */
  async #measure(input: string, context: string | undefined, ends: AbortSignal): Promise<number> {
    const { model, head, quota, settings } = this.#parts;
    if (quota === Infinity) return 0;
    const all = await model.countTokens([{ role: 'user', content: taskPrompt(head, input, context) }], { signal: ends });
    return Math.max(1, all - (settings.contextWindow - quota));
  }
}

function checkedTask(input: unknown, options: unknown): Contextual {
  if (typeof input !== 'string') throw typeError(wrongArgument('input', input, text.expected));
  return membersOf<{ signal: AbortSignal; context: string }>(options, { signal: signalKind, context: text });
}

/** Makes a task with a model that is loaded where it is not yet: `make` gets what the constructor of a `Task` takes. */
export async function createTask<Made extends Task>(
  served: ServedModel, settings: Settings, instruction: string, { sharedContext, signal, monitor }: Partial<CreatingMembers> & { sharedContext?: string },
  make: (parts: unknown) => Made,
): Promise<Made> {
  signal?.throwIfAborted();
  const events = new DownloadEvents(monitor);
  const making = async () => {
    try {
      const model = await served.load((progress) => !signal?.aborted && events.progress(progress));
      signal?.throwIfAborted();
      events.end();
      const head = headOf(instruction, sharedContext);
      const quota = settings.contextWindow === Infinity
        ? Infinity
        : settings.contextWindow - (await model.countTokens([{ role: 'user', content: taskPrompt(head, '', undefined) }]));
      if (quota < 1) throw quotaExceeded(wrongArgument('options', `${settings.contextWindow - quota} tokens`, `${settings.contextWindow} tokens at most`), settings.contextWindow - quota, settings.contextWindow);
      return make(new Parts(model, settings, head, new Destruction(signal), quota));
    } catch (thrown) {
      throw creationException(thrown);
    }
  };
  return signal ? untilAborted(signal, making()) : making();
}
