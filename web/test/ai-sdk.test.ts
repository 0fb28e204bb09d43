/** The provider of the Vercel AI SDK, driven by that SDK: results, parts of streams, usage, and what is refused or warned about. */
import type { EmbeddingModelV4, LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4FunctionTool, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { embed, embedMany, generateObject, generateText, isStepCount, jsonSchema, streamText, tool } from 'ai';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { failure, type LoadedModel, type ToolFormat } from 'web-mamba';
import { webMamba, webMambaEmbedding, type WebMambaEmbeddingModel, type WebMambaLanguageModel } from 'web-mamba/ai-sdk';
import { answeringModel, PROMPT_TOKENS, type Answer } from './answering-model';
import { realModel } from './real-model';

afterEach(() => vi.unstubAllGlobals());

const THINKING: Answer = { pieces: ['<think>', 'Hm', '.</think>', '\nYes', ' it is'], rest: '!', known: 4 };
const HI: LanguageModelV4CallOptions['prompt'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }];

async function fake(answer: Answer | ((turn: number) => Answer) = { pieces: ['Hello', ' there'], rest: '!' }, canThink = false, toolFormat?: ToolFormat) {
  let turn = 0;
  const answers = typeof answer === 'function' ? () => answer(turn++) : answer;
  const { model, asked, made } = await answeringModel(answers, (calls) => calls.open.mockImplementation(async () => ({ url: 'https://example.org/tiny.gguf', name: 'tiny', info: { backend: 'cpu', bytesPerToken: 1, canThink, ...(toolFormat ? { toolFormat } : {}) } }) as never));
  return { provider: webMamba(model), model, asked, made };
}

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const parts: T[] = [];
  for await (const part of stream as unknown as AsyncIterable<T>) parts.push(part);
  return parts;
}

const usage = (total: number, text: number, reasoning = 0, cacheRead = 0) => ({
  inputTokens: { total: PROMPT_TOKENS, noCache: PROMPT_TOKENS - cacheRead, cacheRead, cacheWrite: undefined }, outputTokens: { total, text, reasoning },
});

test('it is a LanguageModelV4, and an EmbeddingModelV4', () => {
  expectTypeOf<WebMambaLanguageModel>().toExtend<LanguageModelV4>();
  expectTypeOf<WebMambaEmbeddingModel>().toExtend<EmbeddingModelV4>();
  expect(() => webMambaEmbedding({} as never)).toThrow(expect.objectContaining({ code: 'invalid-request' }) as Error);
  expect(() => webMamba({} as never)).toThrow(expect.objectContaining({ code: 'invalid-request' }) as Error);
});

describe('a call', () => {
  test('answers a conversation as a whole', async () => {
    const { provider, asked } = await fake(THINKING);
    expect([provider.specificationVersion, provider.provider, provider.modelId, provider.supportedUrls]).toEqual(['v4', 'web-mamba', 'tiny', {}]);
    expect(await provider.doGenerate({ prompt: HI })).toEqual({
      content: [{ type: 'reasoning', text: 'Hm.' }, { type: 'text', text: 'Yes it is!' }],
      finishReason: { unified: 'stop', raw: 'eos' },
      usage: usage(5, 2, 3, 4),
      warnings: [],
      response: { id: expect.stringMatching(/^web-mamba-/) as string, timestamp: expect.any(Date) as Date, modelId: 'tiny' },
    });
    expect(asked()).toEqual([[[[{ role: 'user', content: 'Hi' }]], {}]]);
  });

  test('streams all parts, each block by itself', async () => {
    const { provider } = await fake({ ...THINKING, stop: 'length' });
    const { stream } = await provider.doStream({ prompt: HI });
    const parts = (await all(stream)) as LanguageModelV4StreamPart[];
    expect(parts).toEqual([
      { type: 'stream-start', warnings: [] },
      { type: 'response-metadata', id: expect.any(String) as string, timestamp: expect.any(Date) as Date, modelId: 'tiny' },
      { type: 'reasoning-start', id: '0' }, { type: 'reasoning-delta', id: '0', delta: 'Hm' }, { type: 'reasoning-delta', id: '0', delta: '.' }, { type: 'reasoning-end', id: '0' },
      { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta: 'Yes' }, { type: 'text-delta', id: '1', delta: ' it is' }, { type: 'text-delta', id: '1', delta: '!' }, { type: 'text-end', id: '1' },
      { type: 'finish', finishReason: { unified: 'length', raw: 'length' }, usage: usage(5, 2, 3, 4) },
    ]);
    const raw = (await all((await provider.doStream({ prompt: HI, includeRawChunks: true })).stream)).filter(({ type }) => type === 'raw');
    expect(raw.at(-1)).toMatchObject({ rawValue: { type: 'end', stop: 'length' } });
  });

  test('has its settings and messages in the engine’s own terms', async () => {
    const { provider, asked } = await fake();
    await provider.doGenerate({
      prompt: [
        { role: 'system', content: 'Be brief' },
        { role: 'user', content: [{ type: 'text', text: 'See' }, { type: 'file', mediaType: 'text/plain', data: { type: 'text', text: 'a file' } }] },
        { role: 'assistant', content: [{ type: 'reasoning', text: 'Hm' }, { type: 'text', text: 'I' }, { type: 'text', text: ' do' }] },
        { role: 'user', content: [{ type: 'text', text: 'And?' }] },
      ],
      maxOutputTokens: 5, temperature: 0.2, topP: 0.9, topK: 3, presencePenalty: 0.1, frequencyPenalty: 0.3, stopSequences: ['\n'], seed: 7, headers: { a: 'b' },
      responseFormat: { type: 'text' }, tools: [], toolChoice: { type: 'auto' }, reasoning: 'none', providerOptions: { 'web-mamba': { minP: 0.1, stopTokens: [3] }, other: { a: 1 } },
    });
    expect(asked()).toEqual([[
      [[{ role: 'system', content: 'Be brief' }, { role: 'user', content: 'See\na file' }, { role: 'assistant', content: '<think>Hm</think>I do' }, { role: 'user', content: 'And?' }]],
      { maxTokens: 5, temperature: 0.2, topP: 0.9, topK: 3, presencePenalty: 0.1, frequencyPenalty: 0.3, stop: ['\n'], seed: 7, thinking: 'off', minP: 0.1, stopTokens: [3] },
    ]]);
  });

  test('warns of what it passes over', async () => {
    const tools: LanguageModelV4CallOptions['tools'] = [{ type: 'function', name: 'a', inputSchema: { type: 'object' } }];
    const { provider } = await fake();
    expect((await provider.doGenerate({ prompt: HI, tools, reasoning: 'high' })).warnings).toEqual([{ type: 'unsupported', feature: 'reasoning' }, { type: 'unsupported', feature: 'tools' }]);
    expect((await provider.doGenerate({ prompt: HI, tools, toolChoice: { type: 'none' } })).warnings).toEqual([]);
    const { provider: thinker, asked } = await fake(THINKING, true);
    expect((await thinker.doGenerate({ prompt: HI, reasoning: 'high' })).warnings).toEqual([{ type: 'compatibility', feature: 'reasoning', details: 'high: on' }]);
    await thinker.doGenerate({ prompt: HI, reasoning: 'none' });
    expect(asked().map(([, { thinking }]) => thinking)).toEqual(['on', 'skip']);
  });

  test.each<[string, Partial<LanguageModelV4CallOptions>, string]>([
    ['an image', { prompt: [{ role: 'user', content: [{ type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AAAA' } }] }] }, 'prompt[0].content[0].type'],
    ['a result that is an image', { prompt: [{ role: 'tool', content: [{ type: 'tool-result', toolCallId: '1', toolName: 'a', output: { type: 'content', value: [{ type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AAAA' } }] } }] }] }, 'prompt[0].content[0].output.value[0].type'],
    ['an answer about an approval', { prompt: [{ role: 'tool', content: [{ type: 'tool-approval-response', approvalId: '1', approved: true }] }] }, 'prompt[0].content[0].type'],
    ['a call of another tool', { tools: [{ type: 'function', name: 'a', inputSchema: {} }], toolChoice: { type: 'tool', toolName: 'b' } }, 'toolChoice.toolName'],
    ['a wrong number', { temperature: -1 }, 'temperature'],
    ['a text that ends it that is none', { stopSequences: [7] as never }, 'stopSequences'],
    ['an unknown option of its own', { providerOptions: { 'web-mamba': { minp: 0.1 } } }, 'providerOptions.web-mamba.minp'],
  ])('refuses %s by name, whole and streamed', async (_, options, option) => {
    const { provider, asked } = await fake();
    await expect(provider.doGenerate({ prompt: HI, ...options })).rejects.toMatchObject({ code: 'invalid-option', data: { option } });
    await expect(provider.doStream({ prompt: HI, ...options })).rejects.toMatchObject({ code: 'invalid-option', data: { option } });
    expect(asked()).toEqual([]);
  });

  test('that has to be of a tool is refused where the model has none', async () => {
    const { provider, asked } = await fake();
    for (const toolChoice of [{ type: 'required' }, { type: 'tool', toolName: 'a' }] as const) {
      await expect(provider.doGenerate({ prompt: HI, tools: [{ type: 'function', name: 'a', inputSchema: {} }], toolChoice })).rejects.toMatchObject({ code: 'no-tools' });
    }
    expect(asked()).toEqual([]);
  });

  test('of tools comes in parts, and what is cut off is no call', async () => {
    const CALL: Answer = { pieces: ['<think>Hm</think>I look. <tool_', 'call>{"name": "a", "arguments": {"b"', ': 1}}</tool_call>'] };
    const tools: LanguageModelV4CallOptions['tools'] = [{ type: 'function', name: 'a', description: 'A tool.', inputSchema: { type: 'object', properties: { b: { type: 'integer' } } } }];
    const { provider, asked } = await fake(CALL, true, 'hermes');
    const id = expect.stringMatching(/^[0-9a-f]{9}$/) as string;
    const call = { type: 'tool-call', toolCallId: id, toolName: 'a', input: '{"b": 1}' };
    const { content, finishReason, warnings } = await provider.doGenerate({ prompt: HI, tools });
    expect([content, finishReason, warnings]).toEqual([[{ type: 'reasoning', text: 'Hm' }, { type: 'text', text: 'I look.' }, call], { unified: 'tool-calls', raw: 'eos' }, []]);
    const parts = (await all((await provider.doStream({ prompt: HI, tools })).stream)) as LanguageModelV4StreamPart[];
    expect(parts.slice(2)).toEqual([
      { type: 'reasoning-start', id: '0' }, { type: 'reasoning-delta', id: '0', delta: 'Hm' }, { type: 'reasoning-end', id: '0' },
      { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta: 'I look.' }, { type: 'text-end', id: '1' },
      { type: 'tool-input-start', id, toolName: 'a' }, { type: 'tool-input-delta', id, delta: '{"b"' }, { type: 'tool-input-delta', id, delta: ': 1}' }, { type: 'tool-input-end', id }, call,
      { type: 'finish', finishReason: { unified: 'tool-calls', raw: 'eos' }, usage: expect.any(Object) as object },
    ]);
    expect(new Set(parts.flatMap((part) => (part.type.startsWith('tool-input') ? [(part as { id: string }).id] : part.type === 'tool-call' ? [part.toolCallId] : []))).size).toBe(1);
    expect(asked()[0]?.[1]).toEqual({ tools: [{ type: 'function', function: { name: 'a', description: 'A tool.', parameters: { type: 'object', properties: { b: { type: 'integer' } } } } }] });
    await provider.doGenerate({ prompt: HI, tools, toolChoice: { type: 'required' } });
    expect(asked().at(-1)?.[1]).toMatchObject({ form: { kind: 'grammar', text: expect.stringContaining('%json') as string } });
    await provider.doGenerate({ prompt: HI, tools: [{ ...tools![0], strict: true } as LanguageModelV4FunctionTool] });
    expect(asked().at(-1)?.[1]).toMatchObject({ form: { kind: 'grammar', text: expect.stringMatching(/TEXT.*%json .*properties/s) as string } });
    await provider.doGenerate({ prompt: HI, tools, toolChoice: { type: 'none' } });
    expect(asked().at(-1)?.[1]).toEqual({});
    const { provider: cut } = await fake({ pieces: CALL.pieces.slice(0, 2), stop: 'length' }, true, 'hermes');
    expect((await all((await cut.doStream({ prompt: HI, tools })).stream)).slice(-3).map(({ type }) => type)).toEqual(['tool-input-delta', 'tool-input-end', 'finish']);
    expect((await cut.doGenerate({ prompt: HI, tools })).content.map(({ type }) => type)).toEqual(['reasoning', 'text']);
  });

  test('has calls and their results in the engine’s own terms', async () => {
    const { provider, asked } = await fake();
    const result = (toolCallId: string, output: unknown) => ({ type: 'tool-result', toolCallId, toolName: 'a', output }) as never;
    await provider.doGenerate({ prompt: [
      ...HI,
      { role: 'assistant', content: [{ type: 'text', text: 'I look.' }, { type: 'tool-call', toolCallId: '1', toolName: 'a', input: { b: 1 } }, { type: 'tool-call', toolCallId: '2', toolName: 'a', input: '{}' as never }] },
      { role: 'tool', content: [result('1', { type: 'text', value: 'x' }), result('2', { type: 'json', value: { y: [1] } })] },
      { role: 'tool', content: [result('3', { type: 'error-text', value: 'no' }), result('4', { type: 'execution-denied' }), result('5', { type: 'content', value: [{ type: 'text', text: 'c' }, { type: 'text', text: 'd' }] })] },
    ] });
    const call = (id: string, json: string) => ({ id, type: 'function', function: { name: 'a', arguments: json } });
    const tool = (id: string, content: string) => ({ role: 'tool', content, tool_call_id: id });
    expect(asked()[0]?.[0]).toEqual([[
      { role: 'user', content: 'Hi' }, { role: 'assistant', content: 'I look.', tool_calls: [call('1', '{"b":1}'), call('2', '{}')] },
      tool('1', 'x'), tool('2', '{"y":[1]}'), tool('3', 'no'), tool('4', 'the call was denied'), tool('5', 'c\nd'),
    ]]);
  });

  test('that goes wrong rejects before its first part, and says so in the stream after that', async () => {
    const { provider, made } = await fake();
    made[0]?.generate.mockRejectedValueOnce(failure('chat-template').report());
    await expect(provider.doStream({ prompt: HI })).rejects.toMatchObject({ code: 'chat-template' });
    made[0]?.generate.mockImplementationOnce(async (_, __, onEvent) => {
      await onEvent({ type: 'token', id: 1, text: 'a', milliseconds: 1 });
      throw failure('device-lost').report();
    });
    const parts = await all((await provider.doStream({ prompt: HI })).stream);
    expect(parts.slice(-2)).toEqual([
      { type: 'error', error: expect.objectContaining({ code: 'device-lost' }) as Error },
      { type: 'finish', finishReason: { unified: 'error', raw: 'device-lost' }, usage: expect.any(Object) as object },
    ]);
  });

  test('ends with its signal, and where its stream is cancelled', async () => {
    const { provider, made } = await fake({ pieces: ['a', 'b', 'c', 'd'] });
    const control = new AbortController();
    const reader = (await provider.doStream({ prompt: HI, abortSignal: control.signal })).stream.getReader();
    await reader.read();
    control.abort('enough');
    await expect((async () => { for (;;) if ((await reader.read()).done) return; })()).rejects.toBe('enough');
    await expect(provider.doGenerate({ prompt: HI, abortSignal: control.signal })).rejects.toBe('enough');
    await (await provider.doStream({ prompt: HI })).stream.cancel();
    expect(made[0]?.stop.mock.calls.length).toBeGreaterThan(1);
    expect((await provider.doGenerate({ prompt: HI })).content).toEqual([{ type: 'text', text: 'abcd' }]);
  });
});

describe('the SDK', () => {
  test('generates and streams text, with reasoning and usage', async () => {
    const { provider, asked } = await fake(THINKING);
    const { text, reasoningText, finishReason, usage: used } = await generateText({ model: provider, system: 'Be brief', prompt: 'Hi', maxOutputTokens: 9 });
    expect([text, reasoningText, finishReason]).toEqual(['Yes it is!', 'Hm.', 'stop']);
    expect(used).toMatchObject({ inputTokens: PROMPT_TOKENS, outputTokens: 5, inputTokenDetails: { cacheReadTokens: 4 }, outputTokenDetails: { reasoningTokens: 3 } });
    expect(asked()[0]).toEqual([[[{ role: 'system', content: 'Be brief' }, { role: 'user', content: 'Hi' }]], { maxTokens: 9 }]);
    const result = streamText({ model: provider, messages: [{ role: 'user', content: 'Hi' }] });
    expect((await all(result.textStream)).join('|')).toBe('Yes| it is|!');
    expect([await result.finishReason, await result.reasoningText]).toEqual(['stop', 'Hm.']);
  });

  test('runs tools, and answers with what they give, whole and streamed', async () => {
    const turns: Answer[] = [{ pieces: ['<tool_call>\n{"name": "add", "arguments": {"a": 1, ', '"b": 2}}\n</tool_call>'] }, { pieces: ['It is', ' 3.'] }];
    const execute = vi.fn(async ({ a, b }: { a: number; b: number }) => ({ sum: a + b }));
    const tools = { add: tool({ description: 'Adds.', inputSchema: jsonSchema<{ a: number; b: number }>({ type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } }), execute }) };
    const { provider, asked } = await fake((turn) => turns[turn % 2]!, false, 'hermes');
    const whole = await generateText({ model: provider, prompt: 'Add.', tools, stopWhen: isStepCount(3) });
    expect([whole.text, whole.steps.length, whole.steps[0]?.finishReason, whole.steps[0]?.toolCalls[0]?.input, whole.steps[0]?.toolResults[0]?.output]).toEqual(['It is 3.', 2, 'tool-calls', { a: 1, b: 2 }, { sum: 3 }]);
    expect(asked()[1]?.[0][0]).toEqual([
      { role: 'user', content: 'Add.' }, { role: 'assistant', content: '', tool_calls: [{ id: expect.any(String) as string, type: 'function', function: { name: 'add', arguments: '{"a":1,"b":2}' } }] },
      { role: 'tool', content: '{"sum":3}', tool_call_id: expect.any(String) as string },
    ]);
    const streamed = streamText({ model: provider, prompt: 'Add.', tools, stopWhen: isStepCount(3) });
    const parts: string[] = [];
    for await (const part of streamed.fullStream) parts.push(part.type);
    expect(parts.filter((type) => type.startsWith('tool-'))).toEqual(['tool-input-start', 'tool-input-delta', 'tool-input-delta', 'tool-input-end', 'tool-call', 'tool-result']);
    expect([await streamed.text, execute.mock.calls.length]).toEqual(['It is 3.', 2]);
  });

  test('says which setting is not there, where it asks for tools', async () => {
    const { provider } = await fake();
    vi.stubGlobal('AI_SDK_LOG_WARNINGS', false);
    const { warnings } = await generateText({ model: provider, prompt: 'Hi', tools: { a: tool({ inputSchema: jsonSchema({ type: 'object' }) }) } });
    expect(warnings).toEqual([{ type: 'unsupported', feature: 'tools' }]);
  });
});

describe('with the real engine', () => {
  let model: LoadedModel;
  beforeAll(async () => void ({ model } = await realModel()), 60_000);
  afterAll(() => model?.close());

  test('an object is of its schema, and JSON without one is an object', async () => {
    const schema = jsonSchema<{ name: string; age: number }>({
      type: 'object', properties: { name: { type: 'string', maxLength: 12 }, age: { type: 'integer', minimum: 0, maximum: 120 } }, required: ['name', 'age'], additionalProperties: false,
    });
    const { object } = await generateObject({ model: webMamba(model), schema, prompt: 'Who are you?', seed: 5, temperature: 1 });
    expect(object).toEqual({ name: expect.any(String) as string, age: expect.any(Number) as number });
    const { content } = await webMamba(model).doGenerate({ prompt: HI, responseFormat: { type: 'json' }, maxOutputTokens: 3, temperature: 0 });
    expect(content[0]).toMatchObject({ type: 'text', text: expect.stringMatching(/^\{/) as string });
  });

  test('a text is the vector of the model, alone and among others', async () => {
    const vectors = webMambaEmbedding(model);
    const texts = ['The licence.', 'Cats sleep.'];
    const own = await model.embed(texts);
    const { embeddings, usage } = await embedMany({ model: vectors, values: texts });
    expect(embeddings).toEqual(own.map((vector) => [...vector]));
    expect(usage.tokens).toBe((await Promise.all(texts.map((each) => model.countTokens(each)))).reduce((sum, count) => sum + count));
    const last = await embed({ model: vectors, value: texts[0] ?? '', providerOptions: { 'web-mamba': { pooling: 'last' } } });
    expect(last.embedding).toEqual([...(await model.embed(texts[0] ?? '', { pooling: 'last' }))]);
    for (const wrong of [{ dimensions: 3 }, { providerOptions: { 'web-mamba': { poling: 'last' } } }]) {
      await expect(vectors.doEmbed({ values: texts, ...wrong })).rejects.toMatchObject({ code: 'invalid-option' });
    }
    const control = new AbortController();
    control.abort(new Error('enough'));
    await expect(vectors.doEmbed({ values: texts, abortSignal: control.signal })).rejects.toThrow('enough');
  });

  test('a text is that of generate, whole and streamed', async () => {
    let expected = '';
    for await (const event of model.generate([{ role: 'user', content: 'Who are you?' }], { temperature: 0, maxTokens: 8 })) if (event.type === 'token' || event.type === 'end') expected += event.text;
    const settings = { model: webMamba(model), prompt: 'Who are you?', temperature: 0, maxOutputTokens: 8 };
    const { text, finishReason, usage: used } = await generateText(settings);
    expect([text, finishReason, used.outputTokens]).toEqual([expected.replace(/^\s*\n/, ''), 'length', 8]);
    expect((await all(streamText(settings).textStream)).join('')).toBe(text);
    expect(used.inputTokenDetails.cacheReadTokens).toBe((used.inputTokens ?? 0) - 1);
  });
});
