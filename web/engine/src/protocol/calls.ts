/**
 * The worker's calls, written once: the table that the worker offers and the methods of its client follow from this list. Arguments and
 * results are plain data that `postMessage` can carry; every rejection is a `FailureReport`.
 */
import type { BenchOptions, BenchReport, ChatMessage, DeviceLimits, FitVerdict, ModelRequirements } from '../base/wasm-engine';
import type { Progress } from '../store/download-job';
import type { ExportTarget } from '../store/export-model';
import type { Listing } from '../store/listing-of';
import type { ModelSource, RemoteSource } from '../store/model-source';
import type { VerifyResult } from '../store/verify-model';
import type {
  AnswerEvent, AnswerOptions, BatchAnswerOptions, BatchEvent, BenchProgress, DeviceOptions, OpenedState, OpenModel, OpenProgress,
  OpenStateOptions, StateOptions, StoredModel,
} from './protocol';

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
  generate: call<(prompt: ChatMessage[] | Uint32Array, options: AnswerOptions, onEvent: (event: AnswerEvent) => void) => Promise<void>>('model', 2),
  /** Generates a batch: a completion of each prompt, or several of one. */
  generateBatch: call<
    (prompts: (ChatMessage[] | Uint32Array)[], options: BatchAnswerOptions, onEvent: (event: BatchEvent) => void) => Promise<void>
  >('model', 2),
  /** Ends the running generation after its current token. */
  stop: call<() => Promise<void>>('prompt'),
  /** The state after a conversation, as a file to share. */
  saveState: call<(messages: ChatMessage[], options: StateOptions) => Promise<Blob>>('model'),
  /**
   * Takes a state file, or the one at an address; conversations that begin with its messages go on from it. Of a tuned state of another
   * program, those begin from it that ask for it.
   */
  openState: call<(file: Blob | string, options?: OpenStateOptions) => Promise<OpenedState>>('model'),
  /** Forgets every state that was kept of what has this name, by any model. */
  forgetStates: call<(about: string) => Promise<void>>('plain'),
  /** What a device of these limits makes of each model, by the rule that also judges the header of a file. */
  judgeFits: call<(models: readonly ModelRequirements[], limits: DeviceLimits) => Promise<FitVerdict[]>>('plain'),
  /** What the servers of some models list of each. */
  listings: call<(sources: readonly RemoteSource[]) => Promise<Listing[]>>('plain'),
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
  /** The logits after the last token, from zeros. */
  logits: call<(tokens: Uint32Array) => Promise<Float32Array>>('model'),
  tokenize: call<(text: string) => Promise<Uint32Array>>('model'),
  /** Times the open model. */
  bench: call<(options: BenchOptions, onProgress: (progress: BenchProgress) => void) => Promise<BenchReport>>('model', 1),
};

export type CallName = keyof typeof CALLS;

/** The calls as methods. */
export type EngineWorker = { [Name in CallName]: (typeof CALLS)[Name] extends Call<infer Of> ? Of : never };
