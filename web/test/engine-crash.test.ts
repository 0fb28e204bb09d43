/** What becomes of the page's engine when its worker breaks: calls end, the worker is replaced, and models open again. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { failure } from '../src/base/failure';
import { ModelLoader } from '../src/models/model-loader';
import type { StorageTasks } from '../src/models/storage-tasks';
import { EngineClient } from '../engine/src/client/client';
import { described, EngineGuard, isFault } from '../engine/src/worker/engine-guard';
import type { EngineWorker } from '../engine/src/protocol/calls';
import type { AnswerEvent, DeviceOptions, OpenModel } from '../engine/src/protocol/protocol';
import { ResumedAnswer } from '../engine/src/client/resumed-answer';
import type { WasmEngine } from '../engine/src/base/wasm-engine';
import type { ModelSource } from '../engine/src/store/model-source';
import { setMessages } from 'web-mamba';
import { engineMessages } from '../src/base/engine-messages';
import { FakeWorker, opened, soundCalls } from './fake-worker';
import type { PageAddress } from '../src/base/page-address';

beforeEach(() => setMessages(engineMessages));
afterEach(() => setMessages({}));

const source = (name: string): ModelSource => ({ kind: 'address', name, urls: [`https://example.org/${name}.gguf`] });
const quiet = () => undefined;
const never = () => new Promise<never>(() => undefined);
const turn = () => new Promise((resolve) => setTimeout(resolve));
const token = (id: number, text = `${id} `): AnswerEvent => ({ type: 'token', id, text, milliseconds: 1 });

interface Made {
  worker: FakeWorker;
  calls: ReturnType<typeof soundCalls>;
}

/** A client whose workers are as `change` makes each of them, by its number. */
function clientOf(change: (made: Made, number: number) => void = quiet, { gpu = false, isStarted = true } = {}) {
  const made: Made[] = [];
  const client = new EngineClient({
    hasGpu: async () => gpu,
    start: () => {
      const calls = soundCalls(gpu);
      const one = { calls, worker: new FakeWorker(calls, isStarted) };
      made.push(one);
      change(one, made.length);
      return one.worker;
    },
  });
  const crashes: string[] = [];
  client.onCrash(({ code, message }) => crashes.push(`${code}: ${message}`));
  return { client, made, crashes };
}

async function openAndAnswer(client: EngineClient, name: string, device: DeviceOptions = {}): Promise<string> {
  await client.open(source(name), device, quiet);
  let text = '';
  await client.generate([], {}, (event) => event.type === 'token' && (text += event.text));
  return text;
}

/** Of the fake workers, only those that are gone name a lock. */
beforeEach(() => vi.stubGlobal('navigator', { locks: { request: async (_: string, __: object, then: () => void) => then() } }));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a worker that breaks', () => {
  test.each<[string, (worker: FakeWorker) => void]>([
    ['by a fault that it reports', (worker) => worker.fault()],
    ['by an uncaught error', (worker) => worker.dispatchEvent(Object.assign(new Event('error', { cancelable: true }), { message: 'Uncaught' }))],
    ['by an error without a message', (worker) => worker.dispatchEvent(new Event('error', { cancelable: true }))],
    ['by an end of which nothing is said', (worker) => worker.vanish()],
    ['by a message that cannot be read', (worker) => worker.dispatchEvent(new Event('messageerror'))],
  ])('%s ends its calls with one failure that names the model, and another opens and answers', async (_, breaks) => {
    const { client, made, crashes } = clientOf(({ calls }) => calls.tokenize.mockImplementation(never));
    await client.open(source('first'), {}, quiet);
    const running = Promise.allSettled([client.tokenize('a'), client.tokenize('b')]);
    await turn();
    breaks(made[0]!.worker);
    for (const { reason } of (await running) as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: 'engine-crashed', message: expect.stringContaining('first') as string, remedy: expect.stringMatching(/another model/) as string });
    }
    expect(made[0]?.worker.terminate).toHaveBeenCalledOnce();
    expect(crashes).toEqual([expect.stringContaining('first')]);
    // Not before somebody asks for it.
    expect(made).toHaveLength(1);
    await expect(client.tokenize('c')).rejects.toMatchObject({ code: 'engine-crashed' });
    expect(made).toHaveLength(1);
    expect(await openAndAnswer(client, 'second')).toBe('1 2 3 ');
    expect(await openAndAnswer(client, 'first')).toBe('1 2 3 ');
    expect(made).toHaveLength(2);
  });

  test('while nothing is asked of it is told to whoever shows the model', async () => {
    const { client, made, crashes } = clientOf();
    await client.open(source('idle'), {}, quiet);
    made[0]?.worker.fault();
    expect(crashes).toHaveLength(1);
    await expect(client.generate([], {}, quiet)).rejects.toMatchObject({ code: 'engine-crashed' });
  });

  test('each time is started no more often than it is asked something', async () => {
    const { client, made } = clientOf(({ worker, calls }) => {
      calls.open.mockImplementation(() => {
        queueMicrotask(() => worker.fault());
        return never();
      });
    });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await expect(client.open(source('bad'), {}, quiet)).rejects.toMatchObject({ code: 'engine-crashed', message: expect.stringContaining('bad') as string });
      expect(made).toHaveLength(attempt);
    }
    expect(await client.stored()).toEqual([]);
  });

  test('without a model is not blamed on one', async () => {
    const { client } = clientOf(({ worker, calls }, number) => {
      if (number === 1) calls.stored.mockImplementation(() => (queueMicrotask(() => worker.fault()), never()));
    });
    await expect(client.stored()).rejects.toMatchObject({ code: 'engine-restarted' });
    expect(await client.stored()).toEqual([]);
  });

  test('before its script has run is one that did not start, and is started again by the next call', async () => {
    const { client, made } = clientOf(({ worker }, number) => {
      if (number === 1) setTimeout(() => worker.dispatchEvent(new Event('error', { cancelable: true })));
    }, { isStarted: false });
    made[0]?.calls.open.mockImplementation(never);
    await expect(client.open(source('a'), {}, quiet)).rejects.toMatchObject({ code: 'engine-start' });
    expect(await openAndAnswer(client, 'a')).toBe('1 2 3 ');
  });
});

describe('a worker that falls silent', () => {
  /** Answers, and then hears nothing any more. */
  const deaf = ({ calls }: Made, number: number) => {
    if (number > 1) return;
    calls.stop.mockImplementationOnce(async () => undefined);
    calls.generate.mockImplementation(never);
    calls.stop.mockImplementation(never);
  };

  test('after a stop is ended, not before ten seconds', async () => {
    const { client, made, crashes } = clientOf(deaf);
    await client.open(source('slow'), {}, quiet);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const answer = client.generate([], {}, quiet).catch((thrown: unknown) => thrown);
    await turn();
    const stopped = client.stop();
    await vi.advanceTimersByTimeAsync(9000);
    expect(made[0]?.worker.terminate).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    await stopped;
    expect(await answer).toMatchObject({ code: 'engine-silent', message: expect.stringContaining('slow') as string });
    expect(crashes).toHaveLength(1);
    vi.useRealTimers();
    expect(await openAndAnswer(client, 'other')).toBe('1 2 3 ');
  });

  test.each([
    ['of a model whose steps take eight seconds has 32', 1, 8000, 32],
    ['of a large model whose first step is under way has what that may take', 2e9, 0, 16],
  ])('%s', async (_, bytesPerToken, silence, patience) => {
    const { client, made } = clientOf((one, number) => {
      deaf(one, number);
      const open = one.calls.open.getMockImplementation();
      one.calls.open.mockImplementation(async (...given) => {
        const model = await open!(...given);
        return { ...model, info: { ...model.info, bytesPerToken } };
      });
    });
    await client.open(source('large'), {}, quiet);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    void client.generate([], {}, quiet).catch(quiet);
    await turn();
    await vi.advanceTimersByTimeAsync(silence);
    void client.stop();
    await vi.advanceTimersByTimeAsync(1000 * (patience - 1));
    expect(made[0]?.worker.terminate).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    expect(made[0]?.worker.terminate).toHaveBeenCalledOnce();
  });

  test('when another model is opened is replaced, and that model opens', async () => {
    const { client, made } = clientOf(deaf);
    await client.open(source('first'), {}, quiet);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const answer = client.generate([], {}, quiet).catch((thrown: unknown) => thrown);
    await turn();
    const opening = client.open(source('second'), {}, quiet);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await opening).toMatchObject({ name: 'second' });
    expect(await answer).toMatchObject({ code: 'engine-silent' });
    expect(made).toHaveLength(2);
  });

  test('while its script is still on its way is waited for', async () => {
    const { client, made } = clientOf(({ calls }) => calls.stop.mockImplementation(never), { isStarted: false });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    void client.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made[0]?.worker.terminate).not.toHaveBeenCalled();
  });
});

describe('a GPU that breaks the engine', () => {
  const onGpuOnly = ({ worker, calls }: Made) => {
    const open = calls.open.getMockImplementation();
    calls.open.mockImplementation((from, device) => {
      if (device.backend === 'cpu') return open!(from, device);
      queueMicrotask(() => worker.fault('TypeError: createBuffer'));
      return never();
    });
  };

  test('when a model is loaded has it opened on the CPU, once, with the reason', async () => {
    const { client, made } = clientOf(onGpuOnly, { gpu: true });
    const model = await client.open(source('a'), { backend: 'auto' }, quiet);
    expect(model).toMatchObject({ gpuProblem: 'TypeError: createBuffer', info: { backend: 'cpu' } });
    expect(made).toHaveLength(2);
    // What is known is not tried again.
    expect(await client.open(source('a'), { backend: 'auto' }, quiet)).toMatchObject({ gpuProblem: 'TypeError: createBuffer' });
    expect(made).toHaveLength(2);
  });

  test('is a failure with a remedy where the GPU was asked for', async () => {
    const { client, made } = clientOf(onGpuOnly, { gpu: true });
    await expect(client.open(source('a'), { backend: 'webgpu' }, quiet)).rejects.toMatchObject({ code: 'engine-crashed-gpu', remedy: expect.stringContaining('?backend=cpu') as string });
    expect(made).toHaveLength(1);
  });

  test.each([[true, 2], [false, 1]])('a model that breaks it anyway (with a GPU: %s) is tried %i times', async (gpu, times) => {
    const { client, made } = clientOf(({ worker, calls }) => {
      calls.open.mockImplementation(() => (queueMicrotask(() => worker.fault()), never()));
    }, { gpu });
    await expect(client.open(source('bad'), {}, quiet)).rejects.toMatchObject({ code: 'engine-crashed', message: expect.stringContaining('bad') as string });
    expect(made).toHaveLength(times);
  });

  /** Breaks on the GPU after the token 2 was written, in as many workers. */
  const inAnswers = (breaking: number) => ({ worker, calls }: Made, number: number) => {
    const sound = calls.generate.getMockImplementation();
    calls.generate.mockImplementation(async (prompt, options, onEvent) => {
      if (number > breaking) return sound!(prompt, options, onEvent);
      if (!options.written) for (const id of [1, 2]) await onEvent(token(id));
      worker.fault();
      // It was on its way when the worker was ended.
      onEvent(token(9));
      return never();
    });
  };

  test.each([['auto', 1, 'webgpu'], ['auto', 2, 'cpu'], ['webgpu', 1, 'webgpu']] as const)(
    'in an answer (%s, %i times) is lost as a device is: the same tokens go on, on %s', async (backend, times, where) => {
      const { client, made, crashes } = clientOf(inAnswers(times), { gpu: true });
      await client.open(source('a'), { backend }, quiet);
      const [ids, others]: [number[], unknown[]] = [[], []];
      await client.generate([], { seed: 5, maxTokens: 10 }, (event) => (event.type === 'token' ? ids.push(event.id) : others.push(event)));
      expect(ids).toEqual([1, 2, 3]);
      expect(others.at(-1)).toMatchObject({ type: 'rebuilt', model: { info: { backend: where } } });
      expect(others).toHaveLength(2 * times);
      expect(made).toHaveLength(1 + times);
      expect(made.at(-1)?.calls.generate.mock.calls[0]?.[1]).toMatchObject({ written: Uint32Array.of(1, 2), maxTokens: 8, seed: 7 });
      expect(crashes).toEqual([]);
    },
  );

  test.each([['auto', 3], ['webgpu', 2]] as const)('in every answer (%s) ends after %i workers', async (backend, workers) => {
    const { client, made, crashes } = clientOf((one, number) => {
      inAnswers(9)(one, number);
      // On the CPU as well.
      one.calls.open.mockImplementation(async (from, { backend: on }) => soundCalls(on !== 'cpu').open(from, { backend: on ?? 'auto' }));
    }, { gpu: true });
    await client.open(source('a'), { backend }, quiet);
    await expect(client.generate([], {}, quiet)).rejects.toMatchObject({ code: expect.stringMatching(/^engine-crashed/) as string, message: expect.stringContaining(' a') as string });
    expect(made).toHaveLength(workers);
    expect(crashes).toHaveLength(1);
  });

  test('in what does not go on by itself has the model opened on the CPU by whoever tries again', async () => {
    const { client, made } = clientOf(({ calls }) => calls.tokenize.mockImplementation(never), { gpu: true });
    expect(await client.open(source('a'), {}, quiet)).toMatchObject({ info: { backend: 'webgpu' } });
    const counting = client.tokenize('a');
    await turn();
    made[0]?.worker.fault('TypeError: mapAsync');
    await expect(counting).rejects.toMatchObject({ code: 'engine-crashed-gpu' });
    expect(await client.open(source('a'), {}, quiet)).toMatchObject({ gpuProblem: 'TypeError: mapAsync', info: { backend: 'cpu' } });
    // Another model may do well there.
    expect(await client.open(source('b'), {}, quiet)).toMatchObject({ info: { backend: 'webgpu' } });
  });

  test('in an answer that is stopped meanwhile ends it with the model open', async () => {
    const { client } = clientOf(inAnswers(1), { gpu: true });
    await client.open(source('a'), {}, quiet);
    const ids: number[] = [];
    await client.generate([], {}, (event) => {
      if (event.type === 'token') ids.push(event.id);
      if (event.type === 'rebuild') void client.stop();
    });
    expect(ids).toEqual([1, 2]);
    expect((await client.tokenize('a')).length).toBe(1);
  });
});

describe('what the page shows', () => {
  const choice = { source: source('a'), name: 'A', entry: undefined, param: 'a' };
  const fault = failure('engine-crashed', { name: 'A' });
  const loaderOf = (open: () => Promise<OpenModel>) => {
    const failed = vi.fn();
    const engine = { open, stored: async () => [] } as unknown as EngineWorker;
    const address = { model: null, state: null, base: 'https://example.org/', device: {} } as unknown as PageAddress;
    const storage = { models: [], list: async () => undefined } as unknown as StorageTasks;
    const listener = { changed: quiet, failed, stateOpened: quiet };
    return { failed, loader: new ModelLoader(engine, { permit: async () => undefined } as never, address, storage, { situation: async () => undefined }, listener) };
  };

  test('after a crash the model is not open, and each who asks learns why', async () => {
    const { loader, failed } = loaderOf(async () => opened('a', 'cpu'));
    loader.open(choice);
    expect(await loader.opening).toBe(true);
    loader.crashed(fault);
    expect(loader).toMatchObject({ status: { kind: 'failed' }, url: '', obstacle: fault });
    expect(failed.mock.calls).toEqual([[fault]]);
    expect(await loader.opening).toBe(false);
    loader.open(choice);
    expect(await loader.opening).toBe(true);
    expect(loader).toMatchObject({ status: { kind: 'ready' }, obstacle: undefined });
  });

  test('an opening is not ended by the crash of the model before it', async () => {
    const { loader, failed } = loaderOf(async () => opened('a', 'cpu'));
    loader.open(choice);
    loader.crashed(fault);
    expect(await loader.opening).toBe(true);
    expect(failed).not.toHaveBeenCalled();
  });

  test('a model that is on the CPU for the GPU’s sake says so, also where it came there in an answer', async () => {
    const { loader } = loaderOf(async () => opened('a', 'webgpu'));
    loader.open(choice);
    await loader.opening;
    expect(loader.info?.reason).toBe('asked for');
    loader.rebuilding(true);
    loader.rebuilding(false, { ...opened('a', 'cpu'), gpuProblem: 'TypeError: mapAsync' });
    expect(loader.info).toMatchObject({ backend: 'cpu', reason: expect.stringMatching(/GPU.*TypeError: mapAsync/) as string });
  });
});

describe('an answer in two engines', () => {
  test('writes what had no text again, and gives it out once', () => {
    const answer = new ResumedAnswer({ maxTokens: 10, keepAfter: 'text' });
    expect(answer.resume()).toEqual({ maxTokens: 10, keepAfter: 'text' });
    for (const event of [token(1), token(2, ''), token(3, '')]) expect(answer.take(event)).toEqual(event);
    expect(answer.resume()).toEqual({ maxTokens: 9, written: Uint32Array.of(1) });
    expect([token(2, ''), token(3, ''), token(4, 'é'), token(5)].map((event) => answer.take(event))).toEqual([undefined, undefined, token(4, 'é'), token(5)]);
    expect(answer.take({ type: 'prefill', done: 8, total: 8 })).toEqual({ type: 'prefill', done: 7, total: 7 });
    const end = { type: 'end', text: '', stop: 'eos', seed: 1, prefilledTokens: 8, prefillTps: 1, decodeTps: 1 } as const;
    expect(answer.take({ ...end, promptTokens: 8, tokens: 4 })).toMatchObject({ promptTokens: 7, tokens: 5 });
    expect(answer.resume()).toEqual({ maxTokens: 5, written: Uint32Array.of(1, 2, 3, 4, 5) });
  });
});

describe('the engine behind its guard', () => {
  const trap = () => {
    throw new WebAssembly.RuntimeError('unreachable');
  };
  const guardOf = (model: object) => {
    const faults: unknown[] = [];
    const guard = new EngineGuard((thrown) => faults.push(thrown));
    const engine = { start: async () => undefined, planModel: async () => ({}), loadModel: async () => model } as unknown as WasmEngine;
    return { guard, faults, engine: guard.guard(engine), loaded: async () => (await guard.guard(engine).loadModel([])) as never as Record<string, (...given: unknown[]) => unknown> };
  };

  test.each<[string, () => unknown]>([
    ['unreachable', trap],
    ['a stack that is used up', () => { throw new RangeError('Maximum call stack size exceeded'); }],
    ['a rejection', async () => trap()],
    ['an exception of the browser’s', () => { throw new DOMException('writeBuffer', 'OperationError'); }],
    ['something that is no error', () => { throw null; }],
  ])('after %s no call goes into it again, not even free', async (_, breaks) => {
    const free = vi.fn();
    const info = vi.fn();
    const { faults, loaded, engine } = guardOf({ tokenize: breaks, free, info });
    const model = await loaded();
    const thrown: unknown[] = [];
    await Promise.resolve().then(() => model.tokenize!('a')).catch((each: unknown) => thrown.push(each));
    expect(thrown).toHaveLength(1);
    expect(faults).toEqual(thrown);
    expect(() => model.info!()).toThrow();
    model.free!();
    expect(() => engine.loadModel([])).toThrow();
    expect([free, info].flatMap(({ mock }) => mock.calls)).toEqual([]);
    expect(faults).toHaveLength(1);
  });

  test('its own errors, and reasons to end a call, leave it as it is', async () => {
    const { faults, loaded } = guardOf({
      free: vi.fn(), tokenize: () => { throw Object.assign(new Error('no'), { code: 'freed' }); }, logits: async () => { throw new DOMException('', 'AbortError'); },
    });
    const model = await loaded();
    expect(() => model.tokenize!('a')).toThrow('no');
    await expect(model.logits!()).rejects.toMatchObject({ name: 'AbortError' });
    expect(faults).toEqual([]);
  });

  test('states and answers trap through it as well, and the engine gets its own objects', async () => {
    const state = { free: vi.fn(), bytes: trap, position: 7, messages: 0 };
    const added: unknown[] = [];
    const { faults, loaded } = guardOf({ free: vi.fn(), readState: () => state, addCheckpoint: (each: unknown) => added.push(each), generate: () => ({ next: async () => trap(), [Symbol.asyncIterator]() { return this; } }) });
    const model = await loaded();
    const guarded = model.readState!() as typeof state;
    guarded.messages = 3;
    expect([guarded.position, state.messages]).toEqual([7, 3]);
    model.addCheckpoint!(guarded);
    expect(added[0]).toBe(state);
    const read = async () => { for await (const _ of model.generate!() as AsyncIterable<unknown>) break; };
    await expect(read()).rejects.toThrow('unreachable');
    expect(() => guarded.bytes()).toThrow();
    expect(faults).toHaveLength(1);
  });

  test('an error that nothing has caught counts too', async () => {
    const { guard, faults, engine } = guardOf({});
    guard.break(new Error('uncaught'));
    expect(() => engine.loadModel([])).toThrow('uncaught');
    expect(faults).toHaveLength(1);
  });

  test('faults are told from errors', () => {
    expect([new Error('x'), undefined, 'text', new DOMException('x', 'OperationError')].map(isFault)).toEqual([true, true, true, true]);
    expect(described(new TypeError('createBuffer'))).toBe('TypeError: createBuffer');
    expect([described(null), described({}), described('text')]).toEqual(['null', 'unknown', 'text']);
  });
});
