/** `Writer`. */
import { oneOf, type Kinds } from '../api/checks.ts';
import { writingInstruction } from './instructions.ts';
import { membersOf } from './members.ts';
import type { Settings } from './settings.ts';
import type { ServedModel } from './served-model.ts';
import { ANSWER, createTask, languageKinds, languagesOf, sharedKinds, STREAM, Task } from './task.ts';
import type { Availability } from './types.ts';
import type { Contextual, WriterCreateCoreOptions, WriterCreateOptions, WriterStatic } from './writing-types.ts';

const kinds: Kinds = {
  tone: oneOf('formal', 'neutral', 'casual'), format: oneOf('plain-text', 'markdown'), length: oneOf('short', 'medium', 'long'), ...languageKinds,
};

function optionsOf(given: unknown) {
  const members = membersOf<Required<WriterCreateOptions>>(given, { ...kinds, ...sharedKinds });
  const { tone = 'neutral', format = 'markdown', length = 'short', sharedContext = '' } = members;
  return { creating: members, said: { tone, format, length, sharedContext, ...languagesOf(members) } };
}

export function writerOf(served: ServedModel, settings: Settings): WriterStatic {
  class Writer extends Task {
    static async create(options?: WriterCreateOptions): Promise<Writer> {
      const { creating, said } = optionsOf(options);
      const instruction = writingInstruction(said.tone, said.format, said.length, said.outputLanguage);
      return createTask(served, settings, instruction, creating, (parts) => Object.assign(new Writer(parts), said));
    }

    static async availability(options?: WriterCreateCoreOptions): Promise<Availability> {
      optionsOf(options);
      return served.availability();
    }

    write(input: string, options?: Contextual): Promise<string> {
      return this[ANSWER](input, options);
    }

    writeStreaming(input: string, options?: Contextual): ReadableStream<string> {
      return this[STREAM](input, options);
    }
  }
  return Writer as unknown as WriterStatic;
}
