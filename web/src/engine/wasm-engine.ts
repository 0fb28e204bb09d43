/** The part of the wasm package that the worker uses, as interfaces so that tests can bring their own. */
import type { ByteSource, LoadOptions, Model, ModelPlan } from './pkg/web_mamba.js';

export type EngineModel = Pick<Model, 'info' | 'generate' | 'generateMany' | 'logits' | 'tokenize' | 'bench' | 'free'>;

export interface WasmEngine {
  /** Compiles and starts the wasm module. */
  start(): Promise<unknown>;
  planModel(sources: ByteSource[], options?: LoadOptions): Promise<ModelPlan>;
  loadModel(sources: ByteSource[], options?: LoadOptions): Promise<EngineModel>;
}
