/** What is given to `prompt`, `append` and `initialPrompts`, in one form. The engine reads text: other contents are refused as the specification says. */
import type { ChatMessage } from '../base/wasm-engine.ts';
import { oneOf, text, unsupportedOption, wrongArgument, type Kind } from '../api/checks.ts';
import { exception, typeError } from './exceptions.ts';

export interface CanonicalPrompt {
  messages: ChatMessage[];
  /** Whether the answer begins with the last message. */
  isPrefixed: boolean;
}

const role = oneOf('system', 'user', 'assistant');
const type = oneOf('text', 'image', 'audio', 'tool-call', 'tool-response');
const list: Kind = { fits: (value) => typeof value === 'object' && value !== null && Symbol.iterator in value, expected: 'a text or an array' };
const dictionary: Kind = { fits: (value) => typeof value === 'object' && value !== null, expected: 'an object' };

/** `hasInput`: something was read before it. */
export function canonicalPrompt(input: unknown, hasInput: boolean, name = 'input'): CanonicalPrompt {
  if (typeof input === 'string') return { messages: [{ role: 'user', content: input }], isPrefixed: false };
  const given = itemsOf(input, name);
  if (given.length === 0) return { messages: [{ role: 'user', content: '' }], isPrefixed: false };
  let isPrefixed = false;
  const messages = given.map((message, at) => {
    const place = `${name}[${at}]`;
    const fields = required(message, dictionary, place) as Record<string, unknown>;
    const said = { role: required(fields.role, role, `${place}.role`) as string, content: contentOf(fields.content, `${place}.content`) };
    if (fields.prefix) {
      if (said.role !== 'assistant' || at < given.length - 1) {
        throw exception('SyntaxError', wrongArgument(`${place}.prefix`, true, 'absent but in a last message of the assistant'));
      }
      isPrefixed = true;
    }
    if (said.role === 'system' && (hasInput || at > 0)) throw typeError(wrongArgument(`${place}.role`, said.role, 'one of another role after the first message'));
    return said;
  });
  return { messages, isPrefixed };
}

/** Neighbouring texts become one, without anything between them. */
function contentOf(content: unknown, place: string): string {
  if (typeof content === 'string') return content;
  return itemsOf(content, place).map((part, at) => {
    const fields = required(part, dictionary, `${place}[${at}]`) as Record<string, unknown>;
    const kind = required(fields.type, type, `${place}[${at}].type`);
    if (kind !== 'text') throw exception('NotSupportedError', unsupportedOption(`${place}[${at}].type`, kind));
    return required(fields.value, text, `${place}[${at}].value`);
  }).join('');
}

function itemsOf(value: unknown, place: string): unknown[] {
  return [...(required(value, list, place) as Iterable<unknown>)];
}

function required(value: unknown, kind: Kind, place: string): unknown {
  if (!kind.fits(value)) throw typeError(wrongArgument(place, value, kind.expected));
  return value;
}
