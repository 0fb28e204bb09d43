/** All that a user of the engine needs. What is not here may change at any time. */
export { EngineClient, type ClientOptions } from './client/client';
export type { SupervisedWorker } from './client/supervisor';
export type {
  AnswerEvent, AnswerOptions, BatchAnswerOptions, BatchEvent, BatchOptions, BenchOptions, BenchProgress, BenchReport, ByteSource, ChatMessage, DeviceOptions,
  BeginningOptions, GenerateEvent, GenerateOptions, KnownEvent, ModelInfo, OpenedState, OpenModel, OpenProgress, OpenStateOptions, RebuildEvent, StateOptions, StopReason,
  StoredModel, TunedOrder,
} from './protocol/protocol';
export type { EngineWorker } from './protocol/calls';
export { GENERATE_DEFAULTS } from './protocol/defaults';
export { splitThoughts, type ThoughtfulAnswer } from './base/thoughts';
export { deviceMemory } from './base/device-memory';
export type { DeviceLimits, FitDoubt, FitProblem, FitReason, FitVerdict, HostMemory, ModelRequirements } from './base/wasm-engine';

export {
  addressSource, fileAddress, isFileKey, modelName, safeName, sourceKey, sourceName, storedName, type ModelSource, type RemoteSource,
} from './store/model-source';
export type { Progress } from './store/download-job';
export type { ExportTarget } from './store/export-model';
export type { Listing } from './store/listing-of';
export { roomLeft, type Room } from './store/room';
export type { VerifyResult } from './store/verify-model';

export { Failure, failure, failureOf, isEngineCode, toFailure, type FailureReport } from './base/failure';
export { ENGLISH, FAMILIES, setMessages, type EngineCode, type FailureText, type Messages, type OwnMessages } from './base/messages';

/** What a page with a store and sentences of its own shares with the engine. */
export { addressParts, addressText, type AddressText } from './base/address-text';
export { fill, formatBytes, hasRightToLeft, type Blanks } from './base/format';
export { BLOCKED_MILLISECONDS, IndexedDatabase, type DatabaseOptions, type DatabaseProblem } from './base/indexed-database';
export { newId } from './base/new-id';
