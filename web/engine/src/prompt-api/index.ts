/** `web-mamba/prompt-api`: the browser's own interfaces to language models, answered by a model of this engine. */
import { checkedOptions, whole, type Kind, type Kinds, type Optional } from '../api/checks.ts';
import { loadKinds, type LoadOptions } from '../api/options.ts';
import { languageModelOf } from './language-model.ts';
import { rewriterOf } from './rewriter.ts';
import { ServedModel, type PromptApiModel } from './served-model.ts';
import { summarizerOf } from './summarizer.ts';
import { translatorOf } from './translator.ts';
import type { LanguageModelStatic } from './types.ts';
import { writerOf } from './writer.ts';
import type { RewriterStatic, SummarizerStatic, TranslatorStatic, WriterStatic } from './writing-types.ts';

export type { PromptApiModel } from './served-model.ts';
export type * from './types.ts';
export type * from './writing-types.ts';

/**
 * With those of `WebMamba.load`, which a source is loaded with and a function is given; a model that is loaded has none left to ask for.
 * `signal` ends a load, and every later one.
 */
export type PromptApiOptions = LoadOptions & Optional<{
  /** Tokens that a session may have read. By default there is no limit: what a recurrent model remembers has one size. */
  contextWindow: number;
  /** Tokens that an answer has at most; 4096 by default. */
  maxTokens: number;
}>;

/** The classes, whose objects share one model. */
export interface PromptApi {
  readonly LanguageModel: LanguageModelStatic;
  readonly Summarizer: SummarizerStatic;
  readonly Writer: WriterStatic;
  readonly Rewriter: RewriterStatic;
  readonly Translator: TranslatorStatic;
  /** Closes the model, where it was loaded here. An object that is created later loads it again. */
  close(): Promise<void>;
}

const MAX_TOKENS = 4096;
const contextWindowKind: Kind = { fits: (value) => value === Infinity || whole(1).fits(value), expected: 'a whole number of tokens, or Infinity' };
const kinds: Kinds = { ...loadKinds, contextWindow: contextWindowKind, maxTokens: whole(1) };

/**
 * The classes, whose objects share one model: one that is loaded, a source, which is loaded when the first of them is created, or a function
 * that loads it. Nothing is installed.
 */
export function promptApi(model: PromptApiModel, options?: PromptApiOptions | null): PromptApi {
  const { contextWindow = Infinity, maxTokens = MAX_TOKENS, ...load } = checkedOptions<{ contextWindow: number; maxTokens: number } & LoadOptions>(options, kinds);
  const [served, settings] = [new ServedModel(model, load), { contextWindow, maxTokens }];
  return {
    LanguageModel: languageModelOf(served, settings),
    Summarizer: summarizerOf(served, settings),
    Writer: writerOf(served, settings),
    Rewriter: rewriterOf(served, settings),
    Translator: translatorOf(served, settings),
    close: () => served.close(),
  };
}

/** And makes them global, in place of the browser's own where it has some. */
export function installPromptApi(model: PromptApiModel, options?: PromptApiOptions | null): PromptApi {
  const api = promptApi(model, options);
  const { close: _, ...classes } = api;
  for (const [name, value] of Object.entries(classes)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  return api;
}
