/** What page and worker say to each other: plain data that `postMessage` can carry. */
import type { ModelSource } from '../weights/model-source';
import type { Progress } from '../weights/receive';
import type { BenchOptions, BenchReport, ChatMessage, GenerateEvent, GenerateOptions, LoadOptions, ModelInfo } from './pkg/web_mamba.js';

export type { BenchOptions, BenchReport, ByteSource, ChatMessage, GenerateEvent, GenerateOptions, LoadOptions, ModelInfo } from './pkg/web_mamba.js';

export type Backend = NonNullable<LoadOptions['backend']>;

/** Where and how a model is to run. */
export type DeviceOptions = Pick<LoadOptions, 'backend' | 'activations' | 'gpu'>;

export type BenchProgress = Parameters<NonNullable<BenchOptions['onProgress']>>[0];

export type StopReason = Extract<GenerateEvent, { type: 'end' }>['stop'];

/** A model that is open: its key in the store, and what the engine says. */
export interface OpenModel {
  url: string;
  name: string;
  info: ModelInfo;
}

/** How far opening is: first the bytes arrive in the store, then the engine reads them. */
export interface OpenProgress extends Progress {
  step: 'receive' | 'load';
}

/** A model in the store, as the page lists it. */
export interface StoredModel {
  url: string;
  name: string;
  bytes: number;
}

/** The worker's calls. Every rejection is a `FailureReport`. */
export interface EngineWorker {
  open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void): Promise<OpenModel>;
  generate(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void>;
  /** Ends the running answer after its current token. */
  stop(): Promise<void>;
  stored(): Promise<StoredModel[]>;
  remove(url: string): Promise<void>;
  /** The logits after the last token, from a fresh state. */
  logits(tokens: Uint32Array): Promise<Float32Array>;
  tokenize(text: string): Promise<Uint32Array>;
  /** Times the open model. */
  bench(options: BenchOptions, onProgress: (progress: BenchProgress) => void): Promise<BenchReport>;
}
