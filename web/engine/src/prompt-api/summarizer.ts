/** `Summarizer`. */
import { oneOf, type Kinds } from '../api/checks.ts';
import { summaryInstruction } from './instructions.ts';
import { membersOf } from './members.ts';
import type { Settings } from './settings.ts';
import type { ServedModel } from './served-model.ts';
import { ANSWER, createTask, languageKinds, languagesOf, sharedKinds, STREAM, Task } from './task.ts';
import type { Availability } from './types.ts';
import type { Contextual, SummarizerCreateCoreOptions, SummarizerCreateOptions, SummarizerStatic } from './writing-types.ts';

const kinds: Kinds = {
  type: oneOf('tldr', 'teaser', 'key-points', 'headline'),
  format: oneOf('plain-text', 'markdown'),
  length: oneOf('short', 'medium', 'long'),
  preference: oneOf('auto', 'speed', 'capability'),
  ...languageKinds,
};

function optionsOf(given: unknown) {
  const members = membersOf<Required<SummarizerCreateOptions>>(given, { ...kinds, ...sharedKinds });
  const { type = 'key-points', format = 'markdown', length = 'short', preference = 'auto', sharedContext = '' } = members;
  return { creating: members, said: { type, format, length, preference, sharedContext, ...languagesOf(members) } };
}

export function summarizerOf(served: ServedModel, settings: Settings): SummarizerStatic {
  class Summarizer extends Task {
    static async create(options?: SummarizerCreateOptions): Promise<Summarizer> {
      const { creating, said } = optionsOf(options);
      const instruction = summaryInstruction(said.type, said.format, said.length, said.outputLanguage);
      return createTask(served, settings, instruction, creating, (parts) => Object.assign(new Summarizer(parts), said));
    }

    static async availability(options?: SummarizerCreateCoreOptions): Promise<Availability> {
      optionsOf(options);
      return served.availability();
    }

    summarize(input: string, options?: Contextual): Promise<string> {
      return this[ANSWER](input, options);
    }

    summarizeStreaming(input: string, options?: Contextual): ReadableStream<string> {
      return this[STREAM](input, options);
    }
  }
  return Summarizer as unknown as SummarizerStatic;
}
