/** What page and worker say to each other: plain data that `postMessage` can carry. */
import type { ModelSource } from '../weights/model-source';
import type { Progress } from '../weights/receive';

export type Backend = 'auto' | 'webgpu' | 'cpu';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface GenerateOptions {
  maxTokens?: number;
  stop?: string[];
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  penaltyLastN?: number;
  seed?: number;
  ignoreEos?: boolean;
}

export type StopReason = 'eos' | 'length' | 'stop-string' | 'cancelled';

export type GenerateEvent =
  | { type: 'prefill'; done: number; total: number }
  | { type: 'token'; id: number; text: string; milliseconds: number }
  | { type: 'end'; stop: StopReason; promptTokens: number; tokens: number; prefillTps: number; decodeTps: number };

/** What the engine says of a loaded model and of where it runs. */
export interface EngineInfo {
  name: string;
  architecture: string;
  parameters: number;
  layers: number;
  dModel: number;
  vocabSize: number;
  fileBytes: number;
  stateBytes: number;
  backend: 'webgpu' | 'cpu';
  /** The GPU's name; empty on the CPU. */
  adapter: string;
  /** Why this backend was taken. */
  reason: string;
}

/** A model that is open: its key in the store, and what the engine says. */
export interface OpenModel {
  url: string;
  name: string;
  info: EngineInfo;
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
  open(source: ModelSource, backend: Backend, onProgress: (progress: OpenProgress) => void): Promise<OpenModel>;
  generate(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void>;
  /** Ends the running answer after its current token. */
  stop(): Promise<void>;
  stored(): Promise<StoredModel[]>;
  remove(url: string): Promise<void>;
  /** The logits after the last token, from a fresh state. */
  logits(tokens: Uint32Array): Promise<Float32Array>;
  tokenize(text: string): Promise<Uint32Array>;
}
