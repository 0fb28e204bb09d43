/** Random access to the bytes of one file: a store, a server, a local file. */
export interface ByteSource {
  /** For error messages. */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  /** Exactly `length` bytes from byte `offset`. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface LoadOptions {
  /** `auto` (the default) takes WebGPU where there is an adapter that holds the model, else the CPU. */
  backend?: 'auto' | 'webgpu' | 'cpu';
  /** How matrix products see their input: `f32` as it is, `q8` in 8 bits. By default what is fastest on this device. */
  activations?: 'f32' | 'q8';
  /** Bytes of weights read, of all. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface ModelInfo {
  name: string;
  architecture: 'mamba' | 'falcon-mamba';
  parameters: number;
  layers: number;
  dModel: number;
  vocabSize: number;
  /** Bytes of the file, or of all parts. */
  fileBytes: number;
  /** Bytes of the state: the memory of a whole conversation, at any length. */
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
}

export interface ChatMessage {
  role: string;
  content: string;
}

/** All have defaults; temperature 0 is greedy. The same seed gives the same answer. */
export interface GenerateOptions {
  maxTokens?: number;
  /** Texts that end the answer; they are not part of it. */
  stop?: string[];
  /** Tokens that end the answer beside the model's own end tokens. */
  stopTokens?: number[];
  /** Go on past the model's own end tokens. */
  ignoreEos?: boolean;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  penaltyLastN?: number;
  seed?: number;
}

export interface ManyOptions extends GenerateOptions {
  /** Answers that are written at once, 1 to 32, by default 8; each takes the memory of a state. */
  sequences?: number;
}

export type GenerateEvent =
  | { type: 'prefill'; done: number; total: number }
  | { type: 'token'; id: number; text: string; milliseconds: number }
  /** `text` was held back (a stop string that did not come, an incomplete character) and ends the answer. */
  | {
      type: 'end';
      text: string;
      stop: 'eos' | 'length' | 'stop-string' | 'stop-token' | 'cancelled';
      promptTokens: number;
      tokens: number;
      prefillTps: number;
      decodeTps: number;
    };
