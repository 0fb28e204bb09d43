/**
 * What every call of this package throws, or rejects with. Arguments are checked before anything else happens; an option that is
 * `undefined` or `null` counts as absent.
 */
export interface EngineError extends Error {
  /** Stable: for programs. */
  code: string;
  /** What the user can do. */
  remedy: string;
  /** With the code `invalid-option`: which; of one within another such as `gpu.selfTest`. */
  option?: string;
  /** With the code `invalid-option`: the option that may be meant. */
  suggestion?: string;
  /** With the code `invalid-request`: which argument, or which part of it, such as `prompt[2].content`. */
  argument?: string;
}

/** Random access to the bytes of one file: a store, a server, a local file. */
export interface ByteSource {
  /** For error messages; "model" where there is none. */
  readonly name?: string;
  /** Bytes. */
  readonly length: number;
  /** Exactly `length` bytes from byte `offset`. */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
}

/** Options of every asynchronous call. */
export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason: after the token or the chunk that it is at. */
  signal?: AbortSignal;
}

export interface LoadOptions extends CallOptions {
  /** `auto` (the default) takes WebGPU where there is an adapter that holds the model, else the CPU. */
  backend?: 'auto' | 'webgpu' | 'cpu';
  /** How matrix products see their input: `f32` as it is, `q8` in 8 bits. By default what is fastest on this device. */
  activations?: 'f32' | 'q8';
  /** A chat template in place of the file's: a Jinja text, or `rwkv-world`. One that does not compile fails with `own-chat-template`. */
  chatTemplate?: string;
  gpu?: {
    /** Whether loading begins with a test of the GPU's kernels; by default unless the adapter is software. */
    selfTest?: boolean;
    /** Use only what WebGPU guarantees on every adapter: its default limits, and no optional features such as subgroups. For tests and unreliable drivers. */
    defaultLimits?: boolean;
    /** Override whether the adapter counts as software when kernels are selected. For tests. */
    software?: boolean;
  };
  /** Web workers that run the model together on the CPU (tensor parallelism): faster, and with more memory than one worker has. */
  workers?: WorkerOptions;
  /** Bytes of weights read, and in all. An error that it throws is ignored. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface WorkerOptions {
  /** Starts a module worker that answers its first message, `{ module }`, by `init({ module_or_path: module })` and `serveRank()`. */
  start(): Worker;
  /** The number of workers that run the model, this one included. By default a short trial determines it. */
  count?: number;
}

/** An option that is absent stays as it was. */
export type ReloadOptions = Omit<LoadOptions, 'workers'> & { workers?: Partial<WorkerOptions> };

/** What a loaded model is, and what runs it. */
export interface ModelInfo {
  name: string;
  architecture: 'mamba' | 'falcon-mamba' | 'rwkv7';
  parameters: number;
  layers: number;
  /** Whether it can think before it answers a conversation: see the option `thinking`. */
  canThink: boolean;
  /** How it calls tools; absent where its chat template has none, or another form of calls. */
  toolFormat?: ToolFormat;
  /** The control token that its calls begin with, which is no text; absent where they begin with text. */
  toolOpening?: number;
  dModel: number;
  vocabSize: number;
  /** Bytes of the file, or of all parts. */
  fileBytes: number;
  /** Bytes of the state, at any position. */
  stateBytes: number;
  /** Bytes of weights read for one token. */
  bytesPerToken: number;
  /** Bytes that the backend holds. */
  memoryBytes: number;
  activations: 'f32' | 'q8';
  backend: 'webgpu' | 'cpu';
  adapter: string;
  /** Why this backend, as a sentence. */
  reason: string;
  /** How long the test of the GPU's kernels took; absent where there was none. */
  selfTestMilliseconds?: number;
}

export interface PlanOptions extends LoadOptions {
  /** The memory of this device. Where it is unknown, that is a doubt. */
  memory?: HostMemory;
}

/** The memory of a device. */
export interface HostMemory {
  bytes: number;
  /** There may be more: browsers say no more than a certain number. */
  atLeast?: boolean;
}

/** What a device has: the second argument of `judgeFit`. */
export interface DeviceLimits {
  /** What an adapter grants, in bytes; absent where there is no GPU, or it is not to be used. */
  gpu?: { maxBuffer: number; maxBinding: number };
  /** The most workers that may run a model together on the CPU, each of which addresses 4 GiB; 0 where the CPU is not to be used. */
  workers: number;
  /** Absent where it is unknown. */
  memory?: HostMemory;
}

/** What a model requires of any device: what `judgeFit` judges, and a list of models may carry. */
export interface ModelRequirements {
  /** Bytes of weights, state and activations, on the backend that takes more of them. */
  memory: number;
  /** Bytes of the largest thing that must lie in one storage binding of a GPU. */
  largestBinding: number;
  /** The fewest workers that hold it together on the CPU; 0 where no number of them does. */
  ranks: number;
}

/**
 * A limit that a model exceeds. `gpu-binding`: one storage binding of the GPU is too small. `no-gpu`: no GPU can be used, and workers on
 * the CPU cannot address it. `memory`: the device has less.
 */
export type FitProblem = 'gpu-binding' | 'no-gpu' | 'memory';

/**
 * What speaks against a model that fits. `memory`: the device has hardly more. `memory-unknown`: it is unknown whether it has as much.
 * `gpu-memory`: the largest buffer of the GPU hints at too little memory. `slow`: it runs on the CPU and takes more than one worker to hold.
 */
export type FitDoubt = 'memory' | 'memory-unknown' | 'gpu-memory' | 'slow';

/** A problem or a doubt with its numbers, in bytes. */
export interface FitReason<Code extends FitProblem | FitDoubt> {
  code: Code;
  needed: number;
  /** Absent where it is unknown. */
  available?: number;
}

/** What a device makes of a model. */
export interface FitVerdict {
  /** Whether the device can hold it, as far as its limits say. */
  fits: boolean;
  /** Where it would run, or else where it comes nearest to that. */
  backend: 'gpu' | 'cpu';
  /** Why it does not fit, or why a GPU that is there is not used. */
  problem?: FitReason<FitProblem>;
  /** What speaks against it where it fits, the weightiest first. Without one, the device can hold it. */
  doubts: FitReason<FitDoubt>[];
}

/** What a model needs and what this device has, by the file's header alone. All numbers are bytes. */
export interface ModelPlan {
  requirements: ModelRequirements;
  needs: {
    weights: number;
    state: number;
    scratch: number;
    total: number;
    /** The largest thing that must lie in one storage binding of a GPU. */
    largestBinding: number;
  };
  device: {
    backend: 'webgpu' | 'cpu';
    adapter: string;
    /** A GPU's largest buffer: a hint of its memory, which no API reports. */
    maxBuffer?: number;
    maxBinding?: number;
    /** The smallest subgroup size of a GPU; 1 where kernels may not shuffle. */
    subgroup?: number;
    /** Whether a GPU can use 8-bit activations. */
    packedProducts?: boolean;
    /** What a page can address on the CPU. */
    memory?: number;
  };
  fits: boolean;
  /** Why it does not fit, or why the GPU is not used. */
  problem?: { code: string; message: string; remedy: string; limit?: FitProblem; needed?: number; available?: number };
  /** What speaks against it where it fits, the weightiest first. */
  doubts: FitReason<FitDoubt>[];
}

/** All have defaults: 512, 64, 5, 1 and false. */
export interface BenchOptions extends CallOptions {
  promptTokens?: number;
  genTokens?: number;
  runs?: number;
  /** Time the decode of a batch of this many sequences too, at most 32. */
  sequences?: number;
  /** Time each kind of kernel too. */
  stages?: boolean;
  /** Called after each step. */
  onProgress?: (progress: { step: 'warmUp' | 'run' | 'batch' | 'bandwidth' | 'stages'; done: number; runs: number }) => void;
}

export interface BenchFigure {
  median: number;
  lowest: number;
  highest: number;
}

/** Figures of a benchmark: tokens a second, and the bound that the memory of the device sets. */
export interface BenchReport {
  promptTokens: number;
  genTokens: number;
  runs: number;
  prefillTps: BenchFigure;
  decodeTps: BenchFigure;
  sequences: number;
  /** Tokens made per second by all sequences of the batch together; absent for one. */
  batchDecodeTps?: BenchFigure;
  /** The median of all tokens. */
  tokenMilliseconds: number;
  bytesPerToken: number;
  /** The device's memory bandwidth in bytes per second; absent on the CPU, as are the figures that follow from it. */
  bandwidth?: number;
  boundTps?: number;
  percentOfBound?: number;
  dispatchesPerToken?: number;
  decodeStages: { name: string; kernel: string; stages: number; milliseconds: number; bytes: number }[];
  /** Whether the device timed these itself; else they include submitting and waiting. */
  timestamps: boolean;
  info: ModelInfo;
}

/** If the last message of a conversation has the role `assistant`, and no calls, the model continues it. */
export interface ChatMessage {
  role: string;
  content: string;
  /** Of the assistant: the calls that it made. */
  tool_calls?: ToolCall[];
  /** Of the role `tool`: the call whose result it is. */
  tool_call_id?: string;
}

/** A call of a tool. `arguments` are JSON. */
export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

/** A function that the model may call: what it is for, and a JSON schema of its arguments. */
export interface Tool {
  type: 'function';
  function: { name: string; description?: string; parameters?: object };
}

/**
 * How a model writes calls of tools. `hermes`: `<tool_call>{"name": …, "arguments": …}</tool_call>`, once a call. `llama`:
 * `{"name": …, "parameters": …}` as all of the answer. `mistral`: `[TOOL_CALLS][{"name": …, "arguments": …}, …]`.
 */
export type ToolFormat = 'hermes' | 'llama' | 'mistral';

/** A text, a conversation, or token ids, which may be a plain array too. */
export type Prompt = string | ChatMessage[] | Uint32Array;

/** All have defaults; temperature 0 is greedy. */
export interface GenerateOptions extends CallOptions {
  maxTokens?: number;
  /** Stop strings: each ends the completion and is not part of it. */
  stop?: string[];
  /** Tokens that end the completion, besides the model's own end tokens. */
  stopTokens?: number[];
  /** Continue past the model's own end tokens. */
  ignoreEos?: boolean;
  /**
   * Whether the model thinks before it answers a conversation. `on` opens a thought, `off` says nothing of thoughts, and `skip` begins the
   * answer with an empty thought, after which a model that would think answers at once. `auto` (the default): a Jinja template decides
   * by itself; in the format `rwkv-world` it is `skip` for a model that can think, else `off`. The answer's text has the
   * thought as `<think>…</think>` before the answer itself, opening included.
   */
  thinking?: 'auto' | 'on' | 'off' | 'skip';
  /** What the model may call in its answer to a conversation, in the form that `ModelInfo.toolFormat` says. */
  tools?: Tool[];
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  penaltyLastN?: number;
  /** Added to the logits of these tokens before anything else, by id: -100 to 100, for at most 4,096 tokens. */
  logitBias?: Record<number, number>;
  /** The same seed gives the same completion. By default a random one, which the `end` event reports. */
  seed?: number;
  /** Begin at the longest prefix of the prompt that a checkpoint or the present state has, and keep checkpoints; true by default. */
  reuse?: boolean;
  /**
   * Read the prompt after what the model has read already. With an empty prompt (`''`) a completion that was saved half way continues
   * exactly as it would have, with its own sampler.
   */
  resume?: boolean;
  /**
   * Report the log-probability of each token with its event, and those of so many of the likeliest, 0 to 20. They are the model's own,
   * over the whole vocabulary: before the bias, penalties, filters and temperature.
   */
  logprobs?: number;
  /**
   * A text that the prompt, or one of its messages, contains: a checkpoint is kept where it ends, for other prompts that are the same up
   * to there.
   */
  keepAfter?: string;
}

/** Options of a generation whose tokens something else decides. */
export interface ConstraintOptions {
  constraint?: ConstraintOption;
}

/** Decides which tokens one completion may have. Its methods return at once. */
export interface Constraint {
  /** The tokens that may come next: token t is bit t % 32 of word t / 32. Until a token is taken they stay the same. */
  mask(): Uint32Array;
  /** Whether the answer may end where the last mask was asked for. With an empty mask it does. */
  mayEnd(): boolean;
  /** Goes on after a token. */
  take(token: number): void;
}

export interface ConstraintOption {
  /** Makes the one of a completion, by the number of its prompt. */
  make: (index: number) => Constraint;
  /** So many of each prompt's last tokens are the beginning of its answer; 0 by default. */
  written?: number;
}

/** A snapshot that the engine keeps, so that a prompt with the same prefix is read only from where it differs. */
export interface CheckpointInfo {
  id: number;
  /** Tokens read. */
  position: number;
  /** In the middle of a prompt, before its last token, where a text ends that other prompts share, after a completion, or given from outside. */
  kind: 'prefill' | 'prompt' | 'shared' | 'completion' | 'restored';
}

export interface CheckpointOptions {
  /** The memory budget of checkpoints; 256 MiB by default, 0 keeps none. */
  memoryBytes?: number;
  /** Tokens between two checkpoints while a prompt is read; 1024 by default. */
  interval?: number;
}

/**
 * The order of the last two axes in a file of a tuned state, which nothing in it tells: `value-key` as training writes it (`.pth`,
 * `.safetensors`), `key-value` as web-rwkv and Ai00 write it (`.st`, `.state`).
 */
export type TunedOrder = 'value-key' | 'key-value';

export interface ReadStateOptions {
  /** The file's name, whose ending decides the order of a tuned state. */
  name?: string;
  /** The order, in place of what the name says. */
  order?: TunedOrder;
}

export interface BatchOptions extends GenerateOptions {
  /** Sequences of the batch, 1 to 32, by default 8; each takes the memory of a state. */
  sequences?: number;
}

/** A token and the natural logarithm of its probability, which is finite. */
export interface TokenLogprob {
  id: number;
  logprob: number;
  /** What it decodes to by itself: U+FFFD where it has a part of a character. */
  text: string;
  /** Its bytes, which are UTF-8 together with those of its neighbours. */
  bytes: number[];
}

/** Of a sampled token; `top` are the likeliest in its place, likeliest first. */
export interface SampledLogprob extends TokenLogprob {
  top: TokenLogprob[];
}

/** How likely a continuation is. */
export interface Score {
  /** The natural logarithm of its probability: the sum of `logprobs`. */
  logprob: number;
  /** Its token ids. */
  tokens: Uint32Array;
  /** Of each token, after the prompt and the tokens before it. */
  logprobs: Float64Array;
}

/** Options of `score`. */
export interface ScoreOptions extends CallOptions {
  /** As of `generate`, where the prompt is a conversation. */
  thinking?: NonNullable<GenerateOptions['thinking']>;
  /** As of `generate`. */
  tools?: Tool[];
}

/** Options of `embed`. */
export interface EmbedOptions extends CallOptions {
  /** The mean of the hidden states of all tokens (the default), or that of the last one. */
  pooling?: 'mean' | 'last';
  /** Whether the vector is divided by its length; true by default. */
  normalize?: boolean;
}

/** Options of `applyChatTemplate`. */
export interface ChatTemplateOptions {
  /** As of `generate`. */
  thinking?: NonNullable<GenerateOptions['thinking']>;
  /** As of `generate`. */
  tools?: Tool[];
  /** Whether the answer's turn is opened, or the assistant's last message left open; true by default, as `generate` reads it. */
  addGenerationPrompt?: boolean;
}

/** What a generation tells: how far it has read, each token, and its end. */
export type GenerateEvent =
  | { type: 'prefill'; done: number; total: number }
  /** `logprobs` is there with the option of that name. */
  | { type: 'token'; id: number; text: string; milliseconds: number; logprobs?: SampledLogprob }
  /** `text` was held back (part of a possible stop string, an incomplete character) and ends the completion. */
  | {
      type: 'end';
      text: string;
      stop: 'eos' | 'length' | 'stop-string' | 'stop-token' | 'cancelled';
      promptTokens: number;
      /** Tokens that were read before the first was sampled: those of the prompt that no checkpoint had. */
      prefilledTokens: number;
      tokens: number;
      /** A bigint above 2^53 - 1, as other programs may have saved in a state. */
      seed: number | bigint;
      prefillTps: number;
      decodeTps: number;
    };
