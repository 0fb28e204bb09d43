/** OpenAI's own client, over the `fetch` of a model: it takes what the model gives, and our types are its types. */
import OpenAI, { APIError, APIUserAbortError, BadRequestError, NotFoundError } from 'openai';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { failure, openAiFetch, type ChatCompletionBody, type CompletionBody, type LoadedModel, type OpenAiFetch } from 'web-mamba';
import { answeringModel } from './answering-model';

/** Whatever a caller without types may pass. */
type Anything = any;
type Responded = { error: { message: string; type: string; param: string | null; code: string } };

const MESSAGES: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }];

afterEach(() => vi.unstubAllGlobals());

/** No call of these may leave the process. */
function clientOf(model: LoadedModel): OpenAI {
  vi.stubGlobal('fetch', () => { throw new Error('over the network'); });
  return new OpenAI({ baseURL: 'http://web-mamba/v1', apiKey: 'none', fetch: openAiFetch(model), dangerouslyAllowBrowser: true });
}

async function client(...given: Parameters<typeof answeringModel>) {
  const made = await answeringModel(...given);
  return { ...made, openai: clientOf(made.model) };
}

const thrownBy = (call: () => Promise<unknown>) => call().then(() => undefined, (thrown: unknown) => thrown);

const USAGE = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12, prompt_tokens_details: { cached_tokens: 4 } };

describe('the client', () => {
  test('has an answer as a whole, with what was used', async () => {
    const { openai, asked } = await client({ pieces: ['Hello', ' there'], known: 4 });
    const completion = await openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, max_completion_tokens: 20, seed: 1, stop: ['x'] });
    expect(completion.choices[0]?.message.content).toBe('Hello there');
    expect([completion.model, completion.usage, completion.choices[0]?.finish_reason]).toEqual(['tiny', USAGE, 'stop']);
    expect(asked()).toEqual([[[[{ role: 'user', content: 'Hi' }]], { maxTokens: 20, seed: 1, stop: ['x'] }]]);
    // What it gives may be sent back as it is.
    await openai.chat.completions.create({ model: 'tiny', messages: [...MESSAGES, completion.choices[0]!.message, ...MESSAGES] });
    expect(asked()[1]?.[0]).toEqual([[{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello there' }, { role: 'user', content: 'Hi' }]]);
  });

  test('has an answer as it grows, with what was used', async () => {
    const { openai } = await client({ pieces: ['<think>a</think>Hel', 'lö 💥'], known: 4, stop: 'length' });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of await openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    expect(chunks.map(({ choices: [choice] }) => choice?.delta.content ?? '').join('')).toBe('Hellö 💥');
    expect(chunks.map(({ choices: [choice] }) => (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? '').join('')).toBe('a');
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
    expect(chunks.at(-1)?.usage).toEqual(USAGE);
  });

  test('gathers a stream by its own helper, of several choices too', async () => {
    const { openai } = await client((_, index) => ({ pieces: [`${index}`, 'x'] }));
    const completion = await openai.chat.completions.stream({ model: 'tiny', messages: MESSAGES, n: 2 }).finalChatCompletion();
    expect(completion.choices.map(({ message, finish_reason: reason }) => [message.content, reason])).toEqual([['0x', 'stop'], ['1x', 'stop']]);
  });

  test('calls tools, runs them by its own helper, and sends their results back', async () => {
    const answers = [{ pieces: ['<tool_call>\n{"name": "add", "arguments": {"a": 1, ', '"b": 2}}\n</tool_call>'] }, { pieces: ['It is 3.'] }];
    let turn = 0;
    const { openai, asked } = await client(() => answers[turn++] ?? { pieces: [] }, ({ open }) => open.mockImplementation(async () => ({ url: 'https://example.org/tiny.gguf', name: 'tiny', info: { backend: 'cpu', bytesPerToken: 1, toolFormat: 'hermes' } }) as never));
    const add = vi.fn(({ a, b }: { a: number; b: number }) => String(a + b));
    const runner = openai.chat.completions.runTools({
      model: 'tiny', stream: true, messages: MESSAGES,
      tools: [{ type: 'function', function: { name: 'add', description: 'Adds.', parameters: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } }, parse: JSON.parse as (text: string) => { a: number; b: number }, function: add } }],
    });
    expect(await runner.finalContent()).toBe('It is 3.');
    expect(add.mock.calls[0]?.[0]).toEqual({ a: 1, b: 2 });
    const call = { id: expect.any(String) as string, type: 'function', function: { name: 'add', arguments: '{"a": 1, "b": 2}' } };
    expect(asked()[1]?.[0]).toEqual([[{ role: 'user', content: 'Hi' }, { role: 'assistant', content: '', tool_calls: [call] }, { role: 'tool', content: '3', tool_call_id: expect.any(String) as string }]]);
    expect(asked()[1]?.[1]).toMatchObject({ tools: [{ type: 'function', function: { name: 'add', description: 'Adds.' } }] });
  });

  test('has texts continued, as a whole and as they grow', async () => {
    const { openai } = await client({ pieces: ['one', ' two'] });
    expect((await openai.completions.create({ model: 'tiny', prompt: ['a', 'b'] })).choices.map(({ text }) => text)).toEqual(['one two', 'one two']);
    let text = '';
    for await (const { choices: [choice] } of await openai.completions.create({ model: 'tiny', prompt: 'a', stream: true })) text += choice?.text;
    expect(text).toBe('one two');
  });

  test('lists the model, and finds it by its name', async () => {
    const { openai, model } = await client();
    const listed: OpenAI.Model[] = [];
    for await (const each of openai.models.list()) listed.push(each);
    expect(listed).toEqual([{ id: model.name, object: 'model', created: expect.closeTo(Date.now() / 1000, -1) as number, owned_by: 'web-mamba' }]);
    expect(await openai.models.retrieve(model.name)).toEqual(listed[0]);
    expect(await thrownBy(() => openai.models.retrieve('o/ther%'))).toBeInstanceOf(NotFoundError);
  });

  test('rejects where it is aborted: before the answer, and on its way, which ends', async () => {
    const { openai, made } = await client({ pieces: Array.from({ length: 1000 }, () => 'a') });
    const stops = () => made[0]?.stop.mock.calls.length ?? 0;
    const [before, control] = [stops(), new AbortController()];
    const waiting = thrownBy(() => openai.chat.completions.create({ model: 'tiny', messages: MESSAGES }, { signal: control.signal }));
    await vi.waitUntil(() => made[0]?.generate.mock.calls.length);
    control.abort();
    expect(await waiting).toBeInstanceOf(APIUserAbortError);
    await vi.waitFor(() => expect(stops()).toBe(before + 1));
    const stream = await openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, stream: true });
    for await (const { choices: [choice] } of stream) if (choice?.delta.content === 'a') stream.controller.abort();
    await vi.waitFor(() => expect(stops()).toBe(before + 2));
    for await (const { choices: [choice] } of await openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, stream: true })) if (choice?.delta.content === 'a') break;
    await vi.waitFor(() => expect(stops()).toBe(before + 3));
  });

  test('has a wrong call as its own error, at once', async () => {
    const { openai, asked } = await client();
    const tools: OpenAI.ChatCompletionTool[] = [{ type: 'function', function: { name: 'f' } }];
    const thrown = await thrownBy(() => openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, tools }));
    expect(thrown).toBeInstanceOf(BadRequestError);
    expect(thrown).toMatchObject({ status: 400, code: 'no-tools', param: 'tools', type: 'invalid_request_error', message: expect.stringMatching(/no tools.*Leave tools/) as string });
    expect(await thrownBy(() => openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, store: true }))).toMatchObject({ status: 400, code: 'invalid-option', param: 'store', message: expect.stringMatching(/“store”.*Leave it out/) as string });
    expect(await thrownBy(() => openai.embeddings.create({ model: 'tiny', input: 'a' }))).toBeInstanceOf(NotFoundError);
    expect(asked()).toEqual([]);
  });

  test('asks again where the engine broke, and not where it would break again', async () => {
    const { openai, made } = await client(undefined, ({ generate }, worker, number) => {
      if (number === 1) generate.mockImplementation(() => (queueMicrotask(() => worker.fault()), new Promise<never>(() => undefined)));
      else generate.mockRejectedValueOnce(failure('not-finite').report());
    });
    const thrown = await thrownBy(() => openai.chat.completions.create({ model: 'tiny', messages: MESSAGES }));
    expect(thrown).toMatchObject({ status: 500, code: 'not-finite', type: 'server_error', param: null });
    expect(made.map(({ generate }) => generate.mock.calls.length)).toEqual([1, 1]);
    expect((await openai.chat.completions.create({ model: 'tiny', messages: MESSAGES })).choices[0]?.message.content).toBe('Hello there');
  });

  test('has an error on the way of a stream as its own', async () => {
    const { openai } = await client(undefined, ({ generate }) => generate.mockImplementationOnce(async (_, __, onEvent) => {
      await onEvent({ type: 'token', id: 1, text: 'a', milliseconds: 1 });
      throw failure('gpu').report();
    }));
    const stream = await openai.chat.completions.create({ model: 'tiny', messages: MESSAGES, stream: true });
    let text = '';
    const thrown = await thrownBy(async () => { for await (const { choices: [choice] } of stream) text += choice?.delta.content; });
    expect(text).toBe('a');
    expect(thrown).toBeInstanceOf(APIError);
    expect(thrown).toMatchObject({ code: 'gpu', type: 'server_error' });
  });
});

describe('the fetch of a model', () => {
  const post = (body: BodyInit | null): RequestInit => ({ method: 'POST', body });
  const CHAT = 'http://any.example/base/v1/chat/completions';
  const HI = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });

  test('takes addresses of any host, and what fetch takes', async () => {
    const { model } = await answeringModel();
    const ask = openAiFetch(model);
    const texts = [
      ask(CHAT, post(HI)), ask(new URL(CHAT), { method: 'post', body: new TextEncoder().encode(HI) }), ask('/v1/chat/completions?a=b', post(HI)), ask(new Request(CHAT, post(HI))),
      ask(new Request(CHAT), post(new Blob([HI]))),
    ].map(async (response) => ((await (await response).json()) as OpenAI.ChatCompletion).choices[0]?.message.content);
    expect(await Promise.all(texts)).toEqual(texts.map(() => 'Hello there'));
  });

  test('streams events of the server-sent kind, and [DONE]', async () => {
    const { model } = await answeringModel({ pieces: ['a\n\nb'] });
    const response = await openAiFetch(model)('/v1/completions', post(JSON.stringify({ prompt: 'a', stream: true })));
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    const events = (await response.text()).split('\n\n');
    expect(events.map((event) => event.slice(0, 8))).toEqual(['data: {"', 'data: {"', 'data: [D', '']);
    expect(JSON.parse(events[0]?.slice('data: '.length) ?? '')).toMatchObject({ choices: [{ text: 'a\n\nb' }] });
    expect(events[2]).toBe('data: [DONE]');
  });

  test.each<[string, RequestInit | undefined, number, string | null]>([
    ['/v1/embeddings', post('{}'), 404, 'url'], ['/chat/completions', post(HI), 404, 'url'], ['/v1/chat/completions/x', post(HI), 404, 'url'], ['/', undefined, 404, 'url'],
    ['/v1/chat/completions', undefined, 405, 'method'], ['/v1/models', post('{}'), 405, 'method'], ['/v1/models/%E0', undefined, 404, 'model'],
    ['/v1/chat/completions', post('{'), 400, 'body'], ['/v1/chat/completions', post(null), 400, 'body'], ['/v1/chat/completions', post('[]'), 400, 'body'], ['/v1/chat/completions', post('null'), 400, 'messages'],
    ['/v1/completions', post('{"prompt":"a","echo":true}'), 400, 'echo'],
  ])('refuses %s with %o by %i, and names %s', async (address, init, status, param) => {
    const { model, asked } = await answeringModel();
    const response = await openAiFetch(model)(address, init);
    const { error } = (await response.json()) as Responded;
    expect([response.status, error.param, error.type]).toEqual([status, param, 'invalid_request_error']);
    expect(error.message).toMatch(/./);
    expect(asked()).toEqual([]);
  });

  test.each([CHAT, '/v1/models'])('rejects as fetch does where the signal of %s is set', async (address) => {
    const { model } = await answeringModel();
    const init = address === CHAT ? post(HI) : {};
    expect(await thrownBy(() => openAiFetch(model)(address, { ...init, signal: AbortSignal.abort('enough') }))).toBe('enough');
    expect(await thrownBy(() => openAiFetch(model)(new Request(new URL(address, CHAT), { ...init, signal: AbortSignal.abort('enough') })))).toBe('enough');
  });

  test('rejects as fetch does what is no request', async () => {
    const { model } = await answeringModel();
    const used = new Request(CHAT, post(HI));
    await used.text();
    for (const [input, init] of [['http://', {}], [CHAT, { method: 'GET', body: 'a' }], [used, undefined]] as const) expect(await thrownBy(() => openAiFetch(model)(input, init))).toBeInstanceOf(TypeError);
  });

  test('ends a body with the reason of the signal, and the answer where the body is cancelled', async () => {
    const { model, made } = await answeringModel({ pieces: Array.from({ length: 1000 }, () => 'a') });
    const body = JSON.stringify({ ...JSON.parse(HI) as object, stream: true });
    const [control, stops] = [new AbortController(), () => made[0]?.stop.mock.calls.length ?? 0];
    const before = stops();
    const aborted = await openAiFetch(model)(CHAT, { ...post(body), signal: control.signal });
    setTimeout(() => control.abort('enough'), 20);
    expect(await thrownBy(() => aborted.text())).toBe('enough');
    await vi.waitFor(() => expect(stops()).toBe(before + 1));
    await (await openAiFetch(model)(CHAT, post(body))).body?.cancel();
    await vi.waitFor(() => expect(stops()).toBe(before + 2));
  });

  test('is made of a model, and of nothing else', () => {
    for (const other of [undefined, null, {}, 'tiny']) expect(() => openAiFetch(other as Anything)).toThrow(expect.objectContaining({ code: 'invalid-request', data: expect.objectContaining({ argument: 'model' }) as object }) as Error);
  });
});

test('our types are those of the client: its results may be ours, what is asked of ours may be asked of it, and our fetch is one', async () => {
  const { model } = await answeringModel();
  const chat = {
    model: 'tiny', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: [{ type: 'text', text: 'Hi' }] }], max_completion_tokens: 5, stop: ['x'], n: 1, temperature: null, logprobs: true, top_logprobs: 2, logit_bias: { 5: -100 },
    response_format: { type: 'text' }, tools: [], tool_choice: 'none', parallel_tool_calls: true,
  } satisfies ChatCompletionBody & OpenAI.ChatCompletionCreateParamsNonStreaming;
  const whole: OpenAI.ChatCompletion = await model.chat.completions.create(chat);
  const chunks: AsyncIterable<OpenAI.ChatCompletionChunk> = await model.chat.completions.create({ ...chat, stream: true });
  const text: OpenAI.Completion = await model.completions.create({ model: 'tiny', prompt: ['a'], seed: 1, logprobs: 1 } satisfies CompletionBody & OpenAI.CompletionCreateParamsNonStreaming);
  const either = await model.completions.create({ prompt: 'a' } as CompletionBody);
  const usage: OpenAI.CompletionUsage | undefined = whole.usage;
  const fetch: NonNullable<NonNullable<ConstructorParameters<typeof OpenAI>[0]>['fetch']> = openAiFetch(model) satisfies OpenAiFetch;
  expect([whole.object, text.object, Symbol.asyncIterator in chunks, Symbol.asyncIterator in either, typeof usage, typeof fetch]).toEqual(['chat.completion', 'text_completion', true, false, 'object', 'function']);
  // @ts-expect-error a role that the engine does not have
  await expect(model.chat.completions.create({ messages: [{ role: 'function', content: 'a' }] })).rejects.toMatchObject({ code: 'invalid-option' });
  // @ts-expect-error a tool that the engine does not have
  await expect(model.chat.completions.create({ messages: [], tools: [{}] })).rejects.toMatchObject({ code: 'invalid-option' });
  const calls = whole.choices[0]?.message.tool_calls;
  const said: ChatCompletionBody['messages'] & OpenAI.ChatCompletionMessageParam[] = [
    { role: 'assistant', content: null, tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] }, { role: 'tool', tool_call_id: 'a', content: 'b' },
  ];
  const tools = [{ type: 'function', function: { name: 'f', description: 'a', parameters: { type: 'object' }, strict: true } }] satisfies ChatCompletionBody['tools'] & OpenAI.ChatCompletionTool[];
  const choices: (ChatCompletionBody['tool_choice'] & OpenAI.ChatCompletionToolChoiceOption)[] = ['none', 'auto', 'required', { type: 'function', function: { name: 'f' } }];
  expect([calls, said.length, tools.length, choices.length]).toEqual([undefined, 2, 1, 4]);
});

/** Every option that its types have and ours do not, with a value that asks for something: tsc fails where one is missing. */
const CHAT_ONLY: Record<Exclude<keyof OpenAI.ChatCompletionCreateParamsNonStreaming, keyof ChatCompletionBody>, unknown> = {
  audio: {}, function_call: { name: 'f' }, functions: [{ name: 'f' }], metadata: {}, modalities: ['text', 'audio'], moderation: {},
  prediction: {}, prompt_cache_key: 'a', prompt_cache_options: {}, prompt_cache_retention: '24h', reasoning_effort: 'low', safety_identifier: 'a',
  service_tier: 'flex', store: true, user: 'a', verbosity: 'low', web_search_options: {},
};
const TEXT_ONLY: Record<Exclude<keyof OpenAI.CompletionCreateParamsNonStreaming, keyof CompletionBody>, unknown> = {
  best_of: 2, echo: true, suffix: 'a', user: 'a',
};

test.each([
  ...Object.entries(CHAT_ONLY).map(([option, value]) => ['/v1/chat/completions', { messages: [{ role: 'user', content: 'a' }] }, option, value] as const),
  ...Object.entries(TEXT_ONLY).map(([option, value]) => ['/v1/completions', { prompt: 'a' }, option, value] as const),
])('%s with %o refuses the client’s %s, which it knows and cannot honour', async (address, body, option, value) => {
  const { model, asked } = await answeringModel();
  const response = await openAiFetch(model)(address, { method: 'POST', body: JSON.stringify({ ...body, [option]: value }) });
  expect([response.status, await response.json()]).toMatchObject([400, { error: { param: option, message: expect.stringMatching(/the engine cannot do/) as string } }]);
  expect(asked()).toEqual([]);
});
