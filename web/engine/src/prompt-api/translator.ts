/** `Translator`: whether a model knows two languages, only its card says. */
import { text, wrongOption, type Kinds } from '../api/checks.ts';
import { creatingKinds } from './create-options.ts';
import { typeError } from './exceptions.ts';
import { translationInstruction } from './instructions.ts';
import { canonicalTags, membersOf } from './members.ts';
import type { Settings } from './settings.ts';
import type { ServedModel } from './served-model.ts';
import { ANSWER, createTask, STREAM, Task } from './task.ts';
import type { Availability } from './types.ts';
import type { TranslatorCreateCoreOptions, TranslatorCreateOptions, TranslatorStatic } from './writing-types.ts';

const kinds: Kinds = { ...creatingKinds, sourceLanguage: text, targetLanguage: text };

function optionsOf(given: unknown) {
  const members = membersOf<Required<TranslatorCreateOptions>>(given, kinds);
  const tagOf = (name: 'sourceLanguage' | 'targetLanguage') => {
    const tag = members[name];
    if (tag === undefined) throw typeError(wrongOption(name, tag, text.expected));
    return canonicalTags([tag], name)[0] ?? tag;
  };
  const { signal, monitor } = members;
  const creating = { ...(signal ? { signal } : {}), ...(monitor ? { monitor } : {}) };
  return { creating, said: { sourceLanguage: tagOf('sourceLanguage'), targetLanguage: tagOf('targetLanguage') } };
}

export function translatorOf(served: ServedModel, settings: Settings): TranslatorStatic {
  class Translator extends Task {
    static async create(options: TranslatorCreateOptions): Promise<Translator> {
      const { creating, said } = optionsOf(options);
      const instruction = translationInstruction(said.sourceLanguage, said.targetLanguage);
      return createTask(served, settings, instruction, creating, (parts) => Object.assign(new Translator(parts), said));
    }

    static async availability(options: TranslatorCreateCoreOptions): Promise<Availability> {
      optionsOf(options);
      return served.availability();
    }

    translate(input: string, options?: { signal?: AbortSignal }): Promise<string> {
      return this[ANSWER](input, options);
    }

    translateStreaming(input: string, options?: { signal?: AbortSignal }): ReadableStream<string> {
      return this[STREAM](input, options);
    }
  }
  return Translator as unknown as TranslatorStatic;
}
