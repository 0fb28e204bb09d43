/** The forms that an answer can be held to: options of `generate`, and what the worker is asked for. */
import type { AnswerForm } from '../protocol/protocol.ts';
import { text, wrongOption, type Kind, type Optional } from './checks.ts';

/** At most one of them. */
export interface FormOptions {
  /** The answer is JSON, on one line, that this schema describes. */
  jsonSchema: object;
  /** All of the answer matches this regular expression. */
  regex: string;
  /** The answer is of this grammar: Lark, as `llguidance` reads it. */
  grammar: string;
}

const isSchema = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value) && jsonOf(value) !== undefined;

export const schema: Kind = { fits: isSchema, expected: 'a JSON schema: an object of what JSON can say' };

export const formKinds: Readonly<Record<keyof FormOptions, Kind>> = { jsonSchema: schema, regex: text, grammar: text };

/** Checked options with the form apart. */
export function withForm<Options extends Optional<FormOptions>>(given: Options): Omit<Options, keyof FormOptions> & { form?: AnswerForm } {
  const { jsonSchema, regex, grammar, ...others } = given;
  const asked = { jsonSchema, regex, grammar };
  const [first, second] = (Object.keys(asked) as (keyof FormOptions)[]).filter((kind) => asked[kind] !== undefined && asked[kind] !== null);
  if (!first) return others;
  if (second) throw wrongOption(second, asked[second], `absent, as it is to be beside ${first}`);
  return { ...others, form: first === 'jsonSchema' ? schemaForm(jsonSchema as object) : { kind: first, text: asked[first] as string } };
}

export function schemaForm(given: object): AnswerForm {
  return { kind: 'jsonSchema', text: jsonOf(given) ?? '' };
}

/** Nothing for what JSON cannot say: a cycle, or a `bigint`. */
function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
