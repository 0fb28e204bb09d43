/// <reference types="dom-chromium-ai" />
/** The types of `web-mamba/prompt-api` are those of `@types/dom-chromium-ai`: each takes the place of the other, member by member. */
import { describe, expectTypeOf, test } from 'vitest';
import type * as own from 'web-mamba/prompt-api';

describe('the classes', () => {
  test('stand for those of the browser', () => {
    expectTypeOf<own.LanguageModelStatic>().toExtend<typeof LanguageModel>();
    expectTypeOf<own.SummarizerStatic>().toExtend<typeof Summarizer>();
    expectTypeOf<own.WriterStatic>().toExtend<typeof Writer>();
    expectTypeOf<own.RewriterStatic>().toExtend<typeof Rewriter>();
    expectTypeOf<own.TranslatorStatic>().toExtend<typeof Translator>();
    expectTypeOf<typeof LanguageModel>().toExtend<own.LanguageModelStatic>();
    expectTypeOf<typeof Summarizer>().toExtend<own.SummarizerStatic>();
    expectTypeOf<typeof Writer>().toExtend<own.WriterStatic>();
    expectTypeOf<typeof Rewriter>().toExtend<own.RewriterStatic>();
    expectTypeOf<typeof Translator>().toExtend<own.TranslatorStatic>();
    expectTypeOf<own.PromptApi['LanguageModel']>().toEqualTypeOf<own.LanguageModelStatic>();
  });

  test('have just their members', () => {
    expectTypeOf<keyof own.LanguageModel>().toEqualTypeOf<keyof LanguageModel>();
    expectTypeOf<keyof own.Summarizer>().toEqualTypeOf<keyof Summarizer>();
    expectTypeOf<keyof own.Writer>().toEqualTypeOf<keyof Writer>();
    expectTypeOf<keyof own.Rewriter>().toEqualTypeOf<keyof Rewriter>();
    expectTypeOf<keyof own.Translator>().toEqualTypeOf<keyof Translator>();
    expectTypeOf<keyof own.LanguageModelStatic>().toEqualTypeOf<keyof typeof LanguageModel>();
    expectTypeOf<keyof own.SummarizerStatic>().toEqualTypeOf<keyof typeof Summarizer>();
    expectTypeOf<keyof own.TranslatorStatic>().toEqualTypeOf<keyof typeof Translator>();
  });
});

test('what they take and give is the same', () => {
  expectTypeOf<own.Availability>().toEqualTypeOf<Availability>();
  expectTypeOf<own.LanguageModelPrompt>().toEqualTypeOf<LanguageModelPrompt>();
  expectTypeOf<own.LanguageModelCreateOptions>().toEqualTypeOf<LanguageModelCreateOptions>();
  expectTypeOf<own.LanguageModelCreateCoreOptions>().toEqualTypeOf<LanguageModelCreateCoreOptions>();
  expectTypeOf<own.LanguageModelPromptOptions>().toEqualTypeOf<LanguageModelPromptOptions>();
  expectTypeOf<own.LanguageModelParams>().toEqualTypeOf<LanguageModelParams>();
  expectTypeOf<own.Message>().toEqualTypeOf<LanguageModelMessage>();
  expectTypeOf<own.MessageContent>().toEqualTypeOf<LanguageModelMessageContent>();
  expectTypeOf<own.SummarizerCreateCoreOptions>().toEqualTypeOf<SummarizerCreateCoreOptions>();
  expectTypeOf<own.SummarizerCreateOptions>().toEqualTypeOf<SummarizerCreateOptions>();
  expectTypeOf<own.WriterCreateOptions>().toEqualTypeOf<WriterCreateOptions>();
  expectTypeOf<own.RewriterCreateOptions>().toEqualTypeOf<RewriterCreateOptions>();
  expectTypeOf<own.TranslatorCreateOptions>().toEqualTypeOf<TranslatorCreateOptions>();
  expectTypeOf<own.Contextual>().toEqualTypeOf<SummarizerSummarizeOptions>();
  expectTypeOf<own.Contextual>().toEqualTypeOf<WriterWriteOptions>();
  expectTypeOf<own.Contextual>().toEqualTypeOf<RewriterRewriteOptions>();
  // A type that differs in one member is noticed.
  expectTypeOf<own.LanguageModelPromptOptions & { topK: number }>().not.toEqualTypeOf<LanguageModelPromptOptions>();
});
