/** What page and worker say to each other: plain data that `postMessage` can carry. */
import type { OwnMessages } from '../base/messages.ts';
import type { BatchOptions, BenchOptions, ChatMessage, EngineOptions, FitDoubt, FormKind, GenerateEvent, GenerateOptions, ModelInfo, TunedOrder } from '../base/wasm-engine.ts';
import type { Progress } from '../store/download-job.ts';
import type { Verification } from '../store/model-record.ts';

export type {
  BatchOptions, BenchOptions, BenchReport, ByteSource, ChatMessage, CheckpointInfo, GenerateEvent, GenerateOptions, LoadOptions, ModelInfo, Prompt, TunedOrder,
} from '../base/wasm-engine.ts';

/** Where and how a model is to run, and what its conversations are written by. */
export type DeviceOptions = Pick<EngineOptions, 'backend' | 'activations' | 'gpu' | 'workers' | 'chatTemplate'>;

/** How far a benchmark is. */
export type BenchProgress = Parameters<NonNullable<BenchOptions['onProgress']>>[0];

/** Why a generation ended. */
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

/** What an answer is held to, as text: a schema's is its JSON. */
export interface AnswerForm {
  kind: FormKind;
  text: string;
}

/** Options of answers that are held to a form. */
export interface FormedOptions {
  form?: AnswerForm;
}

/**
 * `about` names what is read, such as a document: the states that are kept of it can be forgotten by that name. `written` are tokens
 * that the answer begins with, where another engine has given them out. `state` is what the prompt is read after.
 */
export type AnswerOptions = GenerateOptions & BeginningOptions & FormedOptions & { about?: string; written?: Uint32Array; state?: Blob };
/** Options of several answers at once. `about` is for listings. */
export type BatchAnswerOptions = BatchOptions & BeginningOptions & FormedOptions & { about?: string };

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

/** A state as a value: all that it takes to go back to it, and what it says of itself. */
export interface SavedState extends Omit<OpenedState, 'fileBytes'> {
  /** A state file whose numbers are exact. */
  file: Blob;
}

/** The file that a saved state is made into; `messages` are the conversation that it is of, where that is to be said anew. */
export type StateFileOptions = Pick<StateOptions, 'numbers' | 'compress'> & { messages?: ChatMessage[] };

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

/** How far opening is: first the bytes arrive in the store, while the engine reads them, then it reads what is left. */
export interface OpenProgress extends Progress {
  step: 'receive' | 'load';
  /** Another tab downloads; this one watches. */
  elsewhere?: boolean;
}

/** Whether a model is here, and whether this device can run it. */
export interface Availability {
  /** Whether this browser keeps it. */
  downloaded: 'yes' | 'partly' | 'no';
  /** Bytes of it that are kept, and of all of it: 0 while that is unknown. */
  stored: number;
  bytes: number;
  /** Whether the device can hold it, as far as its limits say. */
  fits: boolean;
  /** Where it would run. */
  backend: 'webgpu' | 'cpu';
  /** Why it does not fit, or why the GPU is not used. */
  problem?: { code: string; message: string; remedy: string };
  /** What speaks against it where it fits, the weightiest first. */
  doubts: FitDoubt[];
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

/** And its set-up before its first call, where the page has messages of its own, or has set a share of the time. */
export interface WorkerSetup {
  messages?: OwnMessages;
  dutyCycle?: number;
}
