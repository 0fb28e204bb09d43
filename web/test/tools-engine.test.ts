/** Calls of tools over the real engine: a small model whose chat template has tools, through OpenAI’s shapes, its client and the AI SDK. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateText, isStepCount, jsonSchema, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ChatCompletionBody, ChatCompletionTool, ChatMessage, LoadedModel, Tool, ToolFormat } from 'web-mamba';
import { webMamba } from 'web-mamba/ai-sdk';
import { metadataStrings, withMetadata } from '../../tests/e2e/gguf-metadata';
import { realModel } from './real-model';

const GOLDEN = path.join(import.meta.dirname, '../../tests/golden');
const TEMPLATES: Record<ToolFormat, string> = { hermes: 'qwen-2.5', llama: 'llama-3.1-tools', mistral: 'mistral-tools' };

const PARAMETERS = {
  type: 'object', additionalProperties: false, required: ['place', 'days'],
  properties: { place: { type: 'string', maxLength: 6 }, days: { type: 'integer', minimum: 1, maximum: 9 }, unit: { enum: ['c', 'f'] } },
} as const;
const WEATHER: ChatCompletionTool = { type: 'function', function: { name: 'get_weather', description: 'The weather of a place.', parameters: PARAMETERS } };
const NOW: ChatCompletionTool = { type: 'function', function: { name: 'now', description: 'The time.' } };
/** As `generate` takes them. */
const TOOLS = [WEATHER, NOW] as Tool[];
const MESSAGES = [{ role: 'user', content: 'What is the weather in Oslo?' }] as const;

const folder = mkdtempSync(path.join(tmpdir(), 'tools-'));
const models = new Map<string, LoadedModel>();

/** The token of this vocabulary for padding, a control token, which has no other use. */
const PADDING = 1;
const [CONTROL, USER_DEFINED] = [3, 4];
/** What opens calls as a token of its own, as such models have it; a list’s is a control token. */
const OPENINGS: Readonly<Record<string, { token: string; kind: number }>> = {
  'qwen-2.5': { token: '<tool_call>', kind: USER_DEFINED }, 'mistral-tools': { token: '[TOOL_CALLS]', kind: CONTROL },
};

/** A tiny model with random weights, and a chat template of another. */
async function modelWith(template: string): Promise<LoadedModel> {
  const file = path.join(folder, `${template}.gguf`);
  const text = readFileSync(path.join(GOLDEN, `templates/chats/${template}.jinja`), 'utf8');
  const tiny = readFileSync(path.join(GOLDEN, 'models/falcon-tiny-Q4_K_M.gguf'));
  const opening = OPENINGS[template];
  const tokens = metadataStrings(tiny, 'tokenizer.ggml.tokens');
  // The first of this vocabulary are its control tokens, and all others are text.
  const kinds = tokens.map((token, id) => (id === PADDING && opening ? opening.kind : /^<\|.*\|>$/.test(token) ? CONTROL : 1));
  const vocabulary = { 'tokenizer.ggml.tokens': { strings: tokens.with(PADDING, opening?.token ?? tokens[PADDING]!) }, 'tokenizer.ggml.token_type': { int32s: kinds } };
  writeFileSync(file, withMetadata(tiny, { 'tokenizer.chat_template': { string: text }, ...vocabulary }));
  const { model } = await realModel(file);
  models.set(template, model);
  return model;
}

afterAll(async () => {
  for (const model of models.values()) await model.close();
  rmSync(folder, { recursive: true });
  vi.unstubAllGlobals();
});

/** What the arguments have to be by their schemas. */
function checkArguments(name: string, json: string): void {
  const given = JSON.parse(json) as { place: string; days: number; unit?: string };
  if (name === 'now') return expect(given).toEqual({});
  expect(name).toBe('get_weather');
  expect(Object.keys(given)).toEqual(given.unit === undefined ? ['place', 'days'] : ['place', 'days', 'unit']);
  expect([typeof given.place, [...given.place].length <= 6, Number.isInteger(given.days), given.days >= 1 && given.days <= 9, given.unit === undefined || ['c', 'f'].includes(given.unit)]).toEqual(['string', true, true, true, true]);
}

describe.each(['hermes', 'llama', 'mistral'] as const)('a template that calls tools as %s', (format) => {
  let model: LoadedModel;
  beforeAll(async () => void (model = await modelWith(TEMPLATES[format])), 60_000);

  const required = (more: Omit<Partial<ChatCompletionBody>, 'stream'> = {}) => ({ messages: MESSAGES, tools: [WEATHER, NOW], tool_choice: 'required', parallel_tool_calls: false, temperature: 1, top_k: 0, max_tokens: 200, ...more }) as const;

  test('says so, and is told of the tools', async () => {
    expect([model.info.toolFormat, model.info.toolOpening]).toEqual([format, format === 'mistral' ? PADDING : undefined]);
    const [without, plain] = [await model.applyChatTemplate(MESSAGES), await model.countTokens([...MESSAGES])];
    const told = await model.applyChatTemplate(MESSAGES, { tools: TOOLS.slice(0, 1) });
    expect([without.includes('get_weather'), told.includes('get_weather'), told.includes('The weather of a place.')]).toEqual([false, true, true]);
    expect(await model.countTokens([...MESSAGES], { tools: TOOLS.slice(0, 1) })).toBeGreaterThan(plain);
    const { usage } = await model.chat.completions.create({ messages: MESSAGES, tools: [WEATHER], max_tokens: 1 });
    expect(usage.prompt_tokens).toBe(await model.countTokens([...MESSAGES], { tools: TOOLS.slice(0, 1) }));
  });

  test('is held to a call whose arguments are of their schema, with whatever seed', async () => {
    const names = new Set<string>();
    for (let seed = 1; seed <= 12; seed += 1) {
      const { choices: [choice] } = await model.chat.completions.create(required({ seed }));
      expect([choice?.message.content, choice?.message.tool_calls?.length, choice?.finish_reason]).toEqual([null, 1, 'tool_calls']);
      const { name, arguments: json } = choice!.message.tool_calls![0]!.function;
      checkArguments(name, json);
      names.add(name);
    }
    expect(names).toEqual(new Set(['get_weather', 'now']));
    const { choices } = await model.chat.completions.create(required({ tool_choice: { type: 'function', function: { name: 'get_weather' } }, n: 3, seed: 1 }));
    expect(choices.map(({ message: { tool_calls: calls } }) => calls?.map((call) => call.function.name))).toEqual([['get_weather'], ['get_weather'], ['get_weather']]);
    for (const { message } of choices) checkArguments('get_weather', message.tool_calls![0]!.function.arguments);
  }, 60_000);

  test('streams what it gives as a whole', async () => {
    const whole = await model.chat.completions.create(required({ seed: 4 }));
    let [name, json, content, finish] = ['', '', '', ''];
    for await (const { choices: [choice] } of await model.chat.completions.create({ ...required({ seed: 4 }), stream: true })) {
      for (const call of choice?.delta.tool_calls ?? []) {
        name += call.function.name ?? '';
        json += call.function.arguments;
      }
      content += choice?.delta.content ?? '';
      finish = choice?.finish_reason ?? finish;
    }
    expect([content, finish, { name, arguments: json }]).toEqual(['', 'tool_calls', whole.choices[0]!.message.tool_calls![0]!.function]);
  });

  test('may call several times where it may', async () => {
    const counts = new Set<number>();
    for (let seed = 1; seed <= 8; seed += 1) {
      const { choices: [choice] } = await model.chat.completions.create(required({ parallel_tool_calls: true, seed, tools: [NOW], max_tokens: 250, temperature: 2 }));
      const calls = choice?.message.tool_calls ?? [];
      // One that goes on is cut off, within a call maybe.
      for (const call of choice?.finish_reason === 'length' ? calls.slice(0, -1) : calls) checkArguments(call.function.name, call.function.arguments);
      counts.add(calls.length);
    }
    if (format === 'llama') expect(counts).toEqual(new Set([1]));
    else expect(Math.max(...counts)).toBeGreaterThan(1);
  }, 60_000);

  test('is held to the schema of a strict function where it calls of its own accord, with whatever seed', async () => {
    // It is made to begin a call, and what it says there is its own.
    const begins = format === 'llama' ? (await model.tokenize('{'))[0]! : PADDING;
    const own = { tool_choice: 'auto', logit_bias: { [begins]: 100 } } as const;
    const strictly = [WEATHER, NOW].map((each) => ({ ...each, function: { ...each.function, strict: true } }));
    for (let seed = 1; seed <= 12; seed += 1) {
      const { choices: [choice] } = await model.chat.completions.create(required({ ...own, seed, tools: strictly }));
      expect([choice?.message.content, choice?.message.tool_calls?.length, choice?.finish_reason]).toEqual([null, 1, 'tool_calls']);
      const { name, arguments: json } = choice!.message.tool_calls![0]!.function;
      checkArguments(name, json);
    }
    // It says what it likes before a call, and instead of one.
    const said = await model.chat.completions.create(required({ tool_choice: 'auto', seed: 1, tools: strictly, max_tokens: 20 }));
    expect([said.choices[0]?.finish_reason, said.choices[0]?.message.content?.length !== 0]).toEqual(['length', true]);
    // Without it nothing holds it.
    const { choices: [loose] } = await model.chat.completions.create(required({ ...own, seed: 1, tools: [WEATHER, NOW] }));
    expect(loose?.message.tool_calls ?? []).toEqual([]);
  }, 60_000);

  test('is told of its call and what came of it in the next turn', async () => {
    const { choices: [choice] } = await model.chat.completions.create(required({ seed: 2 }));
    const { message } = choice!;
    const call = message.tool_calls![0]!;
    const result = { role: 'tool', tool_call_id: call.id, content: '{"t": 21.5}' } as const;
    const next = await model.chat.completions.create({ messages: [...MESSAGES, message, result], tools: [WEATHER, NOW], max_tokens: 3, temperature: 0 });
    const said = { role: 'assistant', content: '', tool_calls: [call] };
    const rendered = await model.applyChatTemplate([...MESSAGES, said, result], { tools: TOOLS });
    expect(next.usage.prompt_tokens).toBe(await model.countTokens([...MESSAGES, said, result], { tools: TOOLS }));
    const { name, arguments: json } = call.function;
    // Templates write the arguments in their own way.
    const written = rendered.slice(rendered.lastIndexOf(`"name": "${name}"`));
    const parsed = written.slice(written.indexOf(':', written.search(/"(arguments|parameters)"/)) + 1).trimStart();
    expect(JSON.parse(parsed.slice(0, endOf(parsed)))).toEqual(JSON.parse(json));
    expect(written).toContain('{"t": 21.5}');
    expect(written.indexOf('{"t": 21.5}')).toBeGreaterThan(written.indexOf(parsed.slice(0, endOf(parsed))));
    if (format === 'mistral') expect(written).toContain(`"call_id": "${call.id}"`);
  });
});

/** Where the object ends that a text begins with. */
function endOf(text: string): number {
  for (let end = 1; end <= text.length; end += 1) {
    try {
      if (text[end - 1] === '}') return JSON.parse(text.slice(0, end)) && end;
    } catch {
      // It goes on.
    }
  }
  return text.length;
}

test('the AI SDK runs a tool with what the model calls it with, and goes on with what it gives', async () => {
  const model = models.get('qwen-2.5')!;
  const execute = vi.fn(async ({ days }: { days: number }) => ({ hot: days > 4 }));
  const tools = { get_weather: tool({ description: 'The weather.', inputSchema: jsonSchema<{ place: string; days: number }>(PARAMETERS as never), execute }) };
  const options = { model: webMamba(model), prompt: 'The weather?', tools, toolChoice: 'required', seed: 3, temperature: 1, maxOutputTokens: 200, stopWhen: isStepCount(2) } as const;
  const { steps } = await generateText({ ...options, prepareStep: ({ stepNumber }) => (stepNumber === 0 ? {} : { toolChoice: 'none' }) });
  expect([steps.length, steps[0]?.finishReason, steps[0]?.toolCalls.length]).toEqual([2, 'tool-calls', 1]);
  checkArguments('get_weather', JSON.stringify(steps[0]?.toolCalls[0]?.input));
  expect(steps[0]?.toolResults[0]?.output).toEqual(await execute.mock.results[0]?.value);
  const streamed = streamText(options);
  const types: string[] = [];
  for await (const part of streamed.fullStream) types.push(part.type);
  expect([types.includes('tool-input-delta'), types.includes('tool-call'), types.includes('tool-result'), types.includes('error')]).toEqual([true, true, true, false]);
}, 60_000);

test('generate is told of tools and calls too, has the text as it was written, and a state keeps the calls', async () => {
  const model = models.get('qwen-2.5')!;
  const call = { id: 'abc', type: 'function', function: { name: 'now', arguments: '{}' } } as const;
  const said: ChatMessage[] = [...MESSAGES, { role: 'assistant', content: '', tool_calls: [call] }, { role: 'tool', content: 'noon', tool_call_id: 'abc' }];
  let [text, tokens] = ['', 0];
  for await (const event of model.generate(said, { tools: TOOLS, grammar: 'start: "<tool_call>\\n{}\\n</tool_call>"', seed: 1 })) {
    if (event.type === 'token' || event.type === 'end') text += event.text;
    if (event.type === 'end') tokens = event.promptTokens;
  }
  expect([text, tokens]).toEqual(['<tool_call>\n{}\n</tool_call>', await model.countTokens(said, { tools: TOOLS })]);
  const state = (await model.state.save()).fork(said);
  const opened = await model.state.open(await state.toBlob());
  expect([state.messages, opened.messages]).toEqual([said, said]);
  for (const [wrong, place] of [[{ tool_calls: 1 }, 'tool_calls'], [{ tool_calls: [{ id: 'a' }] }, 'tool_calls[0]'], [{ tool_calls: [{ ...call, function: { name: 'now', arguments: {} } }] }, 'tool_calls[0]'], [{ tool_call_id: 1 }, 'tool_call_id']] as const) {
    expect(() => model.generate([{ role: 'assistant', content: '', ...(wrong as object) }])).toThrow(expect.objectContaining({ code: 'invalid-request', data: expect.objectContaining({ argument: `prompt[0].${place}` }) as object }) as Error);
  }
  for (const wrong of [{}, [1], [{ type: 'function' }], [{ type: 'function', function: {} }]]) {
    expect(() => model.generate(MESSAGES[0].content, { tools: wrong as never })).toThrow(expect.objectContaining({ code: 'invalid-option', data: expect.objectContaining({ option: 'tools' }) as object }) as Error);
  }
});

test('a model without tools says so, and refuses them', async () => {
  const model = await modelWith('chatml');
  expect(model.info).not.toHaveProperty('toolFormat');
  const refused = expect.objectContaining({ code: 'no-tools' }) as Error;
  await expect(model.chat.completions.create({ messages: MESSAGES, tools: [WEATHER] })).rejects.toEqual(refused);
  await expect(model.applyChatTemplate(MESSAGES, { tools: TOOLS.slice(0, 1) })).rejects.toEqual(refused);
  await expect(model.countTokens([...MESSAGES], { tools: TOOLS.slice(0, 1) })).rejects.toEqual(refused);
  const called = { role: 'assistant', content: '', tool_calls: [{ id: 'a', type: 'function', function: { name: 'now', arguments: '{}' } }] } as const;
  await expect(model.chat.completions.create({ messages: [...MESSAGES, called, { role: 'tool', tool_call_id: 'a', content: 'b' }] })).rejects.toEqual(refused);
});
