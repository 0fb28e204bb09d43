/**
 * The worker's calls, written once: the table that the worker offers and the methods of its client follow from this list. Arguments and
 * results are plain data that `postMessage` can carry; every rejection is a `FailureReport`.
 */
import type {
  BenchOptions, BenchReport, ChatMessage, ChatTemplateOptions, DeviceLimits, EmbedOptions, FitVerdict, GenerateOptions, ModelRequirements, Prompt, Score, ScoreOptions,
} from '../base/wasm-engine.ts';
import type { Progress } from '../store/download-job.ts';
import type { ExportTarget } from '../store/export-model.ts';
import type { Listing } from '../store/listing-of.ts';
import type { ModelSource, RemoteSource } from '../store/model-source.ts';
import type { VerifyResult } from '../store/verify-model.ts';
import type {
  AnswerEvent, AnswerOptions, Availability, BatchAnswerOptions, BatchEvent, BeginningOptions, BenchProgress, DeviceOptions, OpenedState, OpenModel, OpenProgress,
  OpenStateOptions, SavedState, StateFileOptions, StateOptions, StoredModel,
} from './protocol.ts';

type Signature = (...given: never[]) => Promise<unknown>;

/**
 * How a call is made. `plain`: whatever is open. `model`: it needs the open model, waits while that is opened again, and fails with what
 * became of it. `prompt`: it ends something, and a worker that does not answer it is ended itself.
 */
export type CallKind = 'plain' | 'model' | 'prompt';

export interface Call<Of extends Signature = Signature> {
  readonly kind: CallKind;
  /** Which of its arguments listens to events, which come on a port of their own. */
  readonly listener: number | undefined;
  /** For types alone. */
  readonly signature?: Of;
}

/** The place of a listener, which is the last argument where there is one. */
type ListenerAt<Of extends Signature> = Parameters<Of> extends [...infer Before, (event: never) => void] ? [listener: Before['length']] : [];

function call<Of extends Signature>(kind: CallKind, ...[listener]: ListenerAt<Of>): Call<Of> {
  return { kind, listener };
}

export const CALLS = {
  open: call<(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void) => Promise<OpenModel>>('plain', 2),
  /** Ends the opening that runs, in this tab or the one that downloads; `discard` also forgets what has arrived. */
  endOpening: call<(how: 'pause' | 'discard') => Promise<void>>('prompt'),
  generate: call<(prompt: Prompt, options: AnswerOptions, onEvent: (event: AnswerEvent) => void) => Promise<void>>('model', 2),
  /** Generates a batch: a completion of each prompt, or several of one. */
  generateBatch: call<
    (prompts: Prompt[], options: BatchAnswerOptions, onEvent: (event: BatchEvent) => void) => Promise<void>
  >('model', 2),
  /** Ends the running generation after its current token. */
  stop: call<() => Promise<void>>('prompt'),
  /** The share of the time that answers take of the machine, from above 0 to 1: it rests between steps. */
  setDutyCycle: call<(share: number) => Promise<void>>('plain'),
  /** The state after a conversation, as a file to share. */
  saveState: call<(messages: ChatMessage[], options: StateOptions) => Promise<Blob>>('model'),
  /**
   * Takes a state file, or the one at an address; conversations that begin with its messages go on from it. Of a tuned state of another
   * program, those begin from it that ask for it.
   */
  openState: call<(file: Blob | string, options?: OpenStateOptions) => Promise<OpenedState>>('model'),
  /** Reads a prompt and writes nothing: the state after it. */
  read: call<(prompt: Prompt, options: AnswerOptions, onEvent: (event: AnswerEvent) => void) => Promise<SavedState>>('model', 2),
  /** The state that the model is in, as a value. */
  takeState: call<() => Promise<SavedState>>('model'),
  /** Takes the model to a saved state, which is then gone on from with `resume`. */
  restoreState: call<(file: Blob) => Promise<void>>('model'),
  /** A state file, or a tuned state of another program, as a value; the model stays where it is. */
  readState: call<(file: Blob, options?: OpenStateOptions) => Promise<SavedState>>('model'),
  /** A saved state as a file to share. */
  stateFile: call<(file: Blob, options: StateFileOptions) => Promise<Blob>>('model'),
  /** Forgets every state that was kept of what has this name, by any model. */
  forgetStates: call<(about: string) => Promise<void>>('plain'),
  /** How many states are kept of all models, and their bytes. */
  keptStates: call<() => Promise<{ count: number; bytes: number }>>('plain'),
  /** What a device of these limits makes of each model, by the rule that also judges the header of a file. */
  judgeFits: call<(models: readonly ModelRequirements[], limits: DeviceLimits) => Promise<FitVerdict[]>>('plain'),
  /** What the servers of some models list of each. */
  listings: call<(sources: readonly RemoteSource[]) => Promise<Listing[]>>('plain'),
  /** Whether a model is kept here, and whether this device can run it, by the beginning of its file. */
  availability: call<(source: ModelSource, device: DeviceOptions) => Promise<Availability>>('plain'),
  stored: call<() => Promise<StoredModel[]>>('plain'),
  remove: call<(url: string) => Promise<void>>('plain'),
  /** Reads a kept model again; damaged chunks no longer count as stored. */
  verify: call<(url: string, onProgress: (progress: Progress) => void) => Promise<VerifyResult>>('plain', 1),
  /** Writes a part of a kept model into a file. */
  exportPart: call<(url: string, part: number, target: ExportTarget, onProgress: (progress: Progress) => void) => Promise<void>>('plain', 3),
  /** Ends a verification or an export. */
  endTask: call<() => Promise<void>>('prompt'),
  /** Handles of a model that is read in place, so that the page can ask for permission. */
  handles: call<(url: string) => Promise<FileSystemFileHandle[]>>('plain'),
  /** The logits after the last token, read from the beginning. */
  logits: call<(tokens: Uint32Array, options?: BeginningOptions) => Promise<Float32Array>>('model'),
  tokenize: call<(text: string) => Promise<Uint32Array>>('model'),
  /** The tokens that a prompt is read as. */
  promptTokens: call<(prompt: Prompt, options: Pick<GenerateOptions, 'thinking' | 'tools'>) => Promise<Uint32Array>>('model'),
  detokenize: call<(tokens: Uint32Array) => Promise<string>>('model'),
  chatTemplate: call<() => Promise<string | undefined>>('model'),
  /** A conversation as the text that an answer is read from. */
  applyChatTemplate: call<(messages: ChatMessage[], options: ChatTemplateOptions) => Promise<string>>('model'),
  /** How likely a continuation is. It and the two that follow read from the beginning, leave states as they are, and end by `stop`. */
  score: call<(prompt: Prompt, continuation: string | Uint32Array, options: Pick<ScoreOptions, 'thinking'> & BeginningOptions) => Promise<Score>>('model'),
  perplexity: call<(text: string, options?: BeginningOptions) => Promise<number>>('model'),
  embed: call<(texts: string[], options: Omit<EmbedOptions, 'signal'> & BeginningOptions) => Promise<Float32Array[]>>('model'),
  /** Times the open model. */
  bench: call<(options: BenchOptions, onProgress: (progress: BenchProgress) => void) => Promise<BenchReport>>('model', 1),
};

export type CallName = keyof typeof CALLS;

/** The calls as methods. */
export type EngineWorker = { [Name in CallName]: (typeof CALLS)[Name] extends Call<infer Of> ? Of : never };
