/** What page and worker say to each other: plain data that `postMessage` can carry. */
import type { OwnMessages } from '../base/messages';
import type { BatchOptions, BenchOptions, ChatMessage, EngineOptions, GenerateEvent, GenerateOptions, ModelInfo, TunedOrder } from '../base/wasm-engine';
import type { Progress } from '../store/download-job';
import type { Verification } from '../store/model-record';

export type {
  BatchOptions, BenchOptions, BenchReport, ByteSource, ChatMessage, CheckpointInfo, GenerateEvent, GenerateOptions, LoadOptions, ModelInfo, TunedOrder,
} from '../base/wasm-engine';

/** Where and how a model is to run. */
export type DeviceOptions = Pick<EngineOptions, 'backend' | 'activations' | 'gpu' | 'workers'>;

export type BenchProgress = Parameters<NonNullable<BenchOptions['onProgress']>>[0];

export type StopReason = Extract<GenerateEvent, { type: 'end' }>['stop'];

/** Comes before anything is read: so many tokens of the prompt need not be, because their state was kept. */
export interface KnownEvent {
  type: 'known';
  tokens: number;
}

/** The device, a worker or the engine was lost, and what was being written goes on upon a new one, by the model as it is open now. */
export type RebuildEvent = { type: 'rebuild' } | { type: 'rebuilt'; model?: OpenModel | undefined };

/** What happens on the way of an answer. */
export type AnswerEvent = GenerateEvent | KnownEvent | RebuildEvent;

/** What a text begins from: the name of a tuned state that was opened, as `OpenedState` has it; zeros without one. */
export interface BeginningOptions {
  beginning?: string;
}

/**
 * `about` names what is read, such as a document: the states that are kept of it can be forgotten by that name. `written` are tokens
 * that the answer begins with, where another engine has given them out.
 */
export type AnswerOptions = GenerateOptions & BeginningOptions & { about?: string; written?: Uint32Array };
export type BatchAnswerOptions = BatchOptions & BeginningOptions & { about?: string };

/** How a state is saved: `f16` and compressed by default. */
export interface StateOptions extends BeginningOptions {
  numbers?: 'f32' | 'f16';
  compress?: boolean;
}

/** How a state is opened. */
export interface OpenStateOptions {
  /** The name of a file without one, whose ending decides the order of a tuned state. */
  name?: string;
  /** The order of a tuned state, in place of what its name says. */
  order?: TunedOrder;
}

/** A state that conversations can begin from now. */
export interface OpenedState {
  /** Tokens that it has read. */
  position: number;
  /** The conversation that these are of; empty where the file does not say. */
  messages: ChatMessage[];
  fileBytes: number;
  /** What it began from, or is: a tuned state has read nothing. Answers that begin there ask for it by this name. */
  beginning?: string;
  /** The order that the numbers of a tuned state were taken in. */
  order?: TunedOrder;
}

/** An event of one sequence of a batch, where `index` is its number, or of all of them. */
export type BatchEvent = ((GenerateEvent | KnownEvent) & { index: number }) | RebuildEvent;

/** A model that is open: its key in the store, and what the engine says. */
export interface OpenModel {
  url: string;
  name: string;
  info: ModelInfo;
  /** What broke the engine on the GPU, where the model was opened on the CPU for that. */
  gpuProblem?: string;
}

/** How far opening is: first the bytes arrive in the store, then the engine reads them. */
export interface OpenProgress extends Progress {
  step: 'receive' | 'load';
  /** Another tab downloads; this one watches. */
  elsewhere?: boolean;
}

/** A model in the store, as the page lists it. */
export interface StoredModel {
  url: string;
  name: string;
  /** Bytes of the whole model, 0 while unknown. */
  bytes: number;
  /** Bytes that are here. */
  stored: number;
  complete: boolean;
  verification: Verification | null;
  /** Read where the visitor has it; nothing is kept here. */
  inPlace: boolean;
  /** Whether what is missing can be fetched. */
  remote: boolean;
  /** File names of its parts. */
  parts: string[];
}

/** Beside comlink's messages, what the worker says of itself. */
export type WorkerNews = { news: 'started' } | { news: 'fault'; detail: string } | { news: 'alive'; lock: string };

/** And its set-up before its first call, where the page has messages of its own. */
export interface WorkerSetup {
  messages: OwnMessages;
}
