/** All that a user of the engine needs. What is not here may change at any time. */
export { WebMamba, type KeptModel, type KeptModels, type WebMambaCalls } from './api/web-mamba.ts';
export type { LoadedModel } from './api/loaded-model.ts';
export type { ModelState, StateBlobOptions } from './api/model-state.ts';
export type { ModelStates, OpenStateSettings, ReadOptions, StateSource } from './api/states.ts';
export type {
  AnswerSettings, AvailabilityOptions, CallOptions, CountOptions, EmbedSettings, ExportOptions, LoadOptions, LoadProgress, ScoreSettings, TemplateSettings, VerifyOptions,
} from './api/options.ts';
export type { HubFile, Source } from './api/source.ts';
export { openAiFetch, type OpenAiFetch } from './api/openai/fetch.ts';
export type { ChatCompletions } from './api/openai/chat-completions.ts';
export type { Completions } from './api/openai/completions.ts';
export type {
  ChatCompletion, ChatCompletionBody, ChatCompletionChoice, ChatCompletionChunk, ChatCompletionChunkChoice, ChatCompletionLogprobs, ChatCompletionMessageInput,
  ChatCompletionTokenLogprob, ChatCompletionTool, ChatCompletionToolCall, ChatFinishReason, ChunkStream, Completion, CompletionBody, CompletionChoice, CompletionChunk, CompletionLogprobs, CompletionUsage, FinishReason,
  StreamOptions, TextPart, ToolCallDelta, ToolChoice, TopLogprob,
} from './api/openai/types.ts';
export { EngineClient, type ClientOptions } from './client/client.ts';
export type { SupervisedWorker } from './client/supervisor.ts';
export type {
  AnswerEvent, AnswerOptions, Availability, BatchAnswerOptions, BatchEvent, BatchOptions, BenchOptions, BenchProgress, BenchReport, ByteSource, ChatMessage, DeviceOptions,
  BeginningOptions, GenerateEvent, GenerateOptions, KnownEvent, ModelInfo, OpenedState, OpenModel, OpenProgress, OpenStateOptions, Prompt, RebuildEvent, StateOptions, StopReason,
  StoredModel, TunedOrder,
} from './protocol/protocol.ts';
export type { EngineWorker } from './protocol/calls.ts';
export { GENERATE_DEFAULTS } from './protocol/defaults.ts';
export { splitThoughts, type ThoughtfulAnswer } from './base/thoughts.ts';
export { deviceMemory } from './base/device-memory.ts';
export type {
  ChatTemplateOptions, DeviceLimits, EmbedOptions, FitDoubt, FitProblem, FitReason, FitVerdict, HostMemory, ModelRequirements, SampledLogprob, Score, ScoreOptions, TokenLogprob, Tool,
  ToolCall, ToolFormat,
} from './base/wasm-engine.ts';

export {
  addressSource, fileAddress, isFileKey, modelName, safeName, sourceKey, sourceName, storedName, type ModelSource, type RemoteSource,
} from './store/model-source.ts';
export type { Progress } from './store/download-job.ts';
export type { ExportTarget } from './store/export-model.ts';
export type { Listing } from './store/listing-of.ts';
export { roomLeft, type Room } from './store/room.ts';
export type { VerifyResult } from './store/verify-model.ts';

export { MambaError, failure, failureOf, isEngineCode, toFailure, type FailureReport } from './base/failure.ts';
export { ENGLISH, FAMILIES, setMessages, type EngineCode, type FailureText, type Messages, type OwnMessages } from './base/messages.ts';

/** What a page with a store and sentences of its own shares with the engine. */
export { addressParts, addressText, type AddressText } from './base/address-text.ts';
export { fill, formatBytes, hasRightToLeft, type Blanks } from './base/format.ts';
export { BLOCKED_MILLISECONDS, IndexedDatabase, type DatabaseOptions, type DatabaseProblem } from './base/indexed-database.ts';
export { newId } from './base/new-id.ts';

/** For pages that host the package's files themselves. */
export { setAssets } from './base/assets.ts';
