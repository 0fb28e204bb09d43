/** OpenAI's `response_format`, as the form that an answer is held to. */
import type { AnswerForm } from '../../protocol/protocol.ts';
import { checkedOptions, flag, oneOf, text, wrongOption, type Kind, type Kinds } from '../checks.ts';
import { schema, schemaForm } from '../form.ts';
import type { JsonSchemaFormat, ResponseFormat } from './types.ts';

/** OpenAI's own rule for a name. */
const NAME = /^[\w-]{1,64}$/;

const name: Kind = { fits: (value) => typeof value === 'string' && NAME.test(value), expected: 'a name of 1 to 64 letters, digits, underscores and dashes' };
const formatKinds: Kinds = { type: oneOf('text', 'json_object', 'json_schema'), json_schema: { fits: (value) => typeof value === 'object', expected: 'an object with name and schema' } };
const schemaKinds: Kinds = { name, description: text, schema, strict: flag };

export const responseFormat: Kind = { fits: (value) => typeof value === 'object', expected: 'an object with type' };

/** The form of a response format; nothing for plain text. A schema is followed whether it is `strict` or not. */
export function formOf(given: unknown): AnswerForm | undefined {
  if (given === undefined || given === null) return undefined;
  const { type, json_schema: asked } = checkedOptions<ResponseFormat>(given, formatKinds, { argument: 'response_format', within: 'response_format.' });
  if (type === undefined) throw wrongOption('response_format.type', type, formatKinds.type?.expected ?? '');
  if (type !== 'json_schema') {
    if (asked !== undefined) throw wrongOption('response_format.json_schema', asked, `absent, as it is to be with the type ${type}`);
    return type === 'text' ? undefined : schemaForm({ type: 'object' });
  }
  if (asked === undefined) throw wrongOption('response_format.json_schema', asked, 'an object with name and schema');
  const within = { argument: 'response_format.json_schema', within: 'response_format.json_schema.' };
  const { name: title, schema: described } = checkedOptions<JsonSchemaFormat>(asked, schemaKinds, within);
  if (title === undefined) throw wrongOption('response_format.json_schema.name', title, name.expected);
  return schemaForm(described ?? { type: 'object' });
}
