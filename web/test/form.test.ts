/** The forms that an answer is held to: what the calls take of them, and the grammar module over a vocabulary. */
import { describe, expect, test } from 'vitest';
import { checkedChat } from '../engine/src/api/openai/chat-body.ts';
import { checkedAnswer } from '../engine/src/api/options.ts';
import type { ConstraintOption } from '../engine/src/base/wasm-engine.ts';
import type { AnswerForm } from '../engine/src/protocol/protocol.ts';
import { grammarModule } from './written-form.ts';

const messages = [{ role: 'user', content: 'a' }] as const;
const schema = { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'], additionalProperties: false };

function refusal(work: () => unknown): { code: string; message: string } {
  try {
    work();
  } catch (thrown) {
    return thrown as { code: string; message: string };
  }
  throw new Error('it was taken');
}

describe('the options', () => {
  test('one of them becomes the form', () => {
    expect(checkedAnswer({ jsonSchema: schema, seed: 1 })).toEqual({ seed: 1, form: { kind: 'jsonSchema', text: JSON.stringify(schema) } });
    expect(checkedAnswer({ regex: 'a+' })).toEqual({ form: { kind: 'regex', text: 'a+' } });
    expect(checkedAnswer({ grammar: 'start: "a"', regex: null, jsonSchema: undefined })).toEqual({ form: { kind: 'grammar', text: 'start: "a"' } });
    expect(checkedAnswer({ seed: 1 })).toEqual({ seed: 1 });
  });

  test.each([
    [{ jsonSchema: 'a' }, 'jsonSchema'],
    [{ jsonSchema: [] }, 'jsonSchema'],
    [{ regex: /a/ }, 'regex'],
    [{ grammar: 1 }, 'grammar'],
    [{ regex: 'a', grammar: 'b' }, 'grammar'],
    [{ jsonSchema: {}, regex: 'a' }, 'regex'],
    [{ form: { kind: 'regex', text: 'a' } }, 'form'],
    [{ json_schema: {} }, 'jsonSchema'],
  ])('%j is refused by name', (given, name) => {
    const { code, message, remedy } = refusal(() => checkedAnswer(given)) as { code: string; message: string; remedy: string };
    expect(code).toBe('invalid-option');
    expect(message + remedy).toContain(name);
  });
});

test('a schema is what JSON can say', () => {
  const circle: Record<string, unknown> = {};
  circle.properties = circle;
  for (const given of [circle, { minimum: 1n }]) expect(refusal(() => checkedAnswer({ jsonSchema: given })).message).toContain('jsonSchema');
});

describe('response_format', () => {
  const formOf = (format: unknown) => (checkedChat({ messages, response_format: format }).options as { form?: AnswerForm }).form;

  test('each type is its form', () => {
    expect(formOf(undefined)).toBeUndefined();
    expect(formOf({ type: 'text' })).toBeUndefined();
    expect(formOf({ type: 'json_object' })).toEqual({ kind: 'jsonSchema', text: '{"type":"object"}' });
    for (const strict of [true, false, null, undefined]) {
      const asked = { type: 'json_schema', json_schema: { name: 'x', description: 'y', strict, schema } };
      expect(formOf(asked)).toEqual({ kind: 'jsonSchema', text: JSON.stringify(schema) });
    }
    expect(formOf({ type: 'json_schema', json_schema: { name: 'x' } })).toEqual({ kind: 'jsonSchema', text: '{"type":"object"}' });
  });

  test.each([
    ['text', 'response_format'],
    [{}, 'response_format.type'],
    [{ type: 'grammar' }, 'response_format.type'],
    [{ type: 'json_schema' }, 'response_format.json_schema'],
    [{ type: 'json_object', json_schema: { name: 'x' } }, 'response_format.json_schema'],
    [{ type: 'json_schema', json_schema: { schema } }, 'response_format.json_schema.name'],
    [{ type: 'json_schema', json_schema: { name: 'a b' } }, 'response_format.json_schema.name'],
    [{ type: 'json_schema', json_schema: { name: 'x', schema: [] } }, 'response_format.json_schema.schema'],
    [{ type: 'json_schema', json_schema: { name: 'x', scheme: {} } }, 'response_format.json_schema.scheme'],
    [{ type: 'json_schema', json_schema: { name: 'x', strict: 'yes' } }, 'response_format.json_schema.strict'],
  ])('%j is refused by name', (format, name) => {
    expect(refusal(() => formOf(format)).message).toContain(`“${name}”`);
  });
});

describe('the module', () => {
  const { answers, model, allowed, written, faults } = grammarModule();

  test('an answer ends where nothing may follow', async () => {
    expect(await written({ kind: 'jsonSchema', text: JSON.stringify(schema) })).toBe('{"a": true}');
    expect(await written({ kind: 'regex', text: '(ja|nein){2}' })).toBe('neinnein');
    expect(await written({ kind: 'grammar', text: 'start: "x" ("y" | "z")' })).toBe('xz');
  });

  test('each completion has a constraint of its own', async () => {
    await answers.run(model, { kind: 'regex', text: 'ab' }, 0, async ({ make }: ConstraintOption) => {
      const [one, other] = [make(0), make(1)];
      one.take(97);
      expect([allowed(one.mask()), allowed(other.mask())]).toEqual([[98], [97]]);
      expect(() => one.take(97)).toThrow();
      expect(allowed(other.mask())).toEqual([97]);
    });
    expect(faults).toEqual([]);
  });

  test('what cannot be followed is a failure that names it', async () => {
    const asked = answers.run(model, { kind: 'jsonSchema', text: '{"not":{}}' }, 0, () => Promise.reject(new Error('it ran')));
    await expect(asked).rejects.toMatchObject({ code: 'grammar', message: expect.stringContaining('not') as string });
    await expect(asked).rejects.toMatchObject({ remedy: expect.stringContaining('schema') as string });
  });
});
