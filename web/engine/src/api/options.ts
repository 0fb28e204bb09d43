/** The options of the calls, and what each takes. */
import type { ChatMessage, ChatTemplateOptions, EmbedOptions, GenerateOptions, Prompt, ScoreOptions } from '../base/wasm-engine.ts';
import type { DeviceOptions, FormedOptions } from '../protocol/protocol.ts';
import type { DownloadPhase } from '../store/download-job.ts';
import { callback, checkedOptions, flag, isWhole, listOf, number, oneOf, signal, text, whole, wrongArgument, wrongOption, type Kind, type Kinds, type Optional } from './checks.ts';
import { formKinds, withForm, type FormOptions } from './form.ts';
import { checkedMessages } from './messages.ts';
import { ModelState } from './model-state.ts';

/** How far loading is, in bytes. `total` is 0 while it is unknown. */
export interface LoadProgress {
  /**
   * `read`: a source that has no file is read. `download`, `wait` (before another try), `offline` (until there is a network), `verify`,
   * `repair`: it comes into the store. `load`: the engine reads it from there; beside a download it has begun already, and this is what
   * is left. `export`: it is written into a file.
   */
  phase: DownloadPhase | 'read' | 'load' | 'export';
  loaded: number;
  total: number;
}

/** Where and how a model runs. */
interface RunOptions {
  /** `auto` (the default) takes WebGPU where an adapter holds the model, else the CPU. */
  backend: 'auto' | 'webgpu' | 'cpu';
  /** `f32` is exact, `q8` in 8 bits; by default what is fastest on this device. */
  activations: 'f32' | 'q8';
  /** The number of workers that run the model together on the CPU; by default a short trial determines it. */
  workers: number;
  /** Ends the call, which then rejects with the signal's reason. */
  signal: AbortSignal;
}

/** Options of `WebMamba.load`. */
export type LoadOptions = Optional<RunOptions & {
  /** Called now and then while the model comes and is read. */
  onProgress: (progress: LoadProgress) => void;
  /**
   * The chat template that conversations are written by, in place of the file's: a Jinja text, or `rwkv-world`. One that does not compile
   * rejects before anything is downloaded, with its line.
   */
  chatTemplate: string;
  /** Whether this browser keeps a model that the call brings into it; true by default. Without, `close()` deletes it. */
  store: boolean;
  /**
   * Tabs of this site that load the same model, with the same `chatTemplate`, share it: one has it in memory, the others use it, and one of
   * them goes on where that is closed. False by default. A browser that cannot loads it for each tab.
   */
  shared: boolean;
}>;

/** Options of `WebMamba.availability`. */
export type AvailabilityOptions = Optional<RunOptions>;
/** Options of calls that can only be ended. */
export type CallOptions = Optional<Pick<RunOptions, 'signal'>>;
/** Options of `WebMamba.models.verify`. */
export type VerifyOptions = Optional<Pick<RunOptions, 'signal'> & {
  /** Called now and then while the model is read. */
  onProgress: (progress: LoadProgress) => void;
}>;
/** Options of `WebMamba.models.export`. */
export type ExportOptions = VerifyOptions & Optional<{
  /** Which part of a split set, from 0 on; 0 by default. */
  part: number;
}>;
/** Options of `LoadedModel.generate`: the engine’s. */
export type AnswerSettings = Optional<GenerateOptions & FormOptions & {
  /** Go to this state first: the prompt is read after it, as with `resume` after `model.state.restore`. */
  state: ModelState;
}>;
/** Options of `LoadedModel.applyChatTemplate`. */
export type TemplateSettings = Optional<ChatTemplateOptions & Pick<RunOptions, 'signal'>>;
/** Options of `LoadedModel.score`. */
export type ScoreSettings = Optional<ScoreOptions>;
/** Options of `LoadedModel.embed`. */
export type EmbedSettings = Optional<EmbedOptions>;
/** Options of `LoadedModel.countTokens`. */
export type CountOptions = Optional<Pick<GenerateOptions, 'thinking' | 'tools' | 'signal'>>;

type Table<Options> = Readonly<Record<keyof Options, Kind>>;

const run: Table<RunOptions> = { backend: oneOf('auto', 'webgpu', 'cpu'), activations: oneOf('f32', 'q8'), workers: whole(1), signal };
const chatTemplate: Kind = { fits: (value) => typeof value === 'string' && value.trim() !== '', expected: 'a Jinja template' };
export const loadKinds: Table<LoadOptions> = { ...run, onProgress: callback, store: flag, shared: flag, chatTemplate };
const verify: Table<VerifyOptions> = { signal, onProgress: callback };

export const tokenId = (id: unknown) => isWhole(id, 0, 2 ** 32 - 1);

const fraction = number('a number from 0 to 1', (value) => value >= 0 && value <= 1);
const finite = number('a finite number', () => true);

/** The most tokens that a bias may be about, and the most of the likeliest that are reported. */
const MOST_BIASES = 4096;
const MOST_LOGPROBS = 20;

const logitBias: Kind = {
  fits: (value) => {
    if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
    const entries = Object.entries(value);
    const isBias = ([id, bias]: [string, unknown]) => /^(0|[1-9]\d{0,9})$/.test(id) && tokenId(Number(id)) && typeof bias === 'number' && bias >= -100 && bias <= 100;
    return entries.length <= MOST_BIASES && entries.every(isBias);
  },
  expected: `an object of numbers from -100 to 100 by token ids, ${MOST_BIASES} at most`,
};

/** Whether each of them is a tool the engine sees too. */
const isTool = (value: unknown) => typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'function' && isNamed((value as { function?: unknown }).function);
const isNamed = (value: unknown) => typeof value === 'object' && value !== null && typeof (value as { name?: unknown }).name === 'string';
const tools = listOf('an array of tools, each with type and function', isTool);

/** The ranges are those of the engine (`SamplerOptions::validate`), which checks them too. */
export const answerKinds: Table<GenerateOptions> = {
  maxTokens: whole(),
  stop: listOf('an array of texts', text.fits),
  stopTokens: listOf('an array of token ids', tokenId),
  ignoreEos: flag,
  thinking: oneOf('auto', 'on', 'off', 'skip'),
  tools,
  temperature: number('a finite number, 0 or more', (value) => value >= 0),
  topK: whole(),
  topP: fraction,
  minP: fraction,
  repetitionPenalty: number('a finite number above 0', (value) => value > 0),
  frequencyPenalty: finite,
  presencePenalty: finite,
  penaltyLastN: whole(),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  logitBias,
  logprobs: whole(0, MOST_LOGPROBS),
  reuse: flag,
  resume: flag,
  keepAfter: text,
  signal,
};

export const checkedLoad = (given: unknown) => checkedOptions<Present<LoadOptions>>(given, loadKinds);
export const checkedAvailability = (given: unknown) => checkedOptions<Present<AvailabilityOptions>>(given, run);
export const checkedCall = (given: unknown) => checkedOptions<Present<CallOptions>>(given, { signal });
export const checkedExport = (given: unknown) => checkedOptions<Present<ExportOptions>>(given, { ...verify, part: whole() });
export const checkedVerify = (given: unknown) => checkedOptions<Present<VerifyOptions>>(given, verify);
export const checkedCount = (given: unknown) => checkedOptions<Present<CountOptions>>(given, { thinking: answerKinds.thinking, tools, signal });

/** How hidden states become a vector. */
export const poolingKinds: Kinds = { pooling: oneOf('mean', 'last'), normalize: flag };

export const checkedTemplate = (given: unknown) =>
  checkedOptions<Present<TemplateSettings>>(given, { thinking: answerKinds.thinking, tools, addGenerationPrompt: flag, signal });
export const checkedScore = (given: unknown) => checkedOptions<Present<ScoreSettings>>(given, { thinking: answerKinds.thinking, tools, signal });
export const checkedEmbed = (given: unknown) => checkedOptions<Present<EmbedSettings>>(given, { ...poolingKinds, signal });

type Present<Options> = { [Name in keyof Options]-?: NonNullable<Options[Name]> };

export function checkedAnswer(given: unknown): GenerateOptions & FormedOptions & { state?: ModelState } {
  const kinds = { ...answerKinds, ...formKinds, state: { fits: (value: unknown) => value instanceof ModelState, expected: 'a state of model.state' } };
  const options = withForm(checkedOptions<GenerateOptions & FormOptions & { state: ModelState }>(given, kinds));
  if (options.state && options.resume === false) throw wrongOption('resume', false, 'absent or true, as it is with a state');
  return options.state ? { ...options, resume: true } : options;
}

/** The device options of the engine's client. */
export function deviceOf({ backend, activations, workers, chatTemplate }: Partial<RunOptions & { chatTemplate: string }>): DeviceOptions {
  const isGiven = ([, value]: [string, unknown]) => value !== undefined;
  return Object.fromEntries(Object.entries({ backend, activations, workers: workers && { count: workers }, chatTemplate }).filter(isGiven));
}

/** A text, a conversation or token ids, as a copy that the caller cannot change any more. */
export function checkedPrompt(prompt: unknown): Prompt {
  if (typeof prompt === 'string') return prompt;
  if (prompt instanceof Uint32Array) return prompt.slice();
  if (!Array.isArray(prompt)) throw wrongArgument('prompt', prompt, 'a text, an array of messages with role and content, or a Uint32Array of token ids');
  const items = [...(prompt as unknown[])];
  if (items.length > 0 && items.every(tokenId)) return Uint32Array.from(items as number[]);
  return checkedMessages(items, 'prompt');
}

/** A conversation, as a copy. */
export function checkedConversation(messages: unknown): ChatMessage[] {
  if (!Array.isArray(messages)) throw wrongArgument('messages', messages, 'an array of messages with role and content');
  return checkedMessages(messages as unknown[], 'messages');
}

/** A text or token ids, as a copy. */
export function checkedContinuation(continuation: unknown): string | Uint32Array {
  return typeof continuation === 'string' ? continuation : checkedTokens('continuation', continuation, 'a text or a Uint32Array of token ids');
}

/** Token ids, as a copy. */
export function checkedTokens(argument: string, given: unknown, expected = 'a Uint32Array of token ids'): Uint32Array {
  if (given instanceof Uint32Array) return given.slice();
  const items = Array.isArray(given) ? [...(given as unknown[])] : [undefined];
  if (!items.every(tokenId)) throw wrongArgument(argument, given, expected);
  return Uint32Array.from(items as number[]);
}

/** A text or several, as a copy. */
export function checkedTexts(texts: unknown): string[] {
  const items = typeof texts === 'string' ? [texts] : Array.isArray(texts) ? [...(texts as unknown[])] : [undefined];
  if (!items.every((item) => typeof item === 'string')) throw wrongArgument('texts', texts, 'a text or an array of texts');
  return items;
}
