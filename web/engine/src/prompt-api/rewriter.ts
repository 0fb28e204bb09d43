/** `Rewriter`. */
import { oneOf, type Kinds } from '../api/checks.ts';
import { rewritingInstruction } from './instructions.ts';
import { membersOf } from './members.ts';
import type { Settings } from './settings.ts';
import type { ServedModel } from './served-model.ts';
import { ANSWER, createTask, languageKinds, languagesOf, sharedKinds, STREAM, Task } from './task.ts';
import type { Availability } from './types.ts';
import type { Contextual, RewriterCreateCoreOptions, RewriterCreateOptions, RewriterStatic } from './writing-types.ts';

const kinds: Kinds = {
  tone: oneOf('as-is', 'more-formal', 'more-casual'),
  format: oneOf('as-is', 'plain-text', 'markdown'),
  length: oneOf('as-is', 'shorter', 'longer'),
  ...languageKinds,
};

function optionsOf(given: unknown) {
  const members = membersOf<Required<RewriterCreateOptions>>(given, { ...kinds, ...sharedKinds });
  const { tone = 'as-is', format = 'as-is', length = 'as-is', sharedContext = '' } = members;
  return { creating: members, said: { tone, format, length, sharedContext, ...languagesOf(members) } };
}

export function rewriterOf(served: ServedModel, settings: Settings): RewriterStatic {
  class Rewriter extends Task {
    static async create(options?: RewriterCreateOptions): Promise<Rewriter> {
      const { creating, said } = optionsOf(options);
      const instruction = rewritingInstruction(said.tone, said.format, said.length, said.outputLanguage);
      return createTask(served, settings, instruction, creating, (parts) => Object.assign(new Rewriter(parts), said));
    }

    static async availability(options?: RewriterCreateCoreOptions): Promise<Availability> {
      optionsOf(options);
      return served.availability();
    }

    rewrite(input: string, options?: Contextual): Promise<string> {
      return this[ANSWER](input, options);
    }

    rewriteStreaming(input: string, options?: Contextual): ReadableStream<string> {
      return this[STREAM](input, options);
    }
  }
  return Rewriter as unknown as RewriterStatic;
}
