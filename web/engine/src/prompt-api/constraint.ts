/** `responseConstraint` as an option of the engine's: a JSON schema, or a regular expression. */
import { flag, wrongOption, type Kind, type Kinds } from '../api/checks.ts';
import type { AnswerSettings } from '../api/options.ts';
import { typeError } from './exceptions.ts';

const object: Kind = { fits: (value) => typeof value === 'object', expected: 'a JSON schema or a RegExp' };
export const constraintKinds: Kinds = { responseConstraint: object, omitResponseConstraintInput: flag };

export interface ConstraintMembers {
  responseConstraint: object;
  omitResponseConstraintInput: boolean;
}

/** What the answer is held to. The schema is never a part of the prompt. */
export function constrained({ responseConstraint, omitResponseConstraintInput }: Partial<ConstraintMembers>): AnswerSettings {
  if (responseConstraint === undefined) {
    if (omitResponseConstraintInput) throw typeError(wrongOption('omitResponseConstraintInput', true, 'absent, as it is to be without responseConstraint'));
    return {};
  }
  return responseConstraint instanceof RegExp ? { regex: textOf(responseConstraint) } : { jsonSchema: responseConstraint };
}

/** What `i`, `s` and `m` mean is written into the expression; the other flags say nothing about a text that matches as a whole. */
function textOf({ source, flags }: RegExp): string {
  const kept = flags.replace(/[^ism]/g, '');
  return kept === '' ? source : `(?${kept})${source}`;
}
