/**
 * The parts of `LanguageModelV4` and `EmbeddingModelV4`, the AI SDK's specifications, that this provider has. A test holds them to
 * `@ai-sdk/provider` 4.
 */

/** The provider's name, under which it takes options of its own. */
export const PROVIDER = 'web-mamba';

type Maybe<Fields> = { [Name in keyof Fields]?: Fields[Name] | undefined };

/** A part of a message, by its `type`. */
export interface PromptPart {
  type: string;
  text?: unknown;
  data?: unknown;
  mediaType?: unknown;
  toolCallId?: unknown;
  toolName?: unknown;
  input?: unknown;
  output?: unknown;
}

/** A message of a conversation. */
export interface PromptMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | readonly PromptPart[];
}

/** A tool that the model may call. Those of other types than `function` are a provider's own, and are passed over. */
export type CallableTool = { type: 'function'; name: string; description?: string; inputSchema: object; strict?: boolean } | { type: 'provider'; name: string };

/** What a call is given. */
export interface CallOptions extends Maybe<{
  maxOutputTokens: number;
  temperature: number;
  stopSequences: readonly string[];
  topP: number;
  topK: number;
  presencePenalty: number;
  frequencyPenalty: number;
  responseFormat: { type: 'text' } | { type: 'json'; schema?: object };
  seed: number;
  tools: readonly CallableTool[];
  toolChoice: { type: 'auto' | 'none' | 'required' } | { type: 'tool'; toolName: string };
  includeRawChunks: boolean;
  abortSignal: AbortSignal;
  headers: object;
  reasoning: string;
  /** `web-mamba`: options of `generate` that the AI SDK does not have. */
  providerOptions: Readonly<Record<string, object>>;
}> {
  prompt: readonly PromptMessage[];
}

/** A setting that is passed over, or only partly honoured. */
export type Warning =
  | { type: 'unsupported' | 'compatibility'; feature: string; details?: string }
  | { type: 'other'; message: string };

/** Tokens that were read and written. */
export interface Usage {
  inputTokens: { total: number | undefined; noCache: number | undefined; cacheRead: number | undefined; cacheWrite: undefined };
  outputTokens: { total: number | undefined; text: number | undefined; reasoning: number | undefined };
}

/** Why an answer ended. */
export interface Finish {
  unified: 'stop' | 'length' | 'tool-calls' | 'error';
  /** The engine's own reason, or an error's code. */
  raw: string;
}

/** Which answer it is. */
export interface Metadata {
  id: string;
  timestamp: Date;
  modelId: string;
}

/** An answer as a whole. */
export interface GenerateResult {
  content: ({ type: 'text' | 'reasoning'; text: string } | ToolCallPart)[];
  finishReason: Finish;
  usage: Usage;
  warnings: Warning[];
  response: Metadata;
}

/** A call of a tool; `input` is JSON. */
export interface ToolCallPart {
  type: 'tool-call';
  toolCallId: string;
  toolName: string;
  input: string;
}

type Block = 'text' | 'reasoning';

/** An answer in parts. */
export type StreamPart =
  | { type: 'stream-start'; warnings: Warning[] }
  | ({ type: 'response-metadata' } & Metadata)
  | { type: `${Block}-start` | `${Block}-end`; id: string }
  | { type: `${Block}-delta`; id: string; delta: string }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | { type: 'tool-input-delta'; id: string; delta: string }
  | { type: 'tool-input-end'; id: string }
  | ToolCallPart
  | { type: 'raw'; rawValue: unknown }
  | { type: 'error'; error: unknown }
  | { type: 'finish'; finishReason: Finish; usage: Usage };

/** A language model, as `generateText`, `streamText` and the others of the AI SDK take it. */
export interface WebMambaLanguageModel {
  readonly specificationVersion: 'v4';
  readonly provider: 'web-mamba';
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]>;
  /** Answers as a whole. */
  doGenerate(options: CallOptions): Promise<GenerateResult>;
  /** Answers in parts. */
  doStream(options: CallOptions): Promise<{ stream: ReadableStream<StreamPart> }>;
}

/** What a call for vectors is given. */
export interface EmbeddingCallOptions extends Maybe<{
  dimensions: number;
  abortSignal: AbortSignal;
  headers: object;
  /** `web-mamba`: `pooling` and `normalize` of `embed`. */
  providerOptions: Readonly<Record<string, object>>;
}> {
  values: string[];
}

/** A vector for each text, in their order. */
export interface EmbeddingResult {
  embeddings: number[][];
  usage: { tokens: number };
  warnings: never[];
}

/** A model for `embed` and `embedMany`. */
export interface WebMambaEmbeddingModel {
  readonly specificationVersion: 'v4';
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  /** A vector of each text. */
  doEmbed(options: EmbeddingCallOptions): Promise<EmbeddingResult>;
}
