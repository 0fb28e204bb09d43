/** The part of the wasm package that the worker uses, as interfaces so that tests can bring their own. */
import type {
  ByteSource, DeviceLimits, FitVerdict, HostMemory, LoadOptions, Model, ModelPlan, ModelRequirements, State,
} from '../../pkg/web_mamba.js';

export type {
  BatchOptions, BenchOptions, BenchReport, ByteSource, ChatMessage, CheckpointInfo, DeviceLimits, FitDoubt, FitProblem, FitReason, FitVerdict,
  GenerateEvent, GenerateOptions, HostMemory, LoadOptions, ModelInfo, ModelPlan, ModelRequirements, TunedOrder,
} from '../../pkg/web_mamba.js';

/** All that a model remembers, as a value. */
export type ModelState = Pick<State, 'tokens' | 'position' | 'beginning' | 'bytes' | 'free'>;

/** What a model does with its states. */
export type StatefulModel = Pick<
  Model,
  | 'hash' | 'promptTokens' | 'conversationTokens' | 'knownTokens' | 'saveState' | 'readState' | 'restoreState' | 'continueLogits'
  | 'beginning' | 'beginFrom' | 'newCheckpoints' | 'checkpoint' | 'addCheckpoint' | 'setCheckpoints'
> & {
  reload(sources: ByteSource[], options?: EngineOptions): ReturnType<Model['reload']>;
};

export type EngineModel = Pick<Model, 'info' | 'generateBatch' | 'logits' | 'tokenize' | 'bench' | 'free'> & StatefulModel;

/** Options of a load; how workers are started is the engine's own matter. */
export type EngineOptions = Omit<LoadOptions, 'workers'> & { workers?: { count?: number } };

export interface WasmEngine {
  /** Compiles and starts the wasm module. */
  start(): Promise<unknown>;
  planModel(sources: ByteSource[], options?: EngineOptions & { memory?: HostMemory }): Promise<ModelPlan>;
  /** `planModel`'s rule, for models of which only numbers are known. */
  judgeFit(requirements: ModelRequirements, limits: DeviceLimits): Promise<FitVerdict>;
  loadModel(sources: ByteSource[], options?: EngineOptions): Promise<EngineModel>;
}
