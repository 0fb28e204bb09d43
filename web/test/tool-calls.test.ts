/** Forms of calls: answers that are read, however they are cut into pieces, and answers that are held to a form. */
import { describe, expect, test } from 'vitest';
import type { Tool, ToolFormat } from '../engine/src/base/wasm-engine';
import { callFormats, callGrammar, callsInTextGrammar } from '../engine/src/api/openai/call-format';
import { CallReader, type CallPiece } from '../engine/src/api/openai/call-reader';
import { grammarModule } from './written-form';

const NAMES = new Set(['get_weather', 'now']);

interface Read {
  text: string;
  /** Name and arguments, and `…` where these do not end. */
  calls: [name: string, json: string][];
}

function read(format: ToolFormat, pieces: readonly string[], most = Infinity): Read {
  const reader = new CallReader({ format: callFormats[format], names: NAMES, most });
  const all: CallPiece[] = [...pieces.flatMap((piece) => reader.take(piece)), ...reader.end()];
  const result: Read = { text: '', calls: [] };
  const ids = new Set<string>();
  const open = new Set<number>();
  for (const piece of all) {
    if (piece.kind === 'text') result.text += piece.text;
    if (piece.kind === 'call') {
      expect(piece).toMatchObject({ index: result.calls.length, id: expect.stringMatching(/^[0-9a-z]{9}$/) as string });
      ids.add(piece.id);
      open.add(piece.index);
      result.calls.push([piece.name, '']);
    }
    if (piece.kind === 'arguments') result.calls[piece.index]![1] += piece.text;
    if (piece.kind === 'end') expect(open.delete(piece.index)).toBe(true);
  }
  expect([ids.size, reader.count]).toEqual([result.calls.length, result.calls.length]);
  for (const index of open) result.calls[index]![1] += '…';
  return result;
}

const WEATHER = '{"place": "Köln }\\" {\\\\", "days": [1, {"a": "]"}]}';
const call = (args: string, name = 'get_weather', key = 'arguments') => `{"name": "${name}", "${key}": ${args}}`;
const hermes = (body: string) => `<tool_call>\n${body}\n</tool_call>`;

const CASES: [ToolFormat, string, string, Read][] = [
  ['hermes', 'a text alone', 'Hello <b>you</b> < 3, {"name": "get_weather"} \n', { text: 'Hello <b>you</b> < 3, {"name": "get_weather"} \n', calls: [] }],
  ['hermes', 'a call alone', hermes(call(WEATHER)), { text: '', calls: [['get_weather', WEATHER]] }],
  ['hermes', 'a text, then calls', `I look. \n\n${hermes(call(WEATHER))}\n${hermes(call('{}', 'now'))}\n`, { text: 'I look.', calls: [['get_weather', WEATHER], ['now', '{}']] }],
  ['hermes', 'a text after a call', `${hermes(call('{}', 'now'))} Done.`, { text: ' Done.', calls: [['now', '{}']] }],
  ['hermes', 'a call of what is no tool', hermes(call('{"a":1}', 'other')), { text: '', calls: [['other', '{"a":1}']] }],
  ['hermes', 'names in another order', hermes('{"arguments": {"a": 1}, "name": "now"}'), { text: '', calls: [['now', '{"a":1}']] }],
  ['hermes', 'more names', hermes('{"name": "now", "arguments": {"a": 1}, "id": "}"}'), { text: '', calls: [['now', '{"a": 1}']] }],
  ['hermes', 'arguments as a text', hermes('{"name": "now", "arguments": "{\\"a\\": 1}"}'), { text: '', calls: [['now', '{"a": 1}']] }],
  ['hermes', 'no arguments', hermes('{"name": "now"}'), { text: '', calls: [['now', '{}']] }],
  ['hermes', 'a brace that is missing', `<tool_call>\n{"name": "now", "arguments": {"a": 1}\n</tool_call>\n${hermes(call('{}', 'now'))}`, { text: '', calls: [['now', '{"a": 1}'], ['now', '{}']] }],
  ['hermes', 'without line breaks', `<tool_call>${call('{}', 'now')}</tool_call>`, { text: '', calls: [['now', '{}']] }],
  ['hermes', 'what is no call', '<tool_call>now()</tool_call>', { text: '<tool_call>now()</tool_call>', calls: [] }],
  ['hermes', 'JSON that is no call', '<tool_call>{"a": 1}</tool_call>', { text: '<tool_call>{"a": 1}</tool_call>', calls: [] }],
  ['hermes', 'a call that is cut off', `Yes.\n<tool_call>\n{"name": "get_weather", "arguments": {"place": "K`, { text: 'Yes.', calls: [['get_weather', '{"place": "K…']] }],
  ['hermes', 'a head that is cut off', 'Yes.\n<tool_call>\n{"name": "get_we', { text: 'Yes.', calls: [] }],
  ['hermes', 'a call without its end', `<tool_call>\n${call('{}', 'now')}`, { text: '', calls: [['now', '{}']] }],
  ['hermes', 'half an opening', 'Is a <tool', { text: 'Is a <tool', calls: [] }],
  ['llama', 'a call', `\n${call(WEATHER, 'get_weather', 'parameters')}`, { text: '', calls: [['get_weather', WEATHER]] }],
  ['llama', 'a text', 'Hello {"name": "now", "parameters": {}} ', { text: 'Hello {"name": "now", "parameters": {}} ', calls: [] }],
  ['llama', 'JSON that is an answer', ' {"name": "Ann", "parameters": {"a": 1}}', { text: ' {"name": "Ann", "parameters": {"a": 1}}', calls: [] }],
  ['llama', 'JSON of another kind', '{"a": [1, "}"]} and more', { text: '{"a": [1, "}"]} and more', calls: [] }],
  ['llama', 'JSON that is cut off', '{"name": "n', { text: '{"name": "n', calls: [] }],
  ['llama', 'names in another order', '{"parameters": {"a": 1}, "name": "now"}', { text: '', calls: [['now', '{"a":1}']] }],
  ['mistral', 'a list', `[TOOL_CALLS] [${call(WEATHER)}, ${call('{}', 'now')}]`, { text: '', calls: [['get_weather', WEATHER], ['now', '{}']] }],
  ['mistral', 'a list with ids', `[TOOL_CALLS][{"name": "now", "arguments": {}, "id": "abcdefghi"},{"name": "now", "arguments": {"a":1}, "id": "b"}]`, { text: '', calls: [['now', '{}'], ['now', '{"a":1}']] }],
  ['mistral', 'a list whose opening is no text', ` [${call('{}', 'now')}]`, { text: '', calls: [['now', '{}']] }],
  ['mistral', 'a text and a list', `See: [TOOL_CALLS][${call('{}', 'now')}] `, { text: 'See:', calls: [['now', '{}']] }],
  ['mistral', 'a list that is an answer', '[{"name": "Ann"}, {"name": "Bob"}]', { text: '[{"name": "Ann"}, {"name": "Bob"}]', calls: [] }],
  ['mistral', 'a list of numbers', '[1, 2] and [TOOL', { text: '[1, 2] and [TOOL', calls: [] }],
  ['mistral', 'another form', '[TOOL_CALLS]now[ARGS]{}', { text: '[TOOL_CALLS]now[ARGS]{}', calls: [] }],
];

describe('an answer is read', () => {
  test.each(CASES)('of %s: %s', (format, _, text, expected) => {
    expect(read(format, [text])).toEqual(expected);
    expect(read(format, [...text])).toEqual(expected);
    for (let one = 1; one < text.length; one += 1) {
      expect(read(format, [text.slice(0, one), text.slice(one)])).toEqual(expected);
      for (let two = one + 1; two < text.length; two += 7) expect(read(format, [text.slice(0, one), text.slice(one, two), text.slice(two)])).toEqual(expected);
    }
  });

  test('its arguments as they grow, and its text at once where it cannot be a call', () => {
    const reader = new CallReader({ format: callFormats.hermes, names: NAMES, most: Infinity });
    const grown = ['Hi', ' there <', 'b> <tool_', 'call>', '{"name": "now", ', '"arguments": ', '{"a"', ': 1', '}', '}', '</tool_call>'].map((piece) => reader.take(piece).map((each) => (each.kind === 'text' || each.kind === 'arguments' ? each.text : each.kind)).join('|'));
    expect(grown).toEqual(['Hi', ' there', ' <b>', '', '', '', 'call|{"a"', ': 1', '}|end', '', '']);
  });

  test('up to the most calls that count', () => {
    const two = { hermes: `A\n${hermes(call('{}', 'now'))}\n${hermes(call('{"a": 1}'))} b`, mistral: `A[TOOL_CALLS][${call('{}', 'now')}, ${call('{"a": 1}')}]` };
    for (const format of ['hermes', 'mistral'] as const) for (const pieces of [[two[format]], [...two[format]]]) expect(read(format, pieces, 1)).toEqual({ text: 'A', calls: [['now', '{}']] });
  });
});

describe('an answer is held', () => {
  const tools: Tool[] = [
    { type: 'function', function: { name: 'get_weather', parameters: { $defs: { day: { enum: ['mon', 'tue'] } }, properties: { place: { type: 'string', maxLength: 5 }, days: { type: 'array', maxItems: 2, items: { $ref: '#/$defs/day' } } }, required: ['place', 'days'], additionalProperties: false } } },
    { type: 'function', function: { name: 'now' } },
  ];
  const { written, faults } = grammarModule();

  /** Numbers that look random, the same each time. */
  function* drawn(seed: number): Generator<number, never> {
    for (let state = seed; ; ) {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      yield state / 2 ** 31;
    }
  }

  test.each(['hermes', 'llama', 'mistral'] as const)('to calls of %s, whose arguments are of their schemas', async (format) => {
    const counts = new Set<number>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const numbers = drawn(seed);
      const text = await written({ kind: 'grammar', text: callGrammar(callFormats[format], tools, { isMany: seed % 2 === 0 }) }, (ids) => ids[Math.floor(numbers.next().value * ids.length)], () => numbers.next().value < 0.5);
      const { text: beside, calls } = read(format, [...text]);
      expect([beside, calls.length > 0], text).toEqual(['', true]);
      if (seed % 2 === 1 || format === 'llama') expect(calls.length).toBe(1);
      counts.add(calls.length);
      for (const [name, json] of calls) {
        const given = JSON.parse(json) as { place: string; days: string[] };
        if (name === 'now') expect(given).toEqual({});
        else expect([name, Object.keys(given), [...given.place].length <= 5, given.days.length <= 2, given.days.every((day) => day === 'mon' || day === 'tue')]).toEqual(['get_weather', ['place', 'days'], true, true, true]);
      }
    }
    expect(counts.size > 1).toBe(format !== 'llama');
    expect(faults).toEqual([]);
  });

  test('as the templates show calls', async () => {
    const text = (format: ToolFormat) => written({ kind: 'grammar', text: callGrammar(callFormats[format], tools.slice(1), { isMany: false }) });
    expect([await text('hermes'), await text('llama'), await text('mistral')]).toEqual([hermes(call('{}', 'now')), call('{}', 'now', 'parameters'), `[${call('{}', 'now')}]`]);
    expect(await written({ kind: 'grammar', text: callGrammar(callFormats.mistral, tools.slice(1), { isMany: false, opening: CONTROL }) })).toBe(`<e>[${call('{}', 'now')}]`);
  });

  /** The control token of the grammar module's vocabulary. */
  const CONTROL = 257;
  const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
  const free = (format: ToolFormat, opening?: number) => callsInTextGrammar(callFormats[format], tools, { isMany: true, opening, isStrict: ({ function: { name } }) => name === 'get_weather' });

  test.each([
    ['hermes', 'a text, and the opening', bytesOf('I look <b>, {"a" [TOOL\n<tool_call>'), 'I look <b>, {"a" [TOOL'],
    ['hermes', 'a second call', bytesOf(`${hermes(call('{}', 'now'))}\n<tool_call>`), ''],
    ['llama', 'a brace', bytesOf('{'), ''],
    ['llama', 'a brace after thoughts', bytesOf('<think>{"name": "no"}</think>\n<think></think>\n\n{'), '<think>{"name": "no"}</think>\n<think></think>\n\n'],
    ['mistral', 'a list after a thought', bytesOf('<think>[{</think>\n[{'), '<think>[{</think>\n'],
    ['mistral', 'the control token', [CONTROL], ''],
    ['mistral', 'a list', bytesOf('[{'), ''],
  ] as const)('to the schemas of strict tools, as %s, from where a call begins by %s', async (format, _, script, said) => {
    const names = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const numbers = drawn(seed);
      let at = 0;
      const choose = (ids: number[]) => {
        const next = script[at];
        at += 1;
        if (next !== undefined && !ids.includes(next)) throw new Error(`${next} is not allowed at ${at - 1}`);
        return next ?? ids[Math.floor(numbers.next().value * ids.length)];
      };
      const text = await written({ kind: 'grammar', text: free(format, format === 'mistral' ? CONTROL : undefined) }, choose, () => at > script.length);
      // Thoughts are no part of what is read.
      const thoughts = said.startsWith('<think>') ? said.length : 0;
      const { text: beside, calls } = read(format, [...text.slice(thoughts).replace('<e>', '')]);
      expect([text.slice(0, thoughts) + beside, calls.length > 0], text).toEqual([said, true]);
      for (const [name, json] of calls) {
        names.add(name);
        const given = JSON.parse(json) as { place: string; days: string[] };
        expect([NAMES.has(name), typeof given]).toEqual([true, 'object']);
        if (name === 'get_weather') expect([Object.keys(given), [...given.place].length <= 5, given.days.length <= 2, given.days.every((day) => day === 'mon' || day === 'tue')]).toEqual([['place', 'days'], true, true, true]);
      }
    }
    expect(names.has('get_weather')).toBe(true);
    expect(faults).toEqual([]);
  });

  test.each([
    ['hermes', 'Hello {"name": "now"} <tool_ [TOOL_CALLS][{'], ['hermes', ''], ['llama', 'Hello {"name": <tool_call>'], ['mistral', '[1, 2] and [{"name": <tool_call>'], ['mistral', 'Hello'], ['llama', '<think>{</think>\n\nHello {'], ['mistral', ' <think></think>[1]'],
  ] as const)('to nothing, as %s, where it calls nothing: %s', async (format, said) => {
    const script = bytesOf(said);
    let at = 0;
    const choose = (ids: number[]) => {
      const next = script[at];
      at += 1;
      // No token is -1: what is not allowed fails.
      return (next === undefined ? ids[0] : ids.find((id) => id === next)) ?? -1;
    };
    expect(await written({ kind: 'grammar', text: free(format) }, choose, () => at > script.length)).toBe(said);
  });

  test('to a call alone behind its opening', async () => {
    const after = async (format: ToolFormat, begun: string) => {
      let at = 0;
      let next: number[] = [];
      const script = bytesOf(begun);
      await written({ kind: 'grammar', text: free(format) }, (ids) => (at < script.length ? script[at++] : void (next = ids))).catch(() => undefined);
      return String.fromCharCode(...next);
    };
    expect([await after('hermes', 'a<tool_call>'), await after('llama', '{'), await after('mistral', '[{'), await after('mistral', '[TOOL_CALLS]'), await after('llama', '<think>a</think>\n{')]).toEqual(['\n', '"', '"', '[', '"']);
  });
});
