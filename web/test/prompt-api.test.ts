/** The Prompt API and the writing assistance APIs upon a model: what the specifications say of their calls, events and exceptions. */
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { failure, type AnswerEvent, type LoadedModel, type LoadProgress, type Prompt } from 'web-mamba';
import { installPromptApi, promptApi, type CreateMonitor, type LanguageModel } from 'web-mamba/prompt-api';
import { ServedModel } from '../engine/src/prompt-api/served-model';
import { answeringModel, PROMPT_TOKENS, type Answer } from './answering-model';
import { realModel } from './real-model';

/** Whatever a caller without types may pass. */
type Anything = any;
type Thrown = { name: string; message: string; cause?: { code: string }; requested?: number; quota?: number };

afterEach(() => vi.unstubAllGlobals());

const thrownBy = (call: () => unknown) => (async () => call())().then(() => undefined, (thrown: unknown) => thrown as Thrown);

async function all(stream: ReadableStream<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream as unknown as AsyncIterable<string>) pieces.push(piece);
  return pieces;
}

/** Every message counts its words. */
const words = (prompt: Prompt) => (prompt as { content: string }[]).map(({ content }) => content).join(' ').split(/\s+/).filter((word) => word !== '').length;

async function fake(answers: Answer | ((prompt: Prompt) => Answer) = { pieces: ['Hello', ' there'] }, options?: Parameters<typeof promptApi>[1]) {
  const { model, asked, made } = await answeringModel(answers, (calls) => Object.assign(calls, { promptTokens: async (prompt: Prompt) => new Uint32Array(words(prompt)) }));
  return { api: promptApi(model, options), model, made, messages: () => asked().map(([[prompt]]) => prompt), options: () => asked().map(([, given]) => given) };
}

const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string) => ({ role: 'assistant' as const, content });

describe('a session', () => {
  test('answers, and goes on from what was said', async () => {
    const { api, messages, options } = await fake({ pieces: ['Hello', ' there'], rest: '!' });
    const session = await api.LanguageModel.create({ initialPrompts: [{ role: 'system', content: 'Be brief' }, user('Hi'), assistant('Yes?')] });
    expect(session).toBeInstanceOf(api.LanguageModel);
    expect(await session.prompt('Who are you?')).toBe('Hello there!');
    expect(await all(session.promptStreaming([user('One'), { role: 'user', content: [{ type: 'text', value: 'Two' }, { type: 'text', value: 'Three' }] }]))).toEqual(['Hello', ' there', '!']);
    const begun = [{ role: 'system', content: 'Be brief' }, user('Hi'), assistant('Yes?')];
    const first = [...begun, user('Who are you?')];
    expect(messages()).toEqual([begun, first, [...first, assistant('Hello there!'), user('One'), user('TwoThree')]]);
    expect(options()).toEqual([
      { maxTokens: 0, keepAfter: 'Yes?' }, { maxTokens: 4096, topK: 40, temperature: 0.7 }, { maxTokens: 4096, topK: 40, temperature: 0.7 },
    ]);
    expect([session.contextUsage, session.contextWindow]).toEqual([PROMPT_TOKENS + 2, Infinity]);
    expect([session.inputUsage, session.inputQuota]).toEqual([PROMPT_TOKENS + 2, Infinity]);
  });

  test('has no thoughts in its answers, and goes on from them all the same', async () => {
    const { api, messages } = await fake({ pieces: ['<think>Hm', '</think>', '\nYes'] });
    const session = await api.LanguageModel.create();
    expect(await all(session.promptStreaming('A?'))).toEqual(['Yes']);
    await session.prompt('B?');
    expect(messages()[1]).toEqual([user('A?'), assistant('<think>Hm</think>\nYes'), user('B?')]);
  });

  test('that is cloned is two, which share what was said before', async () => {
    const { api, messages } = await fake({ pieces: ['a'] });
    const session = await api.LanguageModel.create({ samplingMode: 'most-predictable' });
    await session.prompt('1');
    const clone = await session.clone();
    expect(clone).toBeInstanceOf(api.LanguageModel);
    expect([clone.contextUsage, clone.temperature]).toEqual([session.contextUsage, 0]);
    await clone.prompt('2');
    session.destroy();
    await clone.prompt('3');
    expect(messages().at(-1)).toEqual([user('1'), assistant('a'), user('2'), assistant('a'), user('3')]);
    expect((await thrownBy(() => session.clone()))?.name).toBe('AbortError');
  });

  test('reads ahead what is appended, and answers with a beginning that is given', async () => {
    const { api, messages } = await fake({ pieces: ['\n', 'a = 1'] });
    const session = await api.LanguageModel.create();
    expect(await session.append([{ role: 'system', content: 'Be brief' }, user('Here it is.')] as Anything)).toBeUndefined();
    expect(await session.prompt([user('Go on.'), { role: 'assistant', content: '```toml', prefix: true }])).toBe('\na = 1');
    await session.prompt([assistant('One more.')]);
    expect(messages().slice(1)).toEqual([
      [{ role: 'system', content: 'Be brief' }, user('Here it is.'), user('Go on.'), assistant('```toml')],
      [{ role: 'system', content: 'Be brief' }, user('Here it is.'), user('Go on.'), assistant('```toml\na = 1'), assistant('One more.'), assistant('')],
    ]);
  });

  test('measures what a prompt would add', async () => {
    const { api } = await fake();
    const session = await api.LanguageModel.create({ initialPrompts: [user('one two three')] });
    expect(await session.measureContextUsage('four five')).toBe(2);
    expect(await session.measureInputUsage([user('four'), user('five six')])).toBe(3);
  });

  test('drops the oldest turns where its context window is full, and says so; what it begins with stays', async () => {
    const { api, messages, options } = await fake((prompt) => ({ pieces: ['a'], promptTokens: words(prompt) }), { contextWindow: 10, maxTokens: 5 });
    const session = await api.LanguageModel.create({ initialPrompts: [{ role: 'system', content: 'stays here' }] });
    const [heard, handled, old] = [vi.fn(), vi.fn(), vi.fn()];
    session.addEventListener('contextoverflow', heard);
    session.oncontextoverflow = handled;
    session.onquotaoverflow = old;
    await session.prompt('one two three');
    await session.prompt('four');
    expect(options().at(-1)).toMatchObject({ maxTokens: 3 });
    expect(heard).not.toHaveBeenCalled();
    await session.prompt('five six seven eight');
    expect([heard, handled, old].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1]);
    expect(messages().at(-1)).toEqual([{ role: 'system', content: 'stays here' }, user('four'), assistant('a'), user('five six seven eight')]);
    expect([session.contextUsage, session.contextWindow]).toEqual([9, 10]);
    const thrown = await thrownBy(() => session.prompt('1 2 3 4 5 6 7 8 9'));
    expect(thrown).toMatchObject({ name: 'QuotaExceededError', requested: 9, quota: 1, cause: { code: 'invalid-request' } });
    // Nothing was dropped for it.
    session.oncontextoverflow = null;
    await session.append('x');
    expect(messages().at(-1)).toEqual([{ role: 'system', content: 'stays here' }, user('four'), assistant('a'), user('five six seven eight'), assistant('a'), user('x')]);
    expect(handled).toHaveBeenCalledOnce();
    expect(await thrownBy(() => api.LanguageModel.create({ initialPrompts: [user('1 2 3 4 5 6 7 8 9 10 11')] }))).toMatchObject({ name: 'QuotaExceededError', requested: 11, quota: 10 });
  });

  test('answers prompts one after the other; one that is aborted, while it waits or is answered, leaves nothing', async () => {
    const { api, messages } = await fake((prompt) => ({ pieces: [`to ${(prompt as { content: string }[]).at(-1)?.content}`, ' and more', ' and more'] }));
    const session = await api.LanguageModel.create();
    const [waiting, running] = [new AbortController(), new AbortController()];
    const first = session.promptStreaming('1', { signal: running.signal });
    const others = Promise.allSettled([session.prompt('2', { signal: waiting.signal }), session.prompt('3')]);
    waiting.abort('not this');
    const reader = first.getReader();
    expect((await reader.read()).value).toBe('to 1');
    running.abort('enough');
    await expect(reader.read()).rejects.toBe('enough');
    expect(await others).toEqual([{ status: 'rejected', reason: 'not this' }, { status: 'fulfilled', value: 'to 3 and more and more' }]);
    expect(messages()).toEqual([[user('1')], [user('3')]]);
  });

  test('whose stream is cancelled ends the answer without an error', async () => {
    const { api, made, messages } = await fake({ pieces: ['a', 'b', 'c', 'd'] });
    const session = await api.LanguageModel.create();
    const reader = session.promptStreaming('1').getReader();
    await reader.read();
    await reader.cancel();
    await session.prompt('2');
    expect(made[0]?.stop).toHaveBeenCalled();
    expect(messages().at(-1)).toEqual([user('2')]);
  });

  test('that is destroyed, by the signal of its creation too, ends with its calls', async () => {
    const { api } = await fake();
    const control = new AbortController();
    const [session, other] = [await api.LanguageModel.create(), await api.LanguageModel.create({ signal: control.signal })];
    const [answer, stream] = [thrownBy(() => session.prompt('1')), session.promptStreaming('2').getReader()];
    expect(session.destroy()).toBeUndefined();
    expect((await answer)?.name).toBe('AbortError');
    expect((await thrownBy(() => stream.read()))?.name).toBe('AbortError');
    for (const call of [() => session.prompt('1'), () => session.append('1'), () => session.measureContextUsage('1'), () => session.promptStreaming('1')]) {
      expect((await thrownBy(call))?.name).toBe('AbortError');
    }
    control.abort('over');
    expect(await thrownBy(() => other.prompt('1'))).toBe('over');
    expect(await thrownBy(() => api.LanguageModel.create({ signal: control.signal }))).toBe('over');
  });

  test.each<[string, (session: LanguageModel) => unknown, string]>([
    ['no text and no array', (session) => session.prompt(7 as Anything), 'TypeError'],
    ['a message without a role', (session) => session.prompt([{ content: 'a' }] as Anything), 'TypeError'],
    ['an unknown role', (session) => session.prompt([{ role: 'tool', content: 'a' }] as Anything), 'TypeError'],
    ['a system message after others', (session) => session.prompt([user('a'), { role: 'system', content: 'b' }] as Anything), 'TypeError'],
    ['a message without content', (session) => session.append([{ role: 'user' }] as Anything), 'TypeError'],
    ['a text part that is none', (session) => session.prompt([{ role: 'user', content: [{ type: 'text', value: 1 }] }] as Anything), 'TypeError'],
    ['an unknown part', (session) => session.prompt([{ role: 'user', content: [{ type: 'video', value: 'a' }] }] as Anything), 'TypeError'],
    ['an image', (session) => session.prompt([{ role: 'user', content: [{ type: 'image', value: new Blob() as Anything }] }]), 'NotSupportedError'],
    ['audio that is measured', (session) => session.measureContextUsage([{ role: 'user', content: [{ type: 'audio', value: new ArrayBuffer(1) }] }]), 'NotSupportedError'],
    ['a prefix of the user', (session) => session.prompt([{ role: 'user', content: 'a', prefix: true }] as Anything), 'SyntaxError'],
    ['a prefix before other messages', (session) => session.prompt([{ role: 'assistant', content: 'a', prefix: true }, user('b')]), 'SyntaxError'],
    ['a constraint that is omitted', (session) => session.prompt('a', { omitResponseConstraintInput: true }), 'TypeError'],
    ['a signal that is none', (session) => session.prompt('a', { signal: 1 as Anything }), 'TypeError'],
  ])('refuses %s', async (_, call, name) => {
    const { api, messages } = await fake();
    expect((await thrownBy(async () => call(await api.LanguageModel.create())))?.name).toBe(name);
    expect(messages()).toEqual([]);
    const session = await api.LanguageModel.create();
    await thrownBy(() => call(session));
    expect(await session.prompt([])).toBe('Hello there');
  });

  test.each([
    ['crashes', failure('engine-crashed', { name: 'tiny' }), 'UnknownError'],
    ['cannot read the prompt', failure('chat-template'), 'UnknownError'],
    ['was closed', failure('freed'), 'InvalidStateError'],
  ])('whose model %s rejects with an exception that has the cause', async (_, thrown, name) => {
    const { model } = await answeringModel({ pieces: ['a'] }, (calls) => calls.generate.mockRejectedValue(thrown.report()));
    const session = await promptApi(model).LanguageModel.create();
    const got = await thrownBy(() => session.prompt('1'));
    expect(got).toBeInstanceOf(DOMException);
    expect(got).toMatchObject({ name, cause: { code: thrown.code } });
    expect(got?.message).toContain(thrown.message);
    expect((await thrownBy(() => all(session.promptStreaming('1'))))?.name).toBe(name);
  });
});

describe('a creation', () => {
  test.each<[string, object, string]>([
    ['images', { expectedInputs: [{ type: 'image' }] }, 'NotSupportedError'],
    ['audio out', { expectedOutputs: [{ type: 'text' }, { type: 'audio' }] }, 'NotSupportedError'],
    ['tools', { tools: [{ name: 'a', description: 'b', inputSchema: {}, execute: async () => '' }] }, 'NotSupportedError'],
    ['a language that is none', { expectedInputs: [{ type: 'text', languages: ['a language'] }] }, 'RangeError'],
    ['two ways of sampling', { samplingMode: 'creative', temperature: 1 }, 'TypeError'],
    ['an unknown mode', { samplingMode: 'wild' }, 'TypeError'],
    ['a temperature below 0', { temperature: -1 }, 'RangeError'],
    ['topK below 1', { topK: 0 }, 'RangeError'],
    ['options that are none', 'options' as Anything, 'TypeError'],
    ['a system message in the middle', { initialPrompts: [user('a'), { role: 'system', content: 'b' }] }, 'TypeError'],
    ['initial prompts that are a text', { initialPrompts: 7 }, 'TypeError'],
  ])('with %s is refused', async (_, options, name) => {
    const { api } = await fake();
    expect((await thrownBy(() => api.LanguageModel.create(options)))?.name).toBe(name);
    if (name === 'NotSupportedError') expect(await api.LanguageModel.availability(options)).toBe('unavailable');
  });

  test('takes its sampling as it is meant', async () => {
    const { api } = await fake();
    const of = async (options: object) => {
      const { topK, temperature } = await api.LanguageModel.create(options);
      return [topK, temperature];
    };
    expect(await of({})).toEqual([40, 0.7]);
    expect(await of({ topK: 3.7, temperature: 0.5, unknown: 1, tools: [], signal: null })).toEqual([3, 0.5]);
    expect(await of({ topK: Infinity, temperature: 9 })).toEqual([1000, 2]);
    expect(await api.LanguageModel.params()).toEqual({ defaultTopK: 40, maxTopK: 1000, defaultTemperature: 0.7, maxTemperature: 2 });
    expect(await api.LanguageModel.availability({ expectedInputs: [{ type: 'text', languages: ['EN-us'] }] })).toBe('available');
  });

  test('takes initial prompts from any iterable, once, and none from an empty one', async () => {
    const { api, messages } = await fake();
    await api.LanguageModel.create({ initialPrompts: [] });
    await api.LanguageModel.create({ initialPrompts: [user('a')][Symbol.iterator]() as Anything });
    expect(messages()).toEqual([[user('a')]]);
  });

  test('gives objects with the interface’s names and no others', async () => {
    const { api } = await fake();
    const namesOf = (object: object) => {
      const prototypes = [Object.getPrototypeOf(object) as object, Object.getPrototypeOf(Object.getPrototypeOf(object)) as object];
      return [...new Set([...Object.keys(object), ...prototypes.flatMap((each) => Object.getOwnPropertyNames(each))])].filter((name) => name !== 'constructor').sort();
    };
    expect(namesOf(await api.LanguageModel.create())).toEqual([
      'append', 'clone', 'contextUsage', 'contextWindow', 'destroy', 'inputQuota', 'inputUsage', 'measureContextUsage', 'measureInputUsage', 'oncontextoverflow',
      'onquotaoverflow', 'prompt', 'promptStreaming', 'temperature', 'topK',
    ]);
    expect(namesOf(await api.Translator.create({ sourceLanguage: 'en', targetLanguage: 'fr' }))).toEqual([
      'destroy', 'inputQuota', 'measureInputUsage', 'sourceLanguage', 'targetLanguage', 'translate', 'translateStreaming',
    ]);
  });

  test('is the only way to an object', async () => {
    const { api } = await fake();
    for (const name of ['LanguageModel', 'Summarizer', 'Writer', 'Rewriter', 'Translator'] as const) {
      expect(() => new (api[name] as Anything)()).toThrow(TypeError);
      expect(api[name].name).toBe(name);
    }
  });

  test('loads the model once, with events of its download, and a try after a failed one', async () => {
    const { model } = await answeringModel({ pieces: ['a'] });
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 60));
    onTestFinished(() => void vi.restoreAllMocks());
    const loads: { resolve: (model: LoadedModel) => void; reject: (thrown: unknown) => void; onProgress: (progress: LoadProgress) => void }[] = [];
    const api = promptApi(({ onProgress }) => new Promise((resolve, reject) => loads.push({ resolve, reject, onProgress })));
    expect(await api.LanguageModel.availability()).toBe('downloadable');
    const seen: [string, number, number, boolean][] = [];
    const monitor = (which: string) => (target: CreateMonitor) => {
      target.addEventListener('downloadprogress', ({ loaded, total, lengthComputable }) => seen.push([which, loaded, total, lengthComputable]));
    };
    const handled = vi.fn();
    const creations = [
      api.LanguageModel.create({ monitor: monitor('a') }),
      api.Summarizer.create({ monitor: (target: CreateMonitor) => { target.ondownloadprogress = handled; } }),
    ];
    expect(await api.Writer.availability()).toBe('downloading');
    loads[0]?.onProgress({ phase: 'verify', loaded: 1, total: 2 });
    loads[0]?.onProgress({ phase: 'download', loaded: 1, total: 3 });
    loads[0]?.resolve(model);
    await Promise.all(creations);
    expect(seen).toEqual([0, Math.floor(65536 / 3) / 65536, 1].map((loaded) => ['a', loaded, 1, true]));
    expect(handled).toHaveBeenCalledTimes(3);
    expect([loads.length, await api.Writer.availability()]).toEqual([1, 'available']);
    await api.close();
    expect(await thrownBy(() => model.tokenize('a'))).toMatchObject({ code: 'freed' });
    for (const [thrown, name] of [[failure('network', { host: 'a' }), 'NetworkError'], [failure('architecture', { name: 'x' }), 'NotSupportedError'], [failure('storage'), 'OperationError']] as const) {
      const again = thrownBy(() => api.Rewriter.create());
      await vi.waitFor(() => expect(loads.at(-1)).toBeDefined());
      loads.pop()?.reject(thrown);
      expect(await again).toMatchObject({ name, cause: { code: thrown.code } });
      expect(await api.LanguageModel.availability()).toBe('downloadable');
    }
  });

  test('that is aborted rejects at once; the load goes on for others', async () => {
    const { model } = await answeringModel({ pieces: ['a'] });
    let loaded: (model: LoadedModel) => void = () => undefined;
    const api = promptApi(() => new Promise((resolve) => (loaded = resolve)));
    const control = new AbortController();
    const [first, second] = [thrownBy(() => api.LanguageModel.create({ signal: control.signal })), api.LanguageModel.create()];
    control.abort('enough');
    expect(await first).toBe('enough');
    loaded(model);
    expect(await (await second).prompt('1')).toBe('a');
    expect(await thrownBy(() => api.LanguageModel.create({ monitor: () => { throw new RangeError('of the page'); } }))).toMatchObject({ name: 'RangeError' });
  });

  test.each([
    [{ fits: true, downloaded: 'yes' }, 'available'], [{ fits: true, downloaded: 'partly' }, 'downloadable'], [{ fits: true, downloaded: 'no' }, 'downloadable'],
    [{ fits: false, downloaded: 'no' }, 'unavailable'],
  ])('of a source that %o is %s', async (availability, expected) => {
    const calls = { availability: vi.fn(async () => availability), load: vi.fn() } as Anything;
    expect(await new ServedModel('https://a.example/b.gguf', { backend: 'cpu' }, calls).availability()).toBe(expected);
    expect(calls.availability.mock.calls[0]).toEqual(['https://a.example/b.gguf', { backend: 'cpu' }]);
  });

  test('of a source that is no model is unavailable, and of one that nobody can say an UnknownError', async () => {
    const of = (thrown: unknown) => new ServedModel('https://a.example/b.gguf', {}, { availability: async () => { throw thrown; } } as Anything).availability();
    expect(await of(failure('not-gguf'))).toBe('unavailable');
    expect(await thrownBy(() => of(failure('network', { host: 'a' })))).toMatchObject({ name: 'UnknownError', cause: { code: 'network' } });
  });

  test('of a source, or by a function, is told of every option of a load', async () => {
    const { model } = await answeringModel({ pieces: ['a'] });
    const [load, seen] = [vi.fn(async (options: Anything) => (options.onProgress({ phase: 'load', loaded: 1, total: 2 }), model)), vi.fn()];
    const options = { backend: 'cpu', activations: 'q8', workers: 2, store: true, shared: true, chatTemplate: '{{ messages }}', onProgress: seen } as const;
    const calls = { load: (_: unknown, given: unknown) => load(given) } as Anything;
    expect(await new ServedModel('https://a.example/b.gguf', options, calls).load(() => undefined)).toBe(model);
    await promptApi(load, { ...options, maxTokens: 3 }).LanguageModel.create();
    const { onProgress: _, ...others } = options;
    for (const [given] of load.mock.calls) expect(given).toEqual({ ...others, onProgress: expect.any(Function) as unknown, signal: expect.any(AbortSignal) as unknown });
    expect([load.mock.calls.length, seen.mock.calls]).toEqual([2, [[{ phase: 'load', loaded: 1, total: 2 }], [{ phase: 'load', loaded: 1, total: 2 }]]]);
    // Such a model is loaded as it is.
    for (const [option, value] of Object.entries(options)) {
      expect(() => promptApi(model, { [option]: value })).toThrow(expect.objectContaining({ code: 'invalid-option', data: expect.objectContaining({ option }) as object }) as Error);
    }
  });

  test('with a signal ends with it, as do those that come later', async () => {
    const control = new AbortController();
    const api = promptApi(({ signal }) => new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    }), { signal: control.signal });
    const first = thrownBy(() => api.LanguageModel.create());
    control.abort('enough');
    expect([await first, await thrownBy(() => api.Writer.create())]).toEqual(['enough', 'enough']);
  });

  test('options of another kind are refused by name', () => {
    expect(() => promptApi(undefined as Anything)).toThrow(expect.objectContaining({ code: 'invalid-request' }) as Error);
    expect(() => promptApi('a', { contextWindows: 1 } as Anything)).toThrow(/contextWindow/);
    expect(() => promptApi('a', { chatTemplates: '{{ messages }}' } as Anything)).toThrow(expect.objectContaining({ code: 'invalid-option', data: { option: 'chatTemplates', suggestion: 'chatTemplate' } }) as Error);
    expect(() => promptApi('a', { shared: 1 } as Anything)).toThrow(expect.objectContaining({ data: expect.objectContaining({ option: 'shared' }) as object }) as Error);
    expect(() => promptApi('a', { contextWindow: 0 })).toThrow(expect.objectContaining({ data: expect.objectContaining({ option: 'contextWindow' }) as object }) as Error);
  });
});

describe('a task', () => {
  const prompt = (messages: (Prompt | undefined)[]) => (messages.at(-1) as { content: string }[])[0]?.content ?? '';

  test('of a summariser has its type, format, length, contexts and language, and reads what is always the same once', async () => {
    const { api, messages, options } = await fake({ pieces: ['<think>Hm</think>', 'Short', '.'] });
    const summarizer = await api.Summarizer.create({ type: 'headline', format: 'plain-text', length: 'long', sharedContext: 'News', outputLanguage: 'DE', expectedInputLanguages: ['en-us'] });
    expect(summarizer).toMatchObject({ type: 'headline', format: 'plain-text', length: 'long', sharedContext: 'News', outputLanguage: 'de', expectedInputLanguages: ['en-US'], inputQuota: Infinity });
    expect(await summarizer.summarize('A long text', { context: 'For children' })).toBe('Short.');
    expect(prompt(messages())).toMatch(/headline.*22 words[\s\S]*plain text[\s\S]*German[\s\S]*News[\s\S]*For children[\s\S]*A long text$/);
    const { keepAfter = '' } = options()[0] ?? {};
    expect(prompt(messages()).startsWith(keepAfter) && keepAfter.endsWith('News')).toBe(true);
    expect(await all(summarizer.summarizeStreaming('Another'))).toEqual(['Short', '.']);
    expect(await summarizer.measureInputUsage('any')).toBe(0);
    expect([await summarizer.summarize(' \n'), messages().length]).toEqual(['', 2]);
    expect(await api.Summarizer.create()).toMatchObject({ type: 'key-points', format: 'markdown', length: 'short', sharedContext: '' });
  });

  test('of a writer, a rewriter and a translator', async () => {
    const { api, messages } = await fake({ pieces: ['Done'] });
    expect(await (await api.Writer.create({ tone: 'formal' })).write('A letter')).toBe('Done');
    expect(prompt(messages())).toMatch(/formal tone[\s\S]*A letter$/);
    expect(await (await api.Rewriter.create({ length: 'shorter' })).rewrite('A text')).toBe('Done');
    expect(prompt(messages())).toMatch(/shorter[\s\S]*A text$/);
    const translator = await api.Translator.create({ sourceLanguage: 'en', targetLanguage: 'FR' });
    expect(translator).toMatchObject({ sourceLanguage: 'en', targetLanguage: 'fr' });
    expect(await all(translator.translateStreaming('A word'))).toEqual(['Done']);
    expect(prompt(messages())).toMatch(/English into French[\s\S]*A word$/);
    translator.destroy();
    expect((await thrownBy(() => translator.translate('A word')))?.name).toBe('AbortError');
    expect((await thrownBy(() => api.Translator.create({ sourceLanguage: 'en' } as Anything)))?.name).toBe('TypeError');
    expect((await thrownBy(() => api.Translator.availability({ sourceLanguage: 'en', targetLanguage: 'no tag' })))?.name).toBe('RangeError');
    expect((await thrownBy(() => api.Writer.create({ tone: 'angry' } as Anything)))?.name).toBe('TypeError');
    expect((await thrownBy(async () => (await api.Writer.create()).write(7 as Anything)))?.name).toBe('TypeError');
  });

  test('has a quota where there is a context window', async () => {
    const { api } = await fake({ pieces: ['a'] }, { contextWindow: 100 });
    const summarizer = await api.Summarizer.create();
    const { inputQuota } = summarizer;
    expect(inputQuota).toBeLessThan(100);
    expect(await summarizer.measureInputUsage('b c d')).toBe(3);
    expect(await summarizer.summarize('b c d')).toBe('a');
    expect(await thrownBy(() => summarizer.summarize('b '.repeat(100)))).toMatchObject({ name: 'QuotaExceededError', quota: inputQuota });
    expect((await thrownBy(async () => (await fake({ pieces: [] }, { contextWindow: 5 })).api.Summarizer.create()))?.name).toBe('QuotaExceededError');
  });
});

test('it is installed in place of what is there', async () => {
  const { model } = await answeringModel({ pieces: ['a'] });
  for (const name of ['LanguageModel', 'Summarizer', 'Writer', 'Rewriter', 'Translator']) vi.stubGlobal(name, undefined);
  const api = installPromptApi(model);
  expect([(globalThis as Anything).LanguageModel, (globalThis as Anything).Translator]).toEqual([api.LanguageModel, api.Translator]);
  expect(Object.keys(globalThis)).not.toContain('LanguageModel');
});

describe('with the real engine', () => {
  let model: LoadedModel;
  const reads: { known: number; prefilled: number; total: number }[] = [];

  beforeAll(async () => {
    ({ model } = await realModel());
    const generate = model.generate.bind(model);
    vi.spyOn(model, 'generate').mockImplementation(async function* (...given): AsyncGenerator<AnswerEvent, void, undefined> {
      for await (const event of generate(...given)) {
        if (event.type === 'end') reads.push({ known: event.promptTokens - event.prefilledTokens, prefilled: event.prefilledTokens, total: event.promptTokens });
        yield event;
      }
    });
  }, 60_000);
  afterAll(() => model?.close());

  test('an answer is held to a schema, or to an expression with its flags', async () => {
    const { LanguageModel } = promptApi(model, { maxTokens: 40 });
    const session = await LanguageModel.create({ samplingMode: 'creative' });
    const answer = await session.prompt('Is it late?', { responseConstraint: { type: 'object', properties: { late: { type: 'boolean' } }, required: ['late'], additionalProperties: false } });
    expect(JSON.parse(answer)).toEqual({ late: expect.any(Boolean) as boolean });
    expect(await session.prompt('And now?', { responseConstraint: /YES|NO/i as Anything, omitResponseConstraintInput: true })).toMatch(/^(yes|no)$/i);
    const refused = await thrownBy(() => session.prompt('a', { responseConstraint: { type: 'number', multipleOf: 'b' } }));
    expect([refused?.name, (refused?.cause as { code: string }).code]).toEqual(['NotSupportedError', 'grammar']);
  });

  test('what was appended is not read again, by its clones neither, which answer alike', async () => {
    const { LanguageModel } = promptApi(model, { maxTokens: 8 });
    const session = await LanguageModel.create({ samplingMode: 'most-predictable', initialPrompts: [{ role: 'system', content: 'You are a captain.' }] });
    await session.append('Once upon a time there was a small boat on a wide sea. '.repeat(12));
    const clones = [await session.clone(), await session.clone()];
    const usage = session.contextUsage;
    expect(usage).toBeGreaterThan(100);
    const answers = [];
    for (const each of [...clones, session]) answers.push(await each.prompt('What is it about?'));
    expect(answers[0]?.trim()).not.toBe('');
    expect(new Set(answers).size).toBe(1);
    expect(reads.slice(-3).every(({ known, total }) => known > usage - 15 && total > usage)).toBe(true);
    const before = reads.length;
    await session.prompt('And then?');
    // The answer was kept where it ended.
    expect(reads[before]?.prefilled).toBeLessThan(30);
    expect(await session.measureContextUsage('And then?')).toBeGreaterThan(2);
  });
});
