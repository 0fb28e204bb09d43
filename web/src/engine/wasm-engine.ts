/** The part of the wasm package that the worker uses, as interfaces so that tests can bring their own. */
import type { ByteSource, LoadOptions, Model } from './pkg/web_mamba.js';

export type EngineModel = Pick<Model, 'info' | 'generate' | 'logits' | 'tokenize' | 'free'>;

export interface WasmEngine {
  /** Compiles and starts the wasm module. */
  start(): Promise<unknown>;
  loadModel(sources: ByteSource[], options?: LoadOptions): Promise<EngineModel>;
}
