/** OpenAI's calls on a model, over a worker in the test: their shapes, what reaches the engine, and what is refused. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MambaError, failure, type ChatCompletionChunk, type Prompt, type SampledLogprob, type TokenLogprob } from 'web-mamba';
import { Speech } from '../engine/src/api/openai/speech';
import { answeringModel, PROMPT_TOKENS, type Answer } from './answering-model';

/** Whatever a caller without types may pass. */
type Anything = any;

afterEach(() => vi.unstubAllGlobals());

const HI = [{ role: 'user', content: 'Hi' }] as const;
const TOOL = { type: 'function', function: { name: 'f', description: 'A tool.', parameters: { type: 'object', properties: { a: { type: 'integer' } } } } } as const;
const CALL = { id: 'abc', type: 'function', function: { name: 'f', arguments: '{"a": 1}' } } as const;
const never = () => new Promise<never>(() => undefined);

async function all<T>(chunks: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const chunk of chunks) list.push(chunk);
  return list;
}

const thrownBy = (call: () => Promise<unknown>) => call().then(() => undefined, (thrown: unknown) => thrown);

const head = (kind: string) => ({ id: expect.stringMatching(new RegExp(`^${kind}-[0-9a-f]{24}$`)) as string, created: expect.closeTo(Date.now() / 1000, -1) as number, model: 'tiny' });
const usage = (prompt: number, completion: number, cached = 0) => ({
  prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion, prompt_tokens_details: { cached_tokens: cached },
});

describe('a conversation', () => {
  test('is answered as a whole', async () => {
    const { model, asked } = await answeringModel({ pieces: ['Hello', '', ' there'], rest: '!', known: 4 });
    expect(await model.chat.completions.create({ messages: HI })).toEqual({
      ...head('chatcmpl'),
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hello there!', refusal: null }, logprobs: null, finish_reason: 'stop' }],
      usage: usage(PROMPT_TOKENS, 3, 4),
    });
    expect(asked()).toEqual([[[HI], {}]]);
  });

  test('is answered in chunks, whose ids are one', async () => {
    const { model } = await answeringModel({ pieces: ['Hello', '', ' there'], rest: '!', stop: 'length', known: 4 });
    const chunks = await all(await model.chat.completions.create({ messages: HI, stream: true }));
    const chunk = (delta: object, finish_reason: string | null = null) =>
      ({ ...head('chatcmpl'), object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason }] });
    expect(chunks).toEqual([chunk({ role: 'assistant', content: '' }), chunk({ content: 'Hello' }), chunk({ content: ' there' }), chunk({ content: '!' }), chunk({}, 'length')]);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    const counted = await all(await model.chat.completions.create({ messages: HI, stream: true, stream_options: { include_usage: true } }));
    expect(counted.map((each) => each.usage)).toEqual([null, null, null, null, null, usage(PROMPT_TOKENS, 3, 4)]);
    expect(counted.at(-1)?.choices).toEqual([]);
    const uncounted = await all(await model.chat.completions.create({ messages: HI, stream: true, stream_options: { include_usage: false } }));
    expect(uncounted.some((each) => 'usage' in each)).toBe(false);
  });

  test('counts what was known of its prompt, also where it was read again in another worker', async () => {
    const { model } = await answeringModel({ pieces: ['a'], known: 4, prefilledTokens: 12 });
    expect((await model.chat.completions.create({ messages: HI })).usage).toEqual(usage(PROMPT_TOKENS, 1, 4));
  });

  test('reaches the engine in the engine’s own terms', async () => {
    const { model, asked } = await answeringModel();
    const messages = [
      { role: 'developer', content: [{ type: 'text', text: 'Be' }, { type: 'text', text: 'brief.' }] },
      { role: 'system', content: 'Really.' },
      { role: 'user', content: 'Hi', name: undefined },
      { role: 'assistant', content: 'Hello', refusal: null, tool_calls: [], annotations: [] },
      { role: 'assistant', content: 'yes', reasoning_content: 'a thought' },
      { role: 'assistant', reasoning_content: null, content: '' },
    ];
    await model.chat.completions.create({
      messages: messages as Anything, model: 'any', max_completion_tokens: 7, max_tokens: 7, stop: 'x', seed: 3, temperature: 0, top_p: 0.5, frequency_penalty: -1,
      presence_penalty: 2, top_k: 5, min_p: 0.1, repetition_penalty: 1.1, penalty_last_n: 9, stop_token_ids: [4], ignore_eos: true, reuse: false, thinking: 'off', n: 1,
    });
    expect(asked()).toEqual([[[[
      { role: 'system', content: 'Be\nbrief.' }, { role: 'system', content: 'Really.' }, { role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello' },
      { role: 'assistant', content: '<think>a thought</think>yes' }, { role: 'assistant', content: '' },
    ]], {
      maxTokens: 7, stop: ['x'], seed: 3, temperature: 0, topP: 0.5, frequencyPenalty: -1, presencePenalty: 2, topK: 5, minP: 0.1, repetitionPenalty: 1.1, penaltyLastN: 9,
      stopTokens: [4], ignoreEos: true, reuse: false, thinking: 'off',
    }]]);
  });

  test.each([
    [{ max_tokens: 0 }, { maxTokens: 0 }], [{ max_completion_tokens: 5, max_tokens: null }, { maxTokens: 5 }], [{ stop: ['a', 'b', 'c', 'd'] }, { stop: ['a', 'b', 'c', 'd'] }], [{ stop: [] }, { stop: [] }],
    [{ temperature: null, top_p: undefined, tools: null, logprobs: undefined }, {}],
    [{ logprobs: false, top_logprobs: 0, logit_bias: {}, response_format: { type: 'text' }, tools: [], tool_choice: 'none', parallel_tool_calls: true, functions: [], store: false, modalities: ['text'], service_tier: 'auto' }, {}],
  ])('with %j has the options %j', async (given, options) => {
    const { model, asked } = await answeringModel();
    await model.chat.completions.create({ messages: HI, ...(given as Anything) });
    expect(asked()).toEqual([[[HI], options]]);
  });

  test.each<[NonNullable<Answer['stop']>, string]>([['eos', 'stop'], ['stop-string', 'stop'], ['stop-token', 'stop'], ['length', 'length']])('that ends by %s finished by %s', async (stop, reason) => {
    const { model } = await answeringModel({ pieces: ['a'], stop });
    expect((await model.chat.completions.create({ messages: HI })).choices[0]?.finish_reason).toBe(reason);
  });

  test('has several choices by one batch, and its prompt counts once', async () => {
    const { model, asked } = await answeringModel((_, index) => ({ pieces: [`${index}`, 'x'].slice(0, index + 1), stop: index === 1 ? 'length' : 'eos', prefilledTokens: index === 0 ? 6 : 0 }));
    const { choices, usage: used } = await model.chat.completions.create({ messages: HI, n: 3, seed: 1 });
    expect(choices.map(({ index, message, finish_reason: reason }) => [index, message.content, reason])).toEqual([[0, '0', 'stop'], [1, '1x', 'length'], [2, '2x', 'stop']]);
    expect(used).toEqual(usage(PROMPT_TOKENS, 5, 4));
    expect(asked()).toEqual([[[HI, HI, HI], { seed: 1, sequences: 3 }]]);
    const chunks = await all(await model.chat.completions.create({ messages: HI, n: 2, stream: true, stream_options: { include_usage: true } }));
    const texts = (index: number) => chunks.flatMap(({ choices: [choice] }) => (choice?.index === index ? [choice.delta.content ?? choice.finish_reason] : []));
    expect([texts(0), texts(1)]).toEqual([['', '0', 'stop'], ['', '1', 'x', 'length']]);
    expect(chunks.at(-1)?.usage).toEqual(usage(PROMPT_TOKENS, 3, 4));
    await model.chat.completions.create({ messages: HI, n: 128 });
    expect(asked().at(-1)).toMatchObject([{ length: 128 }, { sequences: 8 }]);
  });
});

describe('tools', () => {
  const caller = (answers: Parameters<typeof answeringModel>[0], toolFormat = 'hermes') => answeringModel(answers, ({ open }) => open.mockImplementation(async () => ({ url: 'https://example.org/tiny.gguf', name: 'tiny', info: { backend: 'cpu', bytesPerToken: 1, toolFormat } }) as never));
  const CALLED: Answer = { pieces: ['<think>Hm</think>', 'I look.\n<tool', '_call>\n{"name": "f", "argu', 'ments": {"a"', ': 1}', '}\n</tool_call>'], rest: '\n<tool_call>{"name":"f","arguments":{}}</tool_call>' };
  const id = expect.stringMatching(/^[0-9a-f]{9}$/) as string;

  test('are called in an answer as a whole', async () => {
    const { model, asked } = await caller(CALLED);
    const { choices: [choice] } = await model.chat.completions.create({ messages: HI, tools: [TOOL] });
    expect(choice).toEqual({
      index: 0, logprobs: null, finish_reason: 'tool_calls',
      message: {
        role: 'assistant', content: 'I look.', refusal: null, reasoning_content: 'Hm',
        tool_calls: [{ id, type: 'function', function: { name: 'f', arguments: '{"a": 1}' } }, { id, type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
    });
    expect(asked()).toEqual([[[HI], { tools: [TOOL] }]]);
    const one = await model.chat.completions.create({ messages: HI, tools: [TOOL], parallel_tool_calls: false });
    expect(one.choices[0]?.message.tool_calls).toHaveLength(1);
    // Nothing is told of tools, and nothing is read as a call of them.
    const none = await model.chat.completions.create({ messages: HI, tools: [TOOL], tool_choice: 'none' });
    expect([none.choices[0]?.message.content, none.choices[0]?.finish_reason, asked()[2]?.[1]]).toEqual([expect.stringMatching(/<tool_call>.*<\/tool_call>/s), 'stop', {}]);
  });

  test('are called in chunks, of several choices too', async () => {
    const { model } = await caller((_, index) => (index === 0 ? CALLED : { pieces: ['No', ' < 3'] }));
    const chunks = await all(await model.chat.completions.create({ messages: HI, tools: [TOOL], n: 2, stream: true }));
    const of = (wanted: number) => chunks.flatMap(({ choices: [choice] }) => (choice?.index === wanted ? [choice.finish_reason ?? choice.delta] : []));
    expect(of(0)).toEqual([
      { role: 'assistant', content: '' }, { reasoning_content: 'Hm' }, { content: 'I look.' },
      { tool_calls: [{ index: 0, id, type: 'function', function: { name: 'f', arguments: '' } }] }, { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }, { tool_calls: [{ index: 0, function: { arguments: ': 1}' } }] },
      { tool_calls: [{ index: 1, id, type: 'function', function: { name: 'f', arguments: '' } }] }, { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
      'tool_calls',
    ]);
    expect(of(1)).toEqual([{ role: 'assistant', content: '' }, { content: 'No' }, { content: ' < 3' }, 'stop']);
  });

  test('are called alone, and are cut off', async () => {
    const { model } = await caller({ pieces: ['{"name": "f", "parameters": {"a": 1'], stop: 'length' }, 'llama');
    const { choices: [choice] } = await model.chat.completions.create({ messages: HI, tools: [TOOL] });
    expect([choice?.message.content, choice?.message.tool_calls?.[0]?.function.arguments, choice?.finish_reason]).toEqual([null, '{"a": 1', 'length']);
  });

  test('have to be called where that is asked for', async () => {
    const { model, asked } = await caller(CALLED);
    const other = { type: 'function', function: { name: 'g' } } as const;
    const grammars = async (more: object) => {
      await model.chat.completions.create({ messages: HI, tools: [TOOL, other], ...more });
      return (asked().at(-1)?.[1] as { form?: { kind: string; text: string } }).form?.text;
    };
    expect(await grammars({ tool_choice: 'auto' })).toBeUndefined();
    const [any, one, named] = [await grammars({ tool_choice: 'required' }), await grammars({ tool_choice: 'required', parallel_tool_calls: false }), await grammars({ tool_choice: { type: 'function', function: { name: 'g' } } })];
    expect(any).toMatch(/^start: "<tool_call>" calls \("\\n<tool_call>" calls\)\*\n.*\ncall: call_0 \| call_1\n/);
    expect(one).toMatch(/^start: "<tool_call>" calls\n.*\ncall: call_0 \| call_1\n/);
    expect(named).toMatch(/^start: "<tool_call>" calls\n.*\ncall: call_0\ncall_0: .*\\"g\\"/);
    // Of a strict one what may be called is held too, and the model is told of nothing else.
    const strict = await grammars({ tools: [{ ...TOOL, function: { ...TOOL.function, strict: true } }, other] });
    expect([strict, asked().at(-1)?.[1].tools]).toEqual([expect.stringMatching(/^start: \(opened calls\)\* TEXT\n/), [TOOL, other]]);
    expect(strict?.match(/arguments_.*%json .*/g)).toEqual([expect.stringContaining('properties'), expect.not.stringContaining('properties')]);
  });

  test('are refused where the model has none, and are not told where none is to be called', async () => {
    const { model, asked } = await answeringModel();
    expect(await thrownBy(() => model.chat.completions.create({ messages: HI, tools: [TOOL] }))).toMatchObject({ code: 'no-tools', data: { option: 'tools' }, remedy: expect.stringMatching(/Leave tools/) as string });
    expect(asked()).toEqual([]);
    await model.chat.completions.create({ messages: HI, tools: [TOOL], tool_choice: 'none' });
    expect(asked()).toEqual([[[HI], {}]]);
  });

  test('have their calls and results told to the engine', async () => {
    const { model, asked } = await caller(CALLED);
    await model.chat.completions.create({
      messages: [...HI, { role: 'assistant', tool_calls: [CALL] }, { role: 'assistant', content: null, tool_calls: [CALL], reasoning_content: 'Hm' }, { role: 'tool', tool_call_id: 'abc', content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] }],
      tools: [TOOL], tool_choice: 'none',
    });
    expect(asked()[0]?.[0]).toEqual([[
      ...HI, { role: 'assistant', content: '', tool_calls: [CALL] }, { role: 'assistant', content: '<think>Hm</think>', tool_calls: [CALL] }, { role: 'tool', content: 'a\nb', tool_call_id: 'abc' },
    ]]);
  });

  test('have their tokens’ log-probabilities too, as they were written', async () => {
    const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
    const pieces = ['A', ' <tool_call>', '{"name": "f", "arguments": ', '{}', '}</tool_call>'];
    const logprobs = pieces.map((text): SampledLogprob => ({ id: 1, logprob: -1, text, bytes: bytesOf(text), top: [] }));
    const { model } = await caller({ pieces, logprobs });
    const { choices: [choice] } = await model.chat.completions.create({ messages: HI, tools: [TOOL], logprobs: true });
    expect(choice?.logprobs?.content.map(({ token }) => token)).toEqual(pieces);
    const chunks = await all(await model.chat.completions.create({ messages: HI, tools: [TOOL], logprobs: true, stream: true }));
    expect(chunks.flatMap(({ choices: [each] }) => each?.logprobs?.content.map(({ token }) => token) ?? [])).toEqual(pieces);
  });
});

describe('log-probabilities', () => {
  const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
  /** The halves of a letter, and what may begin a stop text, come out with what follows. */
  const EURO = bytesOf('€');
  const WRITTEN: (Pick<TokenLogprob, 'bytes'> & { text: string })[] = [
    { bytes: bytesOf('a'), text: 'a' }, { bytes: EURO.slice(0, 2), text: '' }, { bytes: EURO.slice(2), text: '€' }, { bytes: bytesOf(' b'), text: ' ' },
  ];
  const tokenOf = (bytes: number[], logprob: number, id = 1): TokenLogprob => ({ id, logprob, text: new TextDecoder().decode(Uint8Array.from(bytes)), bytes });
  const logprobsOf = (bytes: number[], at: number): SampledLogprob => ({ ...tokenOf(bytes, -at), top: [tokenOf(bytesOf('x'), -0.5), tokenOf(bytes, -at)] });
  const answer = (rest: string, stop: Answer['stop'] = 'eos'): Answer => ({ pieces: WRITTEN.map(({ text }) => text), logprobs: WRITTEN.map(({ bytes }, at) => logprobsOf(bytes, at)), rest, stop });
  const shapeOf = ({ text, bytes, logprob }: TokenLogprob) => ({ token: text, bytes, logprob });
  const contentOf = (count: number) => WRITTEN.slice(0, count).map(({ bytes }, at) => ({ ...shapeOf(tokenOf(bytes, -at)), top_logprobs: logprobsOf(bytes, at).top.map(shapeOf) }));

  test('of a conversation’s answer are its tokens’, with their bytes', async () => {
    const { model, asked } = await answeringModel(answer('b'));
    const { choices: [choice] } = await model.chat.completions.create({ messages: HI, logprobs: true, top_logprobs: 2, logit_bias: { 5: 1.5 } });
    expect(asked()[0]?.[1]).toEqual({ logprobs: 2, logitBias: { 5: 1.5 } });
    expect(choice?.message.content).toBe('a€ b');
    expect(choice?.logprobs).toEqual({ content: contentOf(4), refusal: null });
    expect(choice?.logprobs?.content.map(({ token }) => token)).toEqual(['a', '\ufffd', '\ufffd', ' b']);
    const chunks = await all(await model.chat.completions.create({ messages: HI, stream: true, logprobs: true }));
    expect(asked()[1]?.[1]).toEqual({ logprobs: 0 });
    expect(chunks.map(({ choices: [each] }) => each?.logprobs?.content.length)).toEqual([undefined, 1, 2, 1, 0, undefined]);
    expect(chunks.flatMap(({ choices: [each] }) => each?.logprobs?.content ?? [])).toEqual(contentOf(4));
  });

  test('of a text have its offsets, and none is of a stop text', async () => {
    const { model, asked } = await answeringModel(answer('', 'stop-string'));
    const held = { ...answer('', 'stop-string'), pieces: ['a', '', '€', ''] };
    const { model: other } = await answeringModel(held);
    const { choices: [choice] } = await model.completions.create({ prompt: 'a', logprobs: 1 });
    expect(asked()[0]?.[1]).toEqual({ logprobs: 1 });
    expect(choice?.logprobs).toEqual({
      tokens: ['a', '\ufffd', '\ufffd', ' b'], token_logprobs: [-0, -1, -2, -3], text_offset: [0, 1, 1, 2],
      top_logprobs: WRITTEN.map(({ bytes }, at) => ({ x: -0.5, [tokenOf(bytes, 0).text]: -at })),
    });
    const whole = await other.completions.create({ prompt: 'a', logprobs: 0 });
    expect([whole.choices[0]?.text, whole.choices[0]?.logprobs?.tokens]).toEqual(['a€', ['a', '\ufffd', '\ufffd']]);
    const chunks = await all(await other.completions.create({ prompt: 'a', logprobs: 0, stream: true }));
    expect(chunks.flatMap(({ choices: [each] }) => each?.logprobs?.text_offset ?? [])).toEqual([0, 1, 1]);
  });

  test('are the answer’s alone where the model thinks first', async () => {
    const pieces = ['<think>', 'so', '</think>', '\n\n', 'Yes', '.'];
    const { model } = await answeringModel({ pieces, logprobs: pieces.map((piece, at) => logprobsOf(bytesOf(piece), at)) });
    const { choices: [choice] } = await model.chat.completions.create({ messages: HI, logprobs: true });
    expect(choice?.logprobs?.content.map(({ token }) => token)).toEqual(['Yes', '.']);
    const chunks = await all(await model.chat.completions.create({ messages: HI, logprobs: true, stream: true }));
    expect(chunks.flatMap(({ choices: [each] }) => each?.logprobs?.content ?? []).map(({ token }) => token)).toEqual(['Yes', '.']);
  });

  test('are nowhere where they were not asked for, and finite where a token has none', async () => {
    const { model } = await answeringModel({ pieces: ['a'], logprobs: [{ ...logprobsOf([97], 0), logprob: -3e38 }] });
    expect((await model.chat.completions.create({ messages: HI })).choices[0]?.logprobs).toBeNull();
    expect((await model.chat.completions.create({ messages: HI, logprobs: true })).choices[0]?.logprobs?.content[0]?.logprob).toBe(-9999);
  });
});

describe('thoughts', () => {
  const THOUGHTFUL = { pieces: ['<th', 'ink>', '\nLet', ' me', ' see.\n', '</thi', 'nk>', '\n\n', 'It', ' is <', 'think>', ' 4.'] };

  test('are apart from the answer, as a whole and in chunks', async () => {
    const { model } = await answeringModel(THOUGHTFUL);
    const { choices: [choice] } = await model.chat.completions.create({ messages: HI });
    expect(choice?.message).toEqual({ role: 'assistant', content: 'It is <think> 4.', refusal: null, reasoning_content: 'Let me see.' });
    const chunks = await all(await model.chat.completions.create({ messages: HI, stream: true }));
    const joined = (field: 'content' | 'reasoning_content') => chunks.map(({ choices: [each] }: ChatCompletionChunk) => each?.delta[field] ?? '').join('|').replace(/^\|+|\|+$/g, '');
    expect(joined('reasoning_content')).toBe('Let| me| see.');
    expect(joined('content')).toBe('It| is <|think>| 4.');
  });

  test('that never come are text: an answer may be the beginning of a tag', async () => {
    const { model } = await answeringModel({ pieces: ['<', 'th'], rest: 'i' });
    expect((await model.chat.completions.create({ messages: HI })).choices[0]?.message).toEqual({ role: 'assistant', content: '<thi', refusal: null });
    const chunks = await all(await model.chat.completions.create({ messages: HI, stream: true }));
    expect(chunks.map(({ choices: [choice] }) => choice?.delta.content ?? choice?.finish_reason)).toEqual(['', '<thi', 'stop']);
  });

  test('stay in a text that is continued', async () => {
    const { model } = await answeringModel(THOUGHTFUL);
    expect((await model.completions.create({ prompt: 'a' })).choices[0]?.text).toBe(THOUGHTFUL.pieces.join(''));
  });

  const texts = [
    '', ' ', '\n\n', 'a', '<', '<thi', '<think>', '<think>a', '<think>a <', '<think>a </thin', '<think>a</think>', '<think></think>\n\nb', '<think>a</think> <', '<think>a</think><think>b</think>c',
    '  indented', '\n\n  indented', '<thinking> is text', 'a <think>b</think>', '<think>мысль</think>💥',
  ];
  test.each(texts)('of %j are the same in whatever pieces they come, and nothing is lost', (text) => {
    const said = (pieces: readonly string[]) => {
      const speech = new Speech();
      const parts = [...pieces.map((piece) => speech.take(piece)), speech.end()];
      return [parts.map(({ thoughts }) => thoughts).join(''), parts.map(({ answer }) => answer).join('')];
    };
    const whole = said([text]);
    for (let a = 0; a <= text.length; a += 1) {
      for (let b = a; b <= text.length; b += 1) expect(said([text.slice(0, a), text.slice(a, b), text.slice(b)])).toEqual(whole);
    }
    const letters = (each: string) => each.replace(/\s|<think>|<\/think>/g, '');
    expect(letters(whole.join('')).length).toBe(letters(text).length);
  });
});

describe('a text', () => {
  test('is continued as a whole, and in chunks', async () => {
    const { model, asked } = await answeringModel({ pieces: ['one', ' two'], rest: '.', stop: 'length', known: 9 });
    const choice = (text: string, finish_reason: string | null) => ({ index: 0, text, logprobs: null, finish_reason });
    expect(await model.completions.create({ prompt: 'Count:', max_tokens: 2 })).toEqual({
      ...head('cmpl'), object: 'text_completion', choices: [choice('one two.', 'length')], usage: usage(PROMPT_TOKENS, 2, 9),
    });
    expect(asked()).toEqual([[['Count:'], { maxTokens: 2 }]]);
    const chunks = await all(await model.completions.create({ prompt: 'Count:', stream: true, stream_options: { include_usage: true } }));
    expect(chunks.map(({ choices: [each] }) => each)).toEqual([choice('one', null), choice(' two', null), choice('.', 'length'), undefined]);
    expect(chunks.map((each) => each.usage)).toEqual([null, null, null, usage(PROMPT_TOKENS, 2, 9)]);
    for (const chunk of chunks) expect(chunk).toMatchObject({ ...head('cmpl'), object: 'text_completion' });
  });

  test.each<[Anything, Prompt[]]>([
    ['a', ['a']], [['a', 'b'], ['a', 'b']], [[1, 2], [Uint32Array.of(1, 2)]], [[[1], [2, 3]], [Uint32Array.of(1), Uint32Array.of(2, 3)]],
  ])('may be %j', async (prompt, prompts) => {
    const { model, asked } = await answeringModel();
    expect((await model.completions.create({ prompt })).choices).toHaveLength(prompts.length);
    expect(asked()[0]?.[0]).toEqual(prompts);
  });

  test('of several has the choices of each in turn, and each prompt counts once', async () => {
    const { model, asked } = await answeringModel((prompt, index) => ({ pieces: [`${String(prompt)}${index}`], promptTokens: prompt === 'a' ? 3 : 5, prefilledTokens: index % 2 === 0 ? 2 : 0 }));
    const { choices, usage: used } = await model.completions.create({ prompt: ['a', 'b'], n: 2, ...({ best_of: 1 } as object) });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([[0, 'a0'], [1, 'a1'], [2, 'b2'], [3, 'b3']]);
    expect(asked()).toEqual([[['a', 'a', 'b', 'b'], { sequences: 4 }]]);
    expect(used).toEqual(usage(8, 4, 4));
  });
});

describe('a call that is aborted', () => {
  const why = new Error('why');

  test.each([1, 2])('rejects with the reason of its signal, with %i choices, and the next one is answered', async (n) => {
    const { model, made } = await answeringModel({ pieces: Array.from({ length: 1000 }, () => 'a') });
    const control = new AbortController();
    const whole = thrownBy(() => model.chat.completions.create({ messages: HI, n }, { signal: control.signal }));
    const waiting = thrownBy(() => model.completions.create({ prompt: 'a', stream: true }, { signal: control.signal }));
    await vi.waitUntil(() => made[0]?.generate.mock.calls.length || made[0]?.generateBatch.mock.calls.length);
    control.abort(why);
    expect([await whole, await waiting]).toEqual([why, why]);
    expect(await thrownBy(() => model.chat.completions.create({ messages: HI }, { signal: AbortSignal.abort('before') }))).toBe('before');
    const streamed = new AbortController();
    const stream = await model.chat.completions.create({ messages: HI, n, stream: true }, { signal: streamed.signal });
    expect(await thrownBy(async () => { for await (const { choices: [choice] } of stream) if (choice?.delta.content === 'a') streamed.abort(why); })).toBe(why);
    await vi.waitFor(() => expect(made[0]?.stop.mock.calls.length).toBeGreaterThan(1));
  });

  test('by leaving its loop, or before it was asked for a chunk, ends what makes it', async () => {
    const { model, made } = await answeringModel({ pieces: Array.from({ length: 1000 }, () => 'a') });
    const stops = () => made[0]?.stop.mock.calls.length ?? 0;
    const before = stops();
    for await (const chunk of await model.chat.completions.create({ messages: HI, stream: true })) if (chunk.choices[0]?.delta.content === 'a') break;
    await vi.waitFor(() => expect(stops()).toBe(before + 1));
    const stream = await model.completions.create({ prompt: 'a', stream: true });
    expect(await stream.return()).toEqual({ done: true, value: undefined });
    await vi.waitFor(() => expect(stops()).toBe(before + 2));
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

test('what the engine throws rejects: before the first event the call, after it the stream', async () => {
  const { model } = await answeringModel(undefined, ({ generate }) => {
    generate.mockRejectedValueOnce(failure('chat-template').report());
    generate.mockImplementationOnce(async (_, __, onEvent) => {
      await onEvent({ type: 'token', id: 1, text: 'a', milliseconds: 1 });
      throw failure('gpu').report();
    });
  });
  expect(await thrownBy(() => model.chat.completions.create({ messages: HI, stream: true }))).toMatchObject({ name: 'MambaError', code: 'chat-template' });
  const stream = await model.chat.completions.create({ messages: HI, stream: true });
  const seen: unknown[] = [];
  expect(await thrownBy(async () => { for await (const chunk of stream) seen.push(chunk); })).toMatchObject({ code: 'gpu' });
  expect(seen).toHaveLength(2);
  expect((await model.chat.completions.create({ messages: HI })).choices[0]?.message.content).toBe('Hello there');
});

test('a batch whose worker breaks rejects once, and the next one opens the model again', async () => {
  const { model, made } = await answeringModel(undefined, ({ generateBatch }, worker, number) => {
    if (number === 1) generateBatch.mockImplementation(() => (queueMicrotask(() => worker.fault()), never()));
  });
  expect(await thrownBy(() => model.chat.completions.create({ messages: HI, n: 2 }))).toMatchObject({ code: 'engine-crashed' });
  expect((await model.chat.completions.create({ messages: HI, n: 2 })).choices).toHaveLength(2);
  expect(made).toHaveLength(2);
});

test('an answer that was ended by other means is none', async () => {
  const { model } = await answeringModel({ pieces: ['a'], stop: 'cancelled' });
  expect(await thrownBy(() => model.chat.completions.create({ messages: HI }))).toMatchObject({ code: 'cancelled' });
});

describe('a wrong call is refused before anything is done', () => {
  const chat = (body: object): [string, Anything] => ['chat', { messages: HI, ...body }];
  const text = (body: object): [string, Anything] => ['text', { prompt: 'a', ...body }];
  const message = (fields: object) => chat({ messages: [HI[0], fields] });
  const part = (fields: object) => message({ role: 'user', content: [{ type: 'text', text: 'a' }, fields] });
  const cases: [string, [string, Anything], object][] = [
    ['functions', chat({ functions: [{ name: 'f' }] }), { option: 'functions', message: /cannot do/, remedy: 'Leave it out.' }],
    ['a tool without a function', chat({ tools: [{ type: 'function' }] }), { option: 'tools[0].function' }],
    ['a tool without a type', chat({ tools: [{ function: { name: 'f' } }] }), { option: 'tools[0].type' }],
    ['a tool of another type', chat({ tools: [{ type: 'custom', custom: { name: 'f' } }] }), { option: 'tools[0].type' }],
    ['a tool without a name', chat({ tools: [{ type: 'function', function: {} }] }), { option: 'tools[0].function.name' }],
    ['a tool whose name is none', chat({ tools: [{ type: 'function', function: { name: 'a b' } }] }), { option: 'tools[0].function.name' }],
    ['two tools of one name', chat({ tools: [TOOL, TOOL] }), { option: 'tools[1].function.name' }],
    ['a slip in a tool', chat({ tools: [{ type: 'function', function: { name: 'f', parameter: {} } }] }), { option: 'tools[0].function.parameter', suggestion: 'parameters' }],
    ['a text for a tool', chat({ tools: ['f'] }), { argument: 'tools[0]' }],
    ['a call that has to be made of nothing', chat({ tool_choice: 'required' }), { option: 'tool_choice' }],
    ['a choice that there is not', chat({ tools: [TOOL], tool_choice: 'any' }), { option: 'tool_choice' }],
    ['a choice of another tool', chat({ tools: [TOOL], tool_choice: { type: 'function', function: { name: 'g' } } }), { option: 'tool_choice.function.name' }],
    ['a choice among some', chat({ tools: [TOOL], tool_choice: { type: 'allowed_tools', allowed_tools: {} } }), { option: 'tool_choice.type' }],
    ['calls or a schema', chat({ tools: [TOOL], response_format: { type: 'json_object' } }), { option: 'response_format' }],
    ['a number of calls', chat({ parallel_tool_calls: 1 }), { option: 'parallel_tool_calls' }],
    ['logprobs that are a number', chat({ logprobs: 1 }), { option: 'logprobs' }],
    ['likely tokens without logprobs', chat({ top_logprobs: 2 }), { option: 'top_logprobs', message: /logprobs/ }],
    ['too many likely tokens', chat({ logprobs: true, top_logprobs: 21 }), { option: 'top_logprobs' }],
    ['a bias too far', chat({ logit_bias: { 5: 101 } }), { option: 'logit_bias', message: /-100 to 100/ }],
    ['a bias that is none', text({ logit_bias: { 5: null } }), { option: 'logit_bias' }],
    ['a bias of no token', text({ logit_bias: { the: 1 } }), { option: 'logit_bias' }],
    ['a list of biases', chat({ logit_bias: [5, 1] }), { option: 'logit_bias' }],
    ['a bias for half of the world', chat({ logit_bias: Object.fromEntries(Array.from({ length: 4097 }, (_, id) => [id, 1])) }), { option: 'logit_bias' }],
    ['a schema', chat({ response_format: { type: 'text', schema: {} } }), { option: 'response_format.schema' }],
    ['echo', text({ echo: true }), { option: 'echo' }],
    ['suffix', text({ suffix: 'a' }), { option: 'suffix' }],
    ['best_of', text({ best_of: 2 }), { option: 'best_of' }],
    ['logprobs of a text that are no number', text({ logprobs: true }), { option: 'logprobs' }],
    ['likely tokens of a text', text({ top_logprobs: 1 }), { option: 'top_logprobs' }],
    ['thinking about a text', text({ thinking: 'on' }), { option: 'thinking' }],
    ['messages for a text', text({ messages: HI }), { option: 'messages' }],
    ['the engine’s own name', chat({ maxTokens: 3 }), { option: 'maxTokens', suggestion: 'max_tokens' }],
    ['a slip', chat({ temprature: 1 }), { option: 'temprature', suggestion: 'temperature' }],
    ['an unknown option', chat({ banana: 1 }), { option: 'banana', remedy: /temperature/ }],
    ['an inherited name', chat({ constructor: 1 }), { option: 'constructor' }],
    ['a text for a number', chat({ max_tokens: '3' }), { option: 'max_tokens' }],
    ['half a token', chat({ max_completion_tokens: 0.5 }), { option: 'max_completion_tokens' }],
    ['two different limits', chat({ max_completion_tokens: 3, max_tokens: 4 }), { option: 'max_tokens', message: /max_completion_tokens/ }],
    ['five stops', chat({ stop: ['a', 'b', 'c', 'd', 'e'] }), { option: 'stop' }],
    ['an empty stop', chat({ stop: ['a', ''] }), { option: 'stop' }],
    ['no stop', chat({ stop: '' }), { option: 'stop' }],
    ['a hole in the stops', chat({ stop: new Array(1) }), { option: 'stop' }],
    ['no choices', chat({ n: 0 }), { option: 'n' }],
    ['too many choices', text({ n: 129 }), { option: 'n' }],
    ['a negative seed', chat({ seed: -1 }), { option: 'seed' }],
    ['a cold one', chat({ temperature: -1 }), { option: 'temperature' }],
    ['more than everything', text({ top_p: 1.5 }), { option: 'top_p' }],
    ['a penalty that is none', chat({ presence_penalty: NaN }), { option: 'presence_penalty' }],
    ['a stream that is none', chat({ stream: 'yes' }), { option: 'stream' }],
    ['options of a stream without one', chat({ stream_options: { include_usage: true } }), { option: 'stream_options' }],
    ['a list for options of a stream', chat({ stream: true, stream_options: [] }), { argument: 'stream_options' }],
    ['an unknown option of a stream', chat({ stream: true, stream_options: { includeUsage: true } }), { option: 'stream_options.includeUsage', suggestion: 'include_usage' }],
    ['obfuscation', text({ stream: true, stream_options: { include_obfuscation: true } }), { option: 'stream_options.include_obfuscation' }],
    ['a model that is none', chat({ model: 7 }), { option: 'model' }],
    ['a way to think that there is not', chat({ thinking: true }), { option: 'thinking' }],
    ['no body', ['chat', undefined], { option: 'messages' }],
    ['a list for a body', ['chat', HI], { argument: 'body' }],
    ['a text for a body', ['text', 'a'], { argument: 'body' }],
    ['no messages', chat({ messages: [] }), { option: 'messages' }],
    ['a text for messages', chat({ messages: 'Hi' }), { option: 'messages' }],
    ['a hole in the messages', chat({ messages: new Array(1) }), { option: 'messages[0].role' }],
    ['a text for a message', chat({ messages: ['Hi'] }), { argument: 'messages[0]', message: /a message with role/ }],
    ['a message without a role', message({ content: 'a' }), { option: 'messages[1].role' }],
    ['a message without content', message({ role: 'assistant', content: null }), { option: 'messages[1].content' }],
    ['a result without its call', message({ role: 'tool', content: 'a' }), { option: 'messages[1].tool_call_id' }],
    ['a result without content', message({ role: 'tool', tool_call_id: 'b' }), { option: 'messages[1].content' }],
    ['the result of a user’s', message({ role: 'user', content: 'a', tool_call_id: 'b' }), { option: 'messages[1].tool_call_id' }],
    ['calls of a user’s', message({ role: 'user', content: 'a', tool_calls: [CALL] }), { option: 'messages[1].tool_calls' }],
    ['a message of a function', message({ role: 'function', name: 'f', content: 'a' }), { option: 'messages[1].role', message: /"function"/ }],
    ['a call without an id', message({ role: 'assistant', tool_calls: [{ ...CALL, id: undefined }] }), { option: 'messages[1].tool_calls[0].id' }],
    ['a call without a type', message({ role: 'assistant', tool_calls: [{ ...CALL, type: undefined }] }), { option: 'messages[1].tool_calls[0].type' }],
    ['a call without a name', message({ role: 'assistant', tool_calls: [{ ...CALL, function: { arguments: '{}' } }] }), { option: 'messages[1].tool_calls[0].function.name' }],
    ['a call without arguments', message({ role: 'assistant', tool_calls: [{ ...CALL, function: { name: 'f' } }] }), { option: 'messages[1].tool_calls[0].function.arguments' }],
    ['arguments that are no text', message({ role: 'assistant', tool_calls: [{ ...CALL, function: { name: 'f', arguments: {} } }] }), { option: 'messages[1].tool_calls[0].function.arguments' }],
    ['a message with a name', message({ role: 'user', content: 'a', name: 'b' }), { option: 'messages[1].name' }],
    ['a message that refuses', message({ role: 'assistant', refusal: 'no' }), { option: 'messages[1].refusal' }],
    ['a slip in a message', message({ role: 'user', contents: 'a' }), { option: 'messages[1].contents', suggestion: 'content' }],
    ['thoughts of the user’s', message({ role: 'user', content: 'a', reasoning_content: 'b' }), { option: 'messages[1].reasoning_content' }],
    ['no parts', message({ role: 'user', content: [] }), { option: 'messages[1].content' }],
    ['an image', part({ type: 'image_url', image_url: { url: 'data:' } }), { option: 'messages[1].content[1].type', message: /"image_url"/ }],
    ['a part without a type', part({ text: 'a' }), { option: 'messages[1].content[1].type' }],
    ['a part without text', part({ type: 'text' }), { option: 'messages[1].content[1].text' }],
    ['a text for a part', message({ role: 'user', content: ['a'] }), { argument: 'messages[1].content[0]', message: /a part with type/ }],
    ['no prompt', ['text', {}], { option: 'prompt' }],
    ['an empty list of prompts', text({ prompt: [] }), { option: 'prompt' }],
    ['prompts of two kinds', text({ prompt: ['a', 1] }), { option: 'prompt' }],
    ['a token that is none', text({ prompt: [[1], [-1]] }), { option: 'prompt' }],
  ];

  test.each(cases)('%s', async (_, [kind, body], { message: words = /./, remedy = /./, ...data }: { message?: RegExp; remedy?: RegExp | string }) => {
    const { model, asked } = await answeringModel();
    const create = (given: Anything) => (kind === 'chat' ? model.chat.completions.create(given as Anything) : model.completions.create(given as Anything)) as Promise<unknown>;
    const thrown = await thrownBy(() => create(body));
    expect(thrown).toBeInstanceOf(MambaError);
    expect(thrown).toMatchObject({ code: 'option' in data ? 'invalid-option' : 'invalid-request', data, message: expect.stringMatching(words) as string, remedy: expect.stringMatching(remedy) as string });
    expect((thrown as MambaError).message).not.toMatch(/\{\w+\}/);
    expect(asked()).toEqual([]);
    await create(kind === 'chat' ? { messages: HI } : { prompt: 'a' });
    expect(asked()).toHaveLength(1);
  });

  test.each([[{ timeout: 3 }, { option: 'timeout' }], [{ signal: {} }, { option: 'signal' }], [new AbortController().signal, { argument: 'options' }]])('options %o', async (options, data) => {
    const { model, asked } = await answeringModel();
    expect(await thrownBy(() => model.chat.completions.create({ messages: HI }, options as Anything))).toMatchObject({ name: 'MambaError', data });
    expect(asked()).toEqual([]);
  });
});
