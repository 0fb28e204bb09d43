/** The one way in, over workers that run in the test: what it takes, what it refuses, and how its calls stand beside each other. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ENGLISH, failure, MambaError, type AnswerEvent, type LoadOptions, type LoadProgress, type Source } from 'web-mamba';
import { webMamba } from '../engine/src/api/web-mamba';
import { nearest } from '../engine/src/api/nearest';
import { modelSource } from '../engine/src/api/source';
import { CHUNK_BYTES } from '../engine/src/store/model-record';
import { sourceKey, type ModelSource } from '../engine/src/store/model-source';
import { FakeWorker, soundCalls } from './fake-worker';

const ADDRESS = 'https://example.org/tiny.gguf';
const never = () => new Promise<never>(() => undefined);
const turn = () => new Promise((resolve) => setTimeout(resolve));
/** Whatever a caller without types may pass. */
type Anything = any;

/** Of the fake workers, only those that are gone name a lock. */
beforeEach(() => vi.stubGlobal('navigator', { locks: { request: async (_: string, __: object, then: () => void) => then() } }));
afterEach(() => vi.unstubAllGlobals());

const fileHandle = () => ({ [Symbol.toStringTag]: 'FileSystemFileHandle' }) as unknown as FileSystemFileHandle;

type Calls = ReturnType<typeof allCalls>;

function allCalls() {
  return {
    ...soundCalls(),
    remove: vi.fn(async (_: string) => undefined),
    setDutyCycle: vi.fn(async (_: number) => undefined),
    verify: vi.fn(async (_: string, onProgress: (progress: object) => unknown) => (await onProgress({ done: 1, total: 2, phase: 'verify' }), { bad: 0 })),
    availability: vi.fn(async (source: ModelSource, device: object) => ({ source, device })),
  };
}

/** The calls of a package whose workers are as `change` makes each of them. */
function packageOf(change: (calls: Calls, worker: FakeWorker, number: number) => void = () => undefined) {
  const made: { calls: Calls; worker: FakeWorker }[] = [];
  const api = webMamba({
    hasGpu: async () => false,
    start: () => {
      const calls = allCalls();
      const worker = new FakeWorker(calls);
      made.push({ calls, worker });
      change(calls, worker, made.length);
      return worker;
    },
  });
  return { api, made };
}

async function textOf(events: AsyncIterable<AnswerEvent>): Promise<string> {
  let text = '';
  for await (const event of events) if (event.type === 'token') text += event.text;
  return text;
}

/** What a call throws, or rejects with; an iterable is asked for its first event. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    const value = (await call()) as AsyncIterator<unknown> | undefined;
    if (typeof value?.next === 'function') await value.next();
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}

describe('a model', () => {
  test('is opened in a worker of its own, answers, and ends with its worker', async () => {
    const { api, made } = packageOf();
    const model = await api.load(ADDRESS, { backend: 'cpu', workers: 2, activations: null, signal: undefined });
    expect(made[0]?.calls.open.mock.calls[0]?.slice(0, 2)).toEqual([
      { kind: 'address', name: 'tiny', urls: [ADDRESS] }, { backend: 'cpu', workers: { count: 2 } },
    ]);
    expect([model.id, model.name, model.info.backend]).toEqual([ADDRESS, 'tiny', 'cpu']);
    expect(await textOf(model.generate([{ role: 'user', content: 'Hi' }], { maxTokens: undefined, seed: null }))).toBe('1 2 3 ');
    expect(made[0]?.calls.generate.mock.calls[0]?.slice(0, 2)).toEqual([[{ role: 'user', content: 'Hi' }], {}]);
    await model.setDutyCycle(0.5);
    expect(made[0]?.calls.setDutyCycle).toHaveBeenCalledExactlyOnceWith(0.5);
    for (const share of [0, 1.5, NaN, '1', undefined] as Anything[]) {
      expect(await thrownBy(() => model.setDutyCycle(share)), String(share)).toMatchObject({ code: 'invalid-request' });
    }
    await model[Symbol.asyncDispose]();
    await model.close();
    expect(await thrownBy(() => model.setDutyCycle(1))).toMatchObject({ code: 'freed' });
    expect(made[0]?.worker.terminate).toHaveBeenCalledOnce();
    expect(await thrownBy(() => model.generate('a'))).toMatchObject({ code: 'freed' });
    expect(made).toHaveLength(1);
  });

  test('that is closed ends the answers under way and those that wait', async () => {
    const { api } = packageOf((calls) => calls.generate.mockImplementation(never));
    const model = await api.load(ADDRESS);
    const answers = Promise.all([thrownBy(() => textOf(model.generate('a'))), thrownBy(() => textOf(model.generate('b')))]);
    await turn();
    await model.close();
    expect(await answers).toMatchObject([{ code: 'freed' }, { code: 'freed' }]);
  });

  test.each([[false, false, true], [false, true, false], [true, false, false], [undefined, false, false]])(
    'with store %s, kept before: %s, is deleted at its end: %s',
    async (store, before, deleted) => {
      const { api, made } = packageOf((calls) => calls.stored.mockImplementation(async () => (before ? [{ url: ADDRESS }] : []) as never));
      const model = await api.load(ADDRESS, { store });
      expect(made[0]?.calls.remove).not.toHaveBeenCalled();
      await model.close();
      expect(made[0]?.calls.remove.mock.calls).toEqual(deleted ? [[ADDRESS]] : []);
    },
  );

  test('says how far its load is, and an error of the listener ends nothing', async () => {
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    const seen: LoadProgress[] = [];
    const { api } = packageOf((calls) => calls.open.mockImplementation((async (_: object, __: object, onProgress: (progress: object) => void) => {
      onProgress({ step: 'receive', done: 1, total: 0 });
      onProgress({ step: 'receive', done: 2, total: 4, phase: 'verify' });
      onProgress({ step: 'load', done: 4, total: 4 });
      await turn();
      return { url: ADDRESS, name: 'tiny', info: {} };
    }) as never));
    await api.load(ADDRESS, { onProgress: (progress) => { seen.push(progress); throw new Error('of the page'); } });
    expect(seen).toEqual([{ phase: 'download', loaded: 1, total: 0 }, { phase: 'verify', loaded: 2, total: 4 }, { phase: 'load', loaded: 4, total: 4 }]);
    expect(reported).toHaveBeenCalledTimes(3);
  });

  test('whose worker breaks says so once, and its next call opens it again in another', async () => {
    const { api, made } = packageOf((calls, worker, number) => {
      if (number === 1) calls.generate.mockImplementation(() => (queueMicrotask(() => worker.fault()), never()));
    });
    const model = await api.load(ADDRESS, { backend: 'cpu' });
    expect(await thrownBy(() => textOf(model.generate('a')))).toMatchObject({ name: 'MambaError', code: 'engine-crashed' });
    expect(await textOf(model.generate('b'))).toBe('1 2 3 ');
    expect(await textOf(model.generate('c'))).toBe('1 2 3 ');
    expect(made).toHaveLength(2);
    expect(made[1]?.calls.open.mock.calls.map((call) => call.slice(0, 2))).toEqual([[{ kind: 'stored', url: ADDRESS }, { backend: 'cpu' }]]);
  });
});

describe('answers of one model', () => {
  /** Each waits until it is let go, or stopped. */
  function held() {
    const order: string[] = [];
    const releases = new Map<string, () => void>();
    let ends: () => void = () => undefined;
    const { api } = packageOf((calls) => {
      calls.generate.mockImplementation(async (prompt, _, onEvent) => {
        order.push(`${String(prompt)} begins`);
        onEvent({ type: 'token', id: 1, text: `${String(prompt)}1`, milliseconds: 1 });
        await new Promise<void>((resolve) => {
          releases.set(String(prompt), resolve);
          ends = resolve;
        });
        order.push(`${String(prompt)} ends`);
        if (prompt === 'bad') throw failure('gpu').report();
      });
      calls.stop.mockImplementation(async () => {
        // Opening a model stops whatever ran before.
        if (order.length > 0) order.push('stop');
        ends();
        return undefined;
      });
    });
    return { api, order, release: async (prompt: string) => (await vi.waitUntil(() => releases.get(prompt)))() };
  }

  test('take turns, in the order in which they were asked for, and one that fails breaks no other', async () => {
    const { api, order, release } = held();
    const model = await api.load(ADDRESS);
    const answers = ['a', 'bad', 'c'].map((prompt) => textOf(model.generate(prompt)).catch((thrown: MambaError) => thrown.code));
    for (const prompt of ['a', 'bad', 'c']) await release(prompt);
    expect(await Promise.all(answers)).toEqual(['a1', 'gpu', 'c1']);
    expect(order).toEqual(['a begins', 'a ends', 'bad begins', 'bad ends', 'c begins', 'c ends']);
  });

  test('may be asked for within each other', async () => {
    const { api, release } = held();
    const model = await api.load(ADDRESS);
    const texts: string[] = [];
    const outer = (async () => {
      for await (const event of model.generate('a')) {
        if (event.type === 'token') texts.push(event.text, await textOf(model.generate('b')));
      }
    })();
    await release('a');
    await release('b');
    await outer;
    expect(texts).toEqual(['a1', 'b1']);
  });

  test('end where their loop is left, and the next one begins', async () => {
    const { api, order, release } = held();
    const model = await api.load(ADDRESS);
    for await (const { type } of model.generate('a')) if (type === 'token') break;
    const next = textOf(model.generate('b'));
    await release('b');
    expect(await next).toBe('b1');
    expect(order).toEqual(['a begins', 'stop', 'a ends', 'b begins', 'b ends']);
  });

  test('reject with the reason of their signal: while they run, while they wait, and before they begin', async () => {
    const { api, order } = held();
    const model = await api.load(ADDRESS);
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = thrownBy(() => textOf(model.generate('a', { signal: running.signal })));
    const second = thrownBy(() => textOf(model.generate('b', { signal: waiting.signal })));
    await turn();
    const [why, other] = [new Error('why'), { reason: 'any value' }];
    waiting.abort(other);
    expect(await second).toBe(other);
    running.abort(why);
    expect(await first).toBe(why);
    expect(await thrownBy(() => textOf(model.generate('c', { signal: AbortSignal.abort(why) })))).toBe(why);
    await vi.waitUntil(() => order.includes('a ends'));
    expect(order).toEqual(['a begins', 'stop', 'a ends']);
  });
});

describe('tokens', () => {
  const counting = (change: (calls: Calls, worker: FakeWorker, number: number) => void = () => undefined) => packageOf((calls, worker, number) => {
    const ids = (text: string) => Uint32Array.from(text, (letter) => letter.charCodeAt(0));
    calls.tokenize.mockImplementation((async (text: string) => ids(text)) as never);
    Object.assign(calls, { promptTokens: vi.fn(async (prompt: unknown, options: object) => ids(JSON.stringify([prompt, options]))) });
    change(calls, worker, number);
  });

  test('of a text are given, and those of a prompt are counted as it would be read', async () => {
    const { api } = counting();
    const model = await api.load(ADDRESS);
    expect(await model.tokenize('ab')).toEqual(Uint32Array.of(97, 98));
    expect(await model.tokenize('', null)).toEqual(new Uint32Array());
    const conversation = [{ role: 'user', content: 'Hi' }];
    expect(await model.countTokens(conversation, { thinking: 'on', signal: null })).toBe(JSON.stringify([conversation, { thinking: 'on' }]).length);
    expect(await model.countTokens('Hi')).toBe('["Hi",{}]'.length);
  });

  test('wait for the answers before them, end with their signal, and survive a worker that broke', async () => {
    let release = () => undefined as void;
    const { api, made } = counting((calls, worker, number) => {
      if (number > 1) return;
      calls.generate.mockImplementation(async () => {
        await new Promise<void>((resolve) => (release = resolve));
        worker.fault();
        await never();
      });
    });
    const model = await api.load(ADDRESS);
    const answer = thrownBy(() => textOf(model.generate('a')));
    await vi.waitUntil(() => made[0]?.calls.generate.mock.calls.length);
    const [counted, control] = [model.tokenize('abc'), new AbortController()];
    const aborted = thrownBy(() => model.countTokens('b', { signal: control.signal }));
    control.abort('enough');
    expect(await aborted).toBe('enough');
    expect(await thrownBy(() => model.tokenize('b', { signal: AbortSignal.abort('before') }))).toBe('before');
    expect(made[0]?.calls.tokenize).not.toHaveBeenCalled();
    release();
    expect(await answer).toMatchObject({ code: 'engine-crashed' });
    expect(await counted).toHaveLength(3);
    expect(made).toHaveLength(2);
    await model.close();
    expect(await thrownBy(() => model.tokenize('a'))).toMatchObject({ code: 'freed' });
  });
});

test('a load that is aborted rejects with the reason, and its worker ends', async () => {
  const { api, made } = packageOf((calls) => calls.open.mockImplementation(never as never));
  const control = new AbortController();
  const loading = thrownBy(() => api.load(ADDRESS, { signal: control.signal }));
  await vi.waitUntil(() => made[0]?.calls.open.mock.calls.length);
  control.abort('enough');
  expect(await loading).toBe('enough');
  expect(made[0]?.worker.terminate).toHaveBeenCalledOnce();
  expect(await thrownBy(() => api.load(ADDRESS, { signal: AbortSignal.abort('before') }))).toBe('before');
  expect(made).toHaveLength(1);
});

test('calls about kept models have a worker that ends with them', async () => {
  const { api, made } = packageOf((calls) => calls.stored.mockImplementation(async () => [{ url: ADDRESS, name: 'tiny' }] as never));
  expect(await api.models.list()).toEqual([{ id: ADDRESS, name: 'tiny' }]);
  await api.models.remove(ADDRESS);
  const seen: LoadProgress[] = [];
  expect(await api.models.verify(ADDRESS, { onProgress: (progress) => seen.push(progress) })).toEqual({ bad: 0 });
  expect(seen).toEqual([{ phase: 'verify', loaded: 1, total: 2 }]);
  expect(await api.availability(ADDRESS, { backend: 'cpu' })).toEqual({ source: { kind: 'address', name: 'tiny', urls: [ADDRESS] }, device: { backend: 'cpu' } });
  expect(made.map(({ worker }) => worker.terminate.mock.calls.length)).toEqual([1, 1, 1, 1]);
  expect(made[1]?.calls.remove.mock.calls).toEqual([[ADDRESS]]);
});

test('a kept model is exported, part by part', async () => {
  const { api, made } = packageOf((calls) => {
    calls.stored.mockImplementation(async () => [{ url: ADDRESS, name: 'tiny', parts: ['1.gguf', '2.gguf'] }] as never);
    Object.assign(calls, {
      exportPart: vi.fn(async (_: string, __: number, ___: object, onProgress: (progress: object) => unknown) => void (await onProgress({ done: 3, total: 4 }))),
    });
  });
  const seen: LoadProgress[] = [];
  await api.models.export(ADDRESS, fileHandle(), { part: 1, onProgress: (progress) => seen.push(progress) });
  expect(seen).toEqual([{ phase: 'export', loaded: 3, total: 4 }]);
  expect((made[0]?.calls as Anything).exportPart.mock.calls[0].slice(0, 2)).toEqual([ADDRESS, 1]);
  expect(made[0]?.worker.terminate).toHaveBeenCalledOnce();
  expect(await thrownBy(() => api.models.export(ADDRESS, fileHandle(), { part: 2 }))).toMatchObject({ code: 'invalid-option', data: { option: 'part' } });
});

test('where there are no workers, a load says so', async () => {
  expect(await thrownBy(() => webMamba().load(ADDRESS))).toMatchObject({ code: 'engine-start' });
});

describe('a wrong call is refused before anything is done', () => {
  const load = (options: Anything, source: Anything = ADDRESS) => async (api: ReturnType<typeof packageOf>['api']) => api.load(source as Source, options as LoadOptions);
  const bytes = (changes: object) => load(undefined, { length: 4, read: () => new Uint8Array(4), ...changes });
  const cases: [string, (api: ReturnType<typeof packageOf>['api']) => unknown, object][] = [
    ['a misspelt option', load({ bakend: 'cpu' }), { code: 'invalid-option', data: { option: 'bakend', suggestion: 'backend' }, message: /“bakend”/, remedy: /“backend”/ }],
    ['an option of another package', load({ onprogress: () => undefined }), { code: 'invalid-option', data: { suggestion: 'onProgress' } }],
    ['an option like no other', load({ banana: 1 }), { code: 'invalid-option', message: /“banana”/, remedy: /backend, activations, workers, signal, onProgress, store/ }],
    ['an inherited name', load({ toString: 1 }), { code: 'invalid-option', message: /“toString”/ }],
    ['a backend that there is not', load({ backend: 'gpu' }), { code: 'invalid-option', message: /“backend” is "gpu".*'auto' or 'webgpu' or 'cpu'/ }],
    ['no workers', load({ workers: 0 }), { code: 'invalid-option', data: { option: 'workers' } }],
    ['half a worker', load({ workers: 1.5 }), { code: 'invalid-option', data: { option: 'workers' } }],
    ['a signal that is none', load({ signal: {} }), { code: 'invalid-option', data: { option: 'signal' } }],
    ['a controller for a signal', load({ signal: new AbortController() }), { code: 'invalid-option', data: { option: 'signal' } }],
    ['a listener that is none', load({ onProgress: 'log' }), { code: 'invalid-option', data: { option: 'onProgress' } }],
    ['a store that is none', load({ store: 'no' }), { code: 'invalid-option', data: { option: 'store' } }],
    ['a signal for options', load(new AbortController().signal), { code: 'invalid-request', data: { argument: 'options' } }],
    ['a list for options', load([]), { code: 'invalid-request', data: { argument: 'options' } }],
    ['a text for options', load('cpu'), { code: 'invalid-request', data: { argument: 'options' } }],
    ['a promise for options', load(Promise.resolve({})), { code: 'invalid-request', data: { argument: 'options' } }],
    ['options that cannot be read', load({ get backend() { throw new Error('no'); } }), { code: 'invalid-request', data: { argument: 'options' } }],
    ['no source', (api) => (api.load as Anything)(), { code: 'invalid-request', data: { argument: 'source' } }],
    ['null for a source', (api) => api.load(null as Anything), { code: 'invalid-request', data: { argument: 'source' } }],
    ['a number for a source', load(undefined, 7), { code: 'invalid-request', data: { argument: 'source' } }],
    ['an empty list of files', load(undefined, []), { code: 'invalid-request', data: { argument: 'source' } }],
    ['an address among files', load(undefined, [ADDRESS]), { code: 'invalid-request', data: { argument: 'source[0]' } }],
    ['an empty address', load(undefined, ''), { code: 'address' }],
    ['an address of another kind', load(undefined, 'ftp://example.org/a.gguf'), { code: 'address' }],
    ['an address with a password', load(undefined, 'https://a:b@example.org/a.gguf'), { code: 'address' }],
    ['an address without TLS', load(undefined, new URL('http://example.org/a.gguf')), { code: 'address' }],
    ['a repository without an owner', load(undefined, { repo: 'model', file: 'a.gguf' }), { code: 'invalid-request', data: { argument: 'source.repo' } }],
    ['a file of the hub with an unknown name', load(undefined, { repo: 'a/b', file: 'a.gguf', revison: 'x' }), { code: 'invalid-option', data: { option: 'source.revison', suggestion: 'revision' } }],
    ['a repository without a file', load(undefined, { repo: 'a/b' }), { code: 'invalid-request', data: { argument: 'source.file' } }],
    ['a source without a length', bytes({ length: undefined }), { code: 'invalid-request', data: { argument: 'source.length' } }],
    ['a source with half a byte', bytes({ length: 4.5 }), { code: 'invalid-request', data: { argument: 'source.length' } }],
    ['a source that cannot be read', bytes({ read: undefined }), { code: 'invalid-request', data: { argument: 'source.read' } }],
    ['a source that gives too little', bytes({ read: () => new Uint8Array(3) }), { code: 'read', detail: /3 bytes/ }],
    ['a source that gives no bytes', bytes({ read: async () => 'text' }), { code: 'read' }],
    ['a source that throws', bytes({ read: () => { throw new Error('gone'); } }), { code: 'read', detail: /gone/ }],
    ['parts of two sets', load(undefined, [new File(['a'], 'a-00001-of-00002.gguf'), new File(['b'], 'b-00002-of-00002.gguf')]), { code: 'split' }],
    ['a removal of nothing', (api) => (api.models.remove as Anything)(), { code: 'invalid-request', data: { argument: 'id' } }],
    ['an export of a number', (api) => api.models.export(7 as Anything, fileHandle()), { code: 'invalid-request', data: { argument: 'id' } }],
    ['an export into a Blob', (api) => api.models.export(ADDRESS, new Blob() as Anything), { code: 'invalid-request', data: { argument: 'file', expected: 'a FileSystemFileHandle' } }],
    ['an export of what is not kept', (api) => api.models.export(`${ADDRESS}x`, fileHandle()), { code: 'not-stored' }],
    ['a verification of a number', (api) => api.models.verify(7 as Anything), { code: 'invalid-request', data: { argument: 'id' } }],
    ['a list with options of a load', (api) => api.models.list({ backend: 'cpu' } as Anything), { code: 'invalid-option' }],
    ['availability with a listener', (api) => api.availability(ADDRESS, { onProgress: () => undefined } as Anything), { code: 'invalid-option' }],
  ];

  const found = (expected: object) => Object.fromEntries(Object.entries(expected).map(([name, value]: [string, unknown]) =>
    [name, value instanceof RegExp ? expect.stringMatching(value) as unknown : typeof value === 'object' ? expect.objectContaining(value as object) as unknown : value]));

  test.each(cases)('%s', async (_, call, expected) => {
    const { api, made } = packageOf();
    const thrown = await thrownBy(() => call(api));
    expect(thrown).toBeInstanceOf(MambaError);
    expect(thrown).toMatchObject(found(expected));
    expect((thrown as MambaError).message).not.toMatch(/\{\w+\}/);
    expect(made.flatMap(({ calls }) => calls.open.mock.calls)).toEqual([]);
    // Nothing is left running, and the next call is as good as the first.
    expect(made.every(({ worker }) => worker.terminate.mock.calls.length === 1)).toBe(true);
    expect((await api.load(ADDRESS)).name).toBe('tiny');
  });

  const asked: [string, Anything[], object][] = [
    ['no prompt', [], { code: 'invalid-request', data: { argument: 'prompt' } }],
    ['a message in place of a list', [{ role: 'user', content: 'a' }], { code: 'invalid-request', data: { argument: 'prompt' } }],
    ['a message without content', [[{ role: 'user', content: 'a' }, { role: 'user' }]], { code: 'invalid-request', data: { argument: 'prompt[1].content' } }],
    ['a message without a role', [[{ content: 'a' }]], { code: 'invalid-request', data: { argument: 'prompt[0].role' } }],
    ['a message with an unknown name', [[{ role: 'user', content: 'a', tool_cals: [] }]], { code: 'invalid-option', data: { option: 'prompt[0].tool_cals', suggestion: 'tool_calls' } }],
    ['a message with a picture', [[{ role: 'user', content: 'a', images: ['x'] }]], { code: 'invalid-option', data: { option: 'prompt[0].images' } }],
    ['a hole in the list', [new Array(1)], { code: 'invalid-request', data: { argument: 'prompt[0]' } }],
    ['a token that is none', [[1, -1]], { code: 'invalid-request', data: { argument: 'prompt[0]' } }],
    ['max_tokens', ['a', { max_tokens: 3 }], { code: 'invalid-option', data: { suggestion: 'maxTokens' } }],
    ['a text for a number', ['a', { maxTokens: '3' }], { code: 'invalid-option', data: { option: 'maxTokens' }, message: /"3"/ }],
    ['a negative number', ['a', { maxTokens: -1 }], { code: 'invalid-option' }],
    ['no number', ['a', { temperature: NaN }], { code: 'invalid-option', data: { option: 'temperature' } }],
    ['too cold', ['a', { temperature: -0.1 }], { code: 'invalid-option' }],
    ['more than everything', ['a', { topP: 1.01 }], { code: 'invalid-option' }],
    ['a penalty of nothing', ['a', { repetitionPenalty: 0 }], { code: 'invalid-option' }],
    ['a seed beyond whole numbers', ['a', { seed: 2 ** 53 }], { code: 'invalid-option' }],
    ['a stop that is no list', ['a', { stop: 'x' }], { code: 'invalid-option', data: { option: 'stop' } }],
    ['a hole in a list', ['a', { stop: new Array(1) }], { code: 'invalid-option' }],
    ['a way to think that there is not', ['a', { thinking: true }], { code: 'invalid-option' }],
    ['a signal as options', ['a', new AbortController().signal], { code: 'invalid-request', data: { argument: 'options' } }],
  ];

  test.each(asked)('an answer with %s', async (_, given, expected) => {
    const { api, made } = packageOf();
    const model = await api.load(ADDRESS);
    const thrown = await thrownBy(() => (model.generate as Anything)(...given));
    expect(thrown).toBeInstanceOf(MambaError);
    expect(thrown).toMatchObject(found(expected));
    expect(made[0]?.calls.generate).not.toHaveBeenCalled();
    expect(await textOf(model.generate('b'))).toBe('1 2 3 ');
  });
});

test.each<[string, (model: Anything) => unknown, object]>([
  ['no tokens', (model) => model.detokenize(), { code: 'invalid-request', data: { argument: 'tokens' } }],
  ['a negative token', (model) => model.detokenize([-1]), { code: 'invalid-request', data: { argument: 'tokens' } }],
  ['a text for a conversation', (model) => model.applyChatTemplate('a'), { code: 'invalid-request', data: { argument: 'messages' } }],
  ['a message without content', (model) => model.applyChatTemplate([{ role: 'user' }]), { code: 'invalid-request', data: { argument: 'messages[0].content' } }],
  ['a slip in an option', (model) => model.applyChatTemplate([], { addGenerationPrompts: true }), { code: 'invalid-option', data: { option: 'addGenerationPrompts', suggestion: 'addGenerationPrompt' } }],
  ['no continuation', (model) => model.score('a'), { code: 'invalid-request', data: { argument: 'continuation' } }],
  ['a number for a text', (model) => model.perplexity(5), { code: 'invalid-request', data: { argument: 'text' } }],
  ['a hole among texts', (model) => model.embed(['a', undefined]), { code: 'invalid-request', data: { argument: 'texts' } }],
  ['a pooling that is none', (model) => model.embed('a', { pooling: 'max' }), { code: 'invalid-option', data: { option: 'pooling' } }],
  ['no text', (model) => model.tokenize(), { code: 'invalid-request', data: { argument: 'text' } }],
  ['a conversation for a text', (model) => model.tokenize([{ role: 'user', content: 'a' }]), { code: 'invalid-request', data: { argument: 'text' } }],
  ['a signal that is none', (model) => model.tokenize('a', { signal: {} }), { code: 'invalid-option', data: { option: 'signal' } }],
  ['no prompt', (model) => model.countTokens(), { code: 'invalid-request', data: { argument: 'prompt' } }],
  ['an option of an answer', (model) => model.countTokens('a', { maxTokens: 1 }), { code: 'invalid-option', data: { option: 'maxTokens' } }],
])('tokens of %s are refused', async (_, call, expected) => {
  const { api, made } = packageOf();
  const model = await api.load(ADDRESS);
  expect(await thrownBy(() => call(model))).toMatchObject({ name: 'MambaError', ...expected, data: expect.objectContaining((expected as { data: object }).data) as object });
  expect(made[0]?.calls.tokenize).not.toHaveBeenCalled();
});

describe('a source', () => {
  const keyOf = async (source: Source) => sourceKey(await modelSource(source));
  const bytesOf = (bytes: Uint8Array, name?: string) => ({ ...(name ? { name } : {}), length: bytes.length, read: (offset: number, length: number) => bytes.slice(offset, offset + length) });

  test.each<[string, Source, ModelSource]>([
    ['an address', new URL(ADDRESS), { kind: 'address', name: 'tiny', urls: [ADDRESS] }],
    ['a manifest', 'https://example.org/a.manifest.json', { kind: 'manifest', url: 'https://example.org/a.manifest.json' }],
    ['a stored file', 'file:a.gguf:4:7', { kind: 'stored', url: 'file:a.gguf:4:7' }],
    ['a file of the hub', { repo: 'o/n', file: 'f/a.gguf', revision: null }, { kind: 'hub', repo: 'o/n', revision: 'main', file: 'f/a.gguf' }],
    ['a part of a set of the hub', { repo: 'o/n', file: 'a-00002-of-00002.gguf', revision: 'r/1' }, { kind: 'hub', repo: 'o/n', revision: 'r/1', file: 'a-00001-of-00002.gguf' }],
  ])('can be %s', async (_, source, expected) => expect(await modelSource(source)).toEqual(expected));

  test('that is relative to the page is one of the page’s server', async () => {
    vi.stubGlobal('location', { href: 'http://192.168.1.2:8080/app/' });
    expect(await modelSource('../models/tiny.gguf')).toMatchObject({ urls: ['http://192.168.1.2:8080/models/tiny.gguf'] });
  });

  test('of bytes is known by its content: a Blob and a function that give the same are one model, and others are another', async () => {
    const bytes = new Uint8Array(CHUNK_BYTES + 5).map((_, at) => at % 251);
    const other = bytes.slice();
    other[CHUNK_BYTES + 1]! ^= 1;
    const key = await keyOf(new Blob([bytes]));
    expect(await keyOf(bytesOf(bytes))).toBe(key);
    expect(await keyOf({ ...bytesOf(bytes), read: async (offset: number, length: number) => bytes.subarray(offset, offset + length) })).toBe(key);
    expect(await keyOf(bytesOf(other))).not.toBe(key);
    expect(await keyOf(bytesOf(bytes, 'other.gguf'))).not.toBe(key);
    // A file has its own name and date.
    expect(await keyOf(new File([bytes], 'a.gguf', { lastModified: 7 }))).toBe(`file:a.gguf:${bytes.length}:7`);
  });

  test('of bytes arrives whole, says how far it is, and ends with its signal', async () => {
    const bytes = new Uint8Array(2 * CHUNK_BYTES + 1).map((_, at) => at % 253);
    const seen: number[] = [];
    const made = await modelSource(bytesOf(bytes, 'a/b:c.gguf'), { onRead: (done) => seen.push(done) });
    const [file] = made.kind === 'files' ? made.files : [];
    expect(Buffer.compare(Buffer.from(await (file as File).arrayBuffer()), Buffer.from(bytes))).toBe(0);
    expect(file?.name).toBe('a_b_c.gguf');
    expect(seen).toEqual([CHUNK_BYTES, 2 * CHUNK_BYTES, bytes.length]);
    const control = new AbortController();
    const source = { length: 3 * CHUNK_BYTES, read: (_: number, length: number) => (control.abort('enough'), new Uint8Array(length)) };
    await expect(modelSource(source, { signal: control.signal })).rejects.toBe('enough');
  });
});

test.each([
  ['max_tokens', 'maxTokens'], ['MAXTOKENS', 'maxTokens'], ['max-new-tokens', 'maxTokens'], ['topk', 'topK'], ['top_p', 'topP'], ['temp', 'temperature'],
  ['tempreature', 'temperature'], ['stopStrings', 'stop'], ['sead', 'seed'], ['signals', 'signal'], ['', undefined], ['n', undefined], ['banana', undefined],
  ['tools', undefined], ['мама', undefined], ['💥', undefined],
])('%j most likely means %s, as the engine says', (name, meant) => {
  expect(nearest(name, ['maxTokens', 'temperature', 'topK', 'topP', 'stop', 'seed', 'signal'])).toBe(meant);
});

test('errors survive a structured clone and a message with their code, remedy and data', () => {
  const error = failure('network', { host: 'example.org' }, 'detail');
  const again = MambaError.from(structuredClone(error));
  expect(again).toBeInstanceOf(MambaError);
  expect(again.report()).toEqual(error.report());
  expect(again.name).toBe('MambaError');
  expect(MambaError.from(JSON.parse(JSON.stringify(error.report()))).report()).toEqual(error.report());
  expect(MambaError.from(error)).toBe(error);
  for (const odd of [undefined, null, 7, 'text', new Error('why'), { code: 'network' }, { cause: { code: 7 } }]) expect(MambaError.from(odd).code in ENGLISH.failures).toBe(true);
});
