/** The part of the wasm package that the worker uses (twin of `crate/src/web.rs`), as an interface so that tests can bring their own. */
import type { ByteSource } from '../weights/stored-file';
import type { Backend, ChatMessage, EngineInfo, GenerateEvent, GenerateOptions } from './protocol';

export interface LoadOptions {
  backend?: Backend;
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface EngineModel {
  info(): EngineInfo;
  generate(prompt: string | ChatMessage[] | Uint32Array, options?: GenerateOptions): AsyncIterableIterator<GenerateEvent>;
  logits(tokens: Uint32Array): Promise<Float32Array>;
  tokenize(text: string): Uint32Array;
  free(): void;
}

export interface WasmEngine {
  /** Compiles and starts the wasm module. */
  start(): Promise<unknown>;
  loadModel(sources: ByteSource[], options?: LoadOptions): Promise<EngineModel>;
}
