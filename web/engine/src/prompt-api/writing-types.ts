/** The types of the writing assistance APIs (https://webmachinelearning.github.io/writing-assistance-apis/) and of the Translator API. */
import type { Availability, Creating, Destroyable } from './types.ts';

/** Options of one input. */
export interface Contextual {
  signal?: AbortSignal;
  context?: string;
}

interface Languages<List = ReadonlyArray<string>> {
  expectedInputLanguages?: List;
  expectedContextLanguages?: List;
  outputLanguage?: string;
}

interface Task extends Destroyable, Readonly<Languages> {
  /** Infinity, for which every usage is 0; or in tokens, where `promptApi` was given a context window. */
  readonly inputQuota: number;
  /** Tokens of an input; 0 where there is no quota. */
  measureInputUsage(input: string, options?: Contextual): Promise<number>;
}

interface Shared extends Creating {
  sharedContext?: string;
}

interface Maker<Core, Options, Made> {
  readonly prototype: Made;
  create(options?: Options): Promise<Made>;
  availability(options?: Core): Promise<Availability>;
}

type StaticOf<Core, Options, Made> = (abstract new () => Made) & Maker<Core, Options, Made>;

/** What a summary is for. */
export type SummarizerType = 'tldr' | 'teaser' | 'key-points' | 'headline';
/** The format of what is written. */
export type TextFormat = 'plain-text' | 'markdown';
/** Its length. */
export type TextLength = 'short' | 'medium' | 'long';

/** What a summariser has to be able to do. */
export interface SummarizerCreateCoreOptions extends Languages {
  type?: SummarizerType;
  format?: TextFormat;
  length?: TextLength;
  preference?: 'auto' | 'speed' | 'capability';
}

/** And the context of all its texts. */
export interface SummarizerCreateOptions extends SummarizerCreateCoreOptions, Shared {}

/** Writes summaries of texts. */
export interface Summarizer extends Task {
  readonly sharedContext: string;
  readonly type: SummarizerType;
  readonly format: TextFormat;
  readonly length: TextLength;
  /** The summary of a text. */
  summarize(input: string, options?: Contextual): Promise<string>;
  /** The same, as it is written. */
  summarizeStreaming(input: string, options?: Contextual): ReadableStream<string>;
}

/** The class of summarisers. */
export type SummarizerStatic = StaticOf<SummarizerCreateCoreOptions, SummarizerCreateOptions, Summarizer>;

/** The tone of what is written. */
export type WriterTone = 'formal' | 'neutral' | 'casual';

/** What a writer has to be able to do. */
export interface WriterCreateCoreOptions extends Languages<string[]> {
  tone?: WriterTone;
  format?: TextFormat;
  length?: TextLength;
}

/** And the context of all its tasks. */
export interface WriterCreateOptions extends WriterCreateCoreOptions, Shared {}

/** Writes what is asked for. */
export interface Writer extends Task {
  readonly sharedContext?: string;
  readonly tone: WriterTone;
  readonly format: TextFormat;
  readonly length: TextLength;
  /** What a task asks for. */
  write(input: string, options?: Contextual): Promise<string>;
  /** The same, as it is written. */
  writeStreaming(input: string, options?: Contextual): ReadableStream<string>;
}

/** The class of writers. */
export type WriterStatic = StaticOf<WriterCreateCoreOptions, WriterCreateOptions, Writer>;

/** How the tone changes. */
export type RewriterTone = 'as-is' | 'more-formal' | 'more-casual';
/** The format of what is written. */
export type RewriterFormat = 'as-is' | TextFormat;
/** How the length changes. */
export type RewriterLength = 'as-is' | 'shorter' | 'longer';

/** What a rewriter has to be able to do. */
export interface RewriterCreateCoreOptions extends Languages {
  tone?: RewriterTone;
  format?: RewriterFormat;
  length?: RewriterLength;
}

/** And the context of all its texts. */
export interface RewriterCreateOptions extends RewriterCreateCoreOptions, Shared {}

/** Writes texts anew. */
export interface Rewriter extends Task {
  readonly sharedContext: string;
  readonly tone: RewriterTone;
  readonly format: RewriterFormat;
  readonly length: RewriterLength;
  /** A text in other words. */
  rewrite(input: string, options?: Contextual): Promise<string>;
  /** The same, as it is written. */
  rewriteStreaming(input: string, options?: Contextual): ReadableStream<string>;
}

/** The class of rewriters. */
export type RewriterStatic = StaticOf<RewriterCreateCoreOptions, RewriterCreateOptions, Rewriter>;

/** From which language into which. */
export interface TranslatorCreateCoreOptions {
  sourceLanguage: string;
  targetLanguage: string;
}

/** And how it is made. */
export interface TranslatorCreateOptions extends TranslatorCreateCoreOptions, Creating {}

/** Translates texts. */
export interface Translator extends Destroyable {
  readonly sourceLanguage: string;
  readonly targetLanguage: string;
  readonly inputQuota: number;
  /** A text in the other language. */
  translate(input: string, options?: { signal?: AbortSignal }): Promise<string>;
  /** The same, as it is written. */
  translateStreaming(input: string, options?: { signal?: AbortSignal }): ReadableStream<string>;
  /** Tokens of a text; 0 where there is no quota. */
  measureInputUsage(input: string, options?: { signal?: AbortSignal }): Promise<number>;
}

/** The class of translators. */
export type TranslatorStatic = (abstract new () => Translator) & {
  readonly prototype: Translator;
  /** Makes a translator, with a model that is downloaded where it is not here. */
  create(options: TranslatorCreateOptions): Promise<Translator>;
  /** Whether one can be made. */
  availability(options: TranslatorCreateCoreOptions): Promise<Availability>;
};
