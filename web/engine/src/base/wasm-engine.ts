/** The part of the wasm package that the worker uses, as interfaces so that tests can bring their own. */
import type {
  ByteSource, ConstraintOption, DeviceLimits, FitVerdict, HostMemory, LoadOptions, Model, ModelPlan, ModelRequirements, State,
} from '../../pkg/web_mamba.js';

export type {
  BatchOptions, BenchOptions, BenchReport, ByteSource, ChatMessage, ChatTemplateOptions, CheckpointInfo, ConstraintOption, ConstraintOptions, DeviceLimits, EmbedOptions, FitDoubt, FitProblem, FitReason,
  FitVerdict, GenerateEvent, GenerateOptions, HostMemory, LoadOptions, ModelInfo, ModelPlan, ModelRequirements, Prompt, SampledLogprob, Score, ScoreOptions, TokenLogprob,
  Tool, ToolCall, ToolFormat, TunedOrder,
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

/** What a model does with texts beside generation. */
export type ReadingModel = Pick<Model, 'tokenize' | 'detokenize' | 'chatTemplate' | 'applyChatTemplate' | 'score' | 'perplexity' | 'embed'>;

export type EngineModel = Pick<Model, 'info' | 'generateBatch' | 'logits' | 'tokenTable' | 'bench' | 'free'> & StatefulModel & ReadingModel;

/** Options of a load; how workers are started is the engine's own matter. */
export type EngineOptions = Omit<LoadOptions, 'workers'> & { workers?: { count?: number } };

/** What an answer can be held to: options of `generate` are named so. */
export type FormKind = 'jsonSchema' | 'regex' | 'grammar';

/** The module that knows grammars. */
export interface GrammarEngine {
  /** Fetches and starts it. */
  start(): Promise<unknown>;
  /** For a model's vocabulary, as `tokenTable` gives it. */
  grammars(table: Uint8Array): Grammars;
}

export interface Grammars {
  /** Throws where the form cannot be followed; the message says why. */
  matcher(kind: FormKind, text: string): { make: ConstraintOption['make']; free(): void };
  free(): void;
}

export interface WasmEngine {
  /** Compiles and starts the wasm module. */
  start(): Promise<unknown>;
  planModel(sources: ByteSource[], options?: EngineOptions & { memory?: HostMemory }): Promise<ModelPlan>;
  /** `planModel`'s rule, for models of which only numbers are known. */
  judgeFit(requirements: ModelRequirements, limits: DeviceLimits): Promise<FitVerdict>;
  /** Rejects where a chat template of the caller's own does not compile. */
  checkChatTemplate(template: string): Promise<void>;
  loadModel(sources: ByteSource[], options?: EngineOptions): Promise<EngineModel>;
}
