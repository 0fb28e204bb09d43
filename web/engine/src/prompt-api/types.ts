/**
 * The Prompt API's types, of the W3C group's draft (https://webmachinelearning.github.io/prompt-api/), and what it shares with the writing
 * assistance APIs. A test holds them to the package `@types/dom-chromium-ai`.
 */

/** Whether an object can be created: at once, after a download, or not at all. */
export type Availability = 'unavailable' | 'downloadable' | 'downloading' | 'available';

/** What can be ended. */
export interface Destroyable {
  /** Ends it, and its calls with an `AbortError`. */
  destroy(): void;
}

type Listener<Of, Event> = (this: Of, event: Event) => any;

/** An event target whose events have names and types. */
interface Target<Of, Events> extends EventTarget {
  addEventListener<Name extends keyof Events>(type: Name, listener: Listener<Of, Events[Name]>, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Name extends keyof Events>(type: Name, listener: Listener<Of, Events[Name]>, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

/** Hears how far a download is: `loaded` is a fraction of 1. */
export interface CreateMonitor extends Target<CreateMonitor, { downloadprogress: ProgressEvent }> {
  ondownloadprogress: Listener<CreateMonitor, ProgressEvent> | null;
}

/** Is called once, before anything is downloaded. */
export type CreateMonitorCallback = (monitor: CreateMonitor) => void;

/** Ends a creation, and what it has created; listens to the download. */
export interface Creating {
  signal?: AbortSignal;
  monitor?: CreateMonitorCallback;
}

type Role = 'user' | 'assistant';
/** What a part of a message is. The engine reads text. */
export type MessageType = 'text' | 'image' | 'audio';
/** A type of pages, which workers do not have. */
type PageAudioBuffer = typeof globalThis extends { AudioBuffer: { prototype: infer Audio } } ? Audio : never;

/** A part of a message. */
export interface MessageContent {
  type: MessageType;
  value: ImageBitmapSource | PageAudioBuffer | BufferSource | string;
}

type Content = MessageContent[] | string;

/** A message of the user’s or the assistant’s. */
export interface Message {
  role: Role;
  content: Content;
}

/** A message of the assistant’s, which an answer may begin with. */
export interface AssistantMessage {
  role: 'assistant';
  content: Content;
  /** Of the last message: the answer begins with it. */
  prefix?: boolean;
}

/** What holds for a whole session: its first message. */
export interface SystemMessage {
  role: 'system';
  content: Content;
}

/** Messages, or a text, which is one of the user’s. */
export type LanguageModelPrompt = (Message | AssistantMessage)[] | string;

/** A type of parts and their languages. */
export interface Expected {
  type: MessageType;
  languages?: string[];
}

/** A function that a model may call: the engine does not have any. */
export interface Tool {
  name: string;
  description: string;
  inputSchema: object;
  /** Is called with what the model gives. */
  execute: (...given: any[]) => Promise<string>;
}

/** How much is left to chance. */
export type SamplingMode = 'most-predictable' | 'predictable' | 'balanced' | 'creative' | 'most-creative';
type Sampling = { samplingMode?: SamplingMode; topK?: never; temperature?: never } | { samplingMode?: never; topK?: number; temperature?: number };

/** What a session has to be able to do. */
export type LanguageModelCreateCoreOptions = { expectedInputs?: Expected[]; expectedOutputs?: Expected[]; tools?: Tool[] } & Sampling;

/** And how it begins. */
export type LanguageModelCreateOptions = LanguageModelCreateCoreOptions & {
  signal?: AbortSignal;
  monitor?: CreateMonitorCallback;
  initialPrompts?: [SystemMessage, ...Message[]] | Message[];
};

/** Options of a prompt. */
export interface LanguageModelPromptOptions {
  /** A JSON schema or a regular expression that the answer matches. */
  responseConstraint?: Record<string, unknown>;
  omitResponseConstraintInput?: boolean;
  signal?: AbortSignal;
}

/** Ends a call, which then rejects with the signal’s reason. */
export interface Ending {
  signal?: AbortSignal;
}

interface OverflowEvents {
  contextoverflow: Event;
  quotaoverflow: Event;
}

/** A session: a conversation with the model. */
export interface LanguageModel extends Target<LanguageModel, OverflowEvents>, Destroyable {
  /** The answer to a prompt, which then belongs to the conversation. */
  prompt(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<string>;
  /** The same, as it is written. */
  promptStreaming(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): ReadableStream<string>;
  /** Reads messages ahead of a prompt. */
  append(input: LanguageModelPrompt, options?: Ending): Promise<undefined>;
  /** Tokens that a prompt would add. */
  measureContextUsage(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<number>;
  /** @deprecated `measureContextUsage`. */
  measureInputUsage(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<number>;
  /** Tokens of the conversation. */
  readonly contextUsage: number;
  /** @deprecated `contextUsage`. */
  readonly inputUsage: number;
  /** Infinity: a recurrent model reads on; or what `promptApi` was given. */
  readonly contextWindow: number;
  /** @deprecated `contextWindow`. */
  readonly inputQuota: number;
  oncontextoverflow: Listener<LanguageModel, Event> | null;
  /** @deprecated `oncontextoverflow`. */
  onquotaoverflow: Listener<LanguageModel, Event> | null;
  readonly topK: number;
  readonly temperature: number;
  /** Another session that goes on from here, at once. */
  clone(options?: Ending): Promise<LanguageModel>;
  /** Ends the session, and its calls with an `AbortError`. */
  destroy(): undefined;
}

/** The range of sampling. */
export interface LanguageModelParams {
  readonly defaultTopK: number;
  readonly maxTopK: number;
  readonly defaultTemperature: number;
  readonly maxTemperature: number;
}

/** The class of sessions. */
export type LanguageModelStatic = (abstract new () => LanguageModel) & {
  readonly prototype: LanguageModel;
  /** Makes a session, with a model that is downloaded where it is not here. */
  create(options?: LanguageModelCreateOptions): Promise<LanguageModel>;
  /** Whether such a session can be made. */
  availability(options?: LanguageModelCreateCoreOptions): Promise<Availability>;
  /** @deprecated */
  params(): Promise<LanguageModelParams>;
};
