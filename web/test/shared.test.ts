/** One model that several tabs share: clients of one test stand for tabs, over the real channel and locks that a closed tab lets go. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EngineClient, failure, type AnswerEvent } from 'web-mamba';
import { webMamba } from '../engine/src/api/web-mamba';
import { SharedClient } from '../engine/src/shared/shared-client';
import { FakeWorker, soundCalls } from './fake-worker';

const ADDRESS = 'https://example.org/tiny.gguf';
const never = () => new Promise<never>(() => undefined);

/** Locks as a browser has them, of all tabs; those of the workers are not looked at. */
class Locks {
  readonly #held = new Set<string>();
  readonly #waiting: { name: string; grant: () => void }[] = [];

  async request(name: string, ...given: unknown[]): Promise<unknown> {
    const hold = given.at(-1) as () => Promise<unknown>;
    const { signal } = (given.length > 1 ? given[0] : {}) as { signal?: AbortSignal };
    if (this.#held.has(name)) {
      await new Promise<void>((grant, reject) => {
        const waiting = { name, grant };
        this.#waiting.push(waiting);
        signal?.addEventListener('abort', () => {
          if (this.#waiting.includes(waiting)) this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          reject(new DOMException('', 'AbortError'));
        });
      });
    }
    this.#held.add(name);
    try {
      return await hold();
    } finally {
      this.#held.delete(name);
      const [next] = this.#waiting.filter((waiting) => waiting.name === name);
      if (next) {
        this.#waiting.splice(this.#waiting.indexOf(next), 1);
        next.grant();
      }
    }
  }
}

beforeEach(() => vi.stubGlobal('navigator', { locks: new Locks() }));
afterEach(() => vi.unstubAllGlobals());

type Calls = ReturnType<typeof soundCalls>;

/** A tab: its own copy of the package, whose workers are as `change` makes them. */
function tab(change: (calls: Calls, worker: FakeWorker) => void = () => undefined) {
  const made: { calls: Calls; worker: FakeWorker }[] = [];
  const api = webMamba({
    hasGpu: async () => false,
    start: () => {
      const calls = soundCalls();
      const worker = new FakeWorker(calls);
      made.push({ calls, worker });
      change(calls, worker);
      return worker;
    },
  });
  return { made, load: (options: object = {}) => api.load(ADDRESS, { shared: true, ...options }) };
}

async function eventsOf(events: AsyncIterable<AnswerEvent>): Promise<AnswerEvent[]> {
  const all: AnswerEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const textOf = (events: AnswerEvent[]) => events.map((event) => (event.type === 'token' ? event.text : '')).join('');

/** Gives the first token, and never ends by itself; a stop ends it. */
function endless(calls: Calls): void {
  let stop: () => void = () => undefined;
  calls.stop.mockImplementation(async () => void stop());
  calls.generate.mockImplementation(async (_, __, onEvent) => {
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    await onEvent({ type: 'token', id: 1, text: '1 ', milliseconds: 1 });
    await stopped;
  });
}

describe('tabs that share a model', () => {
  test('have one worker, and each gets its own answers', async () => {
    const [first, second] = [tab(), tab()];
    const [one, two] = await Promise.all([first.load(), second.load()]);
    expect([...first.made, ...second.made]).toHaveLength(1);
    expect([two.id, two.name, two.info]).toEqual([ADDRESS, 'tiny', one.info]);
    const answers = await Promise.all([one, two, two].map(async (model) => textOf(await eventsOf(model.generate('Hi')))));
    expect(answers).toEqual(['1 2 3 ', '1 2 3 ', '1 2 3 ']);
    expect(await two.tokenize('a')).toEqual(new Uint32Array(1));
    await Promise.all([one.close(), two.close()]);
    expect(await eventsOf(two.generate('Hi')).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'freed' });
  });

  test('score texts and make vectors of them at the one that holds the model, and end that by a signal', async () => {
    const stops: (() => void)[] = [];
    const reading = { perplexity: vi.fn(async () => 7), embed: vi.fn(() => new Promise((_, reject: (reason: unknown) => void) => stops.push(() => reject(failure('cancelled').report())))) };
    const holds = (calls: Calls) => Object.assign(calls, reading, { stop: vi.fn(async () => void stops.forEach((stop) => stop())) });
    const [first, second] = [tab(holds), tab(holds)];
    const [one, two] = await Promise.all([first.load(), second.load()]);
    expect(await Promise.all([one.perplexity('ab'), two.perplexity('ab')])).toEqual([7, 7]);
    const control = new AbortController();
    const ended = two.embed('ab', { signal: control.signal }).catch((thrown: unknown) => thrown);
    await vi.waitFor(() => expect(reading.embed).toHaveBeenCalledWith(['ab'], {}));
    control.abort('enough');
    expect(await ended).toBe('enough');
    expect(await two.perplexity('ab')).toBe(7);
    await Promise.all([one.close(), two.close()]);
  });

  test('see how far the load is, and fail with what it fails with', async () => {
    const broken = (calls: Calls) => calls.open.mockImplementation((async (_: object, __: object, onProgress: (progress: object) => unknown) => {
      await onProgress({ step: 'receive', done: 1, total: 2 });
      throw failure('not-gguf').report();
    }) as never);
    const seen = vi.fn();
    const [first, second] = [tab(broken), tab(broken)];
    const results = await Promise.allSettled([first.load(), second.load({ onProgress: seen })]);
    expect(results).toMatchObject([{ reason: { code: 'not-gguf' } }, { reason: { code: 'not-gguf' } }]);
    expect(seen).toHaveBeenCalledWith({ phase: 'download', loaded: 1, total: 2 });
    // What is sound then is not held up by those that failed.
    const model = await tab().load();
    expect(textOf(await eventsOf(model.generate('Hi')))).toBe('1 2 3 ');
    await model.close();
  });

  test('carry an answer on where the tab that holds the model is closed', async () => {
    const [first, second, third] = [tab(endless), tab(), tab()];
    const one = await first.load();
    const [two, three] = [await second.load(), await third.load()];
    const got: AnswerEvent[] = [];
    const answer = (async () => {
      for await (const event of two.generate('Hi', { maxTokens: 3 })) got.push(event);
    })();
    const waiting = eventsOf(three.generate('Hi'));
    await vi.waitFor(() => expect(textOf(got)).toBe('1 '));
    await one.close();
    await answer;
    expect(got.map(({ type }) => type)).toEqual(['token', 'rebuild', 'rebuilt', 'token', 'token']);
    expect(textOf(got)).toBe('1 2 3 ');
    expect(textOf(await waiting)).toBe('1 2 3 ');
    const { calls } = [...second.made, ...third.made][0] ?? {};
    expect([...second.made, ...third.made]).toHaveLength(1);
    expect(calls?.open.mock.calls[0]?.[0]).toEqual({ kind: 'stored', url: ADDRESS });
    const resumed = calls?.generate.mock.calls.find(([, { written }]) => written);
    expect(resumed?.[1]).toMatchObject({ written: Uint32Array.of(1), maxTokens: 2 });
    await Promise.all([two.close(), three.close()]);
  });

  test('share with those of the same chat template, which the next holder has too', async () => {
    const [first, second, third] = [tab(), tab(), tab()];
    const one = await first.load({ chatTemplate: '{{ 1 }}' });
    const [two, three] = [await second.load({ chatTemplate: '{{ 1 }}' }), await third.load({ chatTemplate: '{{ 2 }}' })];
    expect([first.made.length, second.made.length, third.made.length]).toEqual([1, 0, 1]);
    await one.close();
    expect(textOf(await eventsOf(two.generate('Hi')))).toBe('1 2 3 ');
    expect(second.made[0]?.calls.open.mock.calls[0]?.slice(0, 2)).toEqual([{ kind: 'stored', url: ADDRESS }, { chatTemplate: '{{ 1 }}' }]);
    await Promise.all([two.close(), three.close()]);
  });

  test('have a batch that was begun fail with its own code, and one that was not goes on', async () => {
    const body = { messages: [{ role: 'user' as const, content: 'Hi' }], n: 2 };
    const choices = (calls: Calls) => ({
      ...calls,
      generateBatch: vi.fn(async (_: object, __: object, onEvent: (event: object) => unknown) => {
        for (const index of [0, 1]) {
          await onEvent({ type: 'token', index, id: 1, text: 'yes', milliseconds: 1 });
          await onEvent({ type: 'end', index, stop: 'eos', text: '', promptTokens: 1, prefilledTokens: 1, tokens: 1 });
        }
      }),
    });
    for (const [isBegun, outcome] of [[true, { code: 'tab-closed', data: { name: 'tiny' } }], [false, { choices: [{ message: { content: 'yes' } }, {}] }]] as const) {
      const begun = vi.fn();
      const [first, second] = [tab((calls) => Object.assign(calls, {
        generateBatch: async (_: object, __: object, onEvent: (event: object) => unknown) => {
          if (isBegun) await onEvent({ type: 'token', index: 0, id: 1, text: 'no', milliseconds: 1 });
          begun();
          return never();
        },
      })), tab((calls) => Object.assign(calls, choices(calls)))];
      const [one, two] = [await first.load(), await second.load()];
      const answer = two.chat.completions.create(body).catch((thrown: unknown) => thrown);
      await vi.waitFor(() => expect(begun).toHaveBeenCalled());
      await one.close();
      expect(await answer).toMatchObject(outcome);
      await two.close();
    }
  });

  test('stop their own answers, and one that is gone holds nobody up', async () => {
    const first = tab(endless);
    const one = await first.load();
    const two = await tab().load();
    const control = new AbortController();
    const stopped = (async () => {
      for await (const _ of two.generate('Hi', { signal: control.signal })) control.abort('enough');
    })().catch((thrown: unknown) => thrown);
    expect(await stopped).toBe('enough');
    expect(first.made[0]?.calls.stop).toHaveBeenCalled();
    const left = eventsOf(two.generate('Hi')).catch((thrown: unknown) => thrown);
    await vi.waitFor(() => expect(first.made[0]?.calls.generate).toHaveBeenCalledTimes(2));
    await two.close();
    expect(await left).toMatchObject({ code: 'freed' });
    first.made[0]?.calls.generate.mockImplementation(soundCalls().generate);
    expect(textOf(await eventsOf(one.generate('Hi')))).toBe('1 2 3 ');
    await one.close();
  });

  test('hear of a broken engine, which the next call of any tab opens again', async () => {
    const first = tab((calls, worker) => {
      if (first.made.length === 1) calls.generate.mockImplementation(() => (queueMicrotask(() => worker.fault()), never()));
    });
    const one = await first.load();
    const two = await tab().load();
    expect(await eventsOf(two.generate('Hi')).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'engine-crashed', data: { name: 'tiny' } });
    expect(textOf(await eventsOf(two.generate('Hi')))).toBe('1 2 3 ');
    expect(textOf(await eventsOf(one.generate('Hi')))).toBe('1 2 3 ');
    expect(first.made).toHaveLength(2);
    await Promise.all([one.close(), two.close()]);
  });

  test('go on each from its own text, and not from one that is gone', async () => {
    const state = { of: '' };
    const keeping = (calls: Calls) => {
      const { generate } = soundCalls();
      calls.generate.mockImplementation(async (prompt, options, onEvent) => {
        const before = (await options.state?.text()) ?? state.of;
        state.of = options.resume ? `${before}, ${String(prompt)}` : String(prompt);
        return generate(prompt, options, onEvent);
      });
      Object.assign(calls, {
        takeState: async () => ({ file: new Blob([state.of]), position: 1, messages: [] }),
        restoreState: async (file: Blob) => void (state.of = await file.text()),
      });
    };
    const [one, two] = [await tab(keeping).load(), await tab(keeping).load()];
    expect(await eventsOf(two.generate('B', { resume: true })).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'state-unknown' });
    await eventsOf(one.generate('A'));
    await eventsOf(two.generate('B'));
    await eventsOf(one.generate('more', { resume: true }));
    expect(state.of).toBe('A, more');
    const kept = await two.state.save();
    expect(state.of).toBe('B');
    await eventsOf(one.generate('on', { resume: true }));
    expect(state.of).toBe('A, more, on');
    await one.close();
    await vi.waitFor(async () => expect(await eventsOf(two.generate('C', { resume: true })).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'state-unknown' }));
    await eventsOf(two.generate('D', { state: kept }));
    expect(state.of).toBe('B, D');
    await two.close();
  });

  test('keep states of their own, and go back to them whatever the others have read', async () => {
    const restoreState = vi.fn(async (_: Blob) => undefined).mockRejectedValueOnce(failure('state-model').report());
    const first = tab((calls) => Object.assign(calls, {
      restoreState,
      takeState: async () => ({ file: new Blob(['taken']), position: 1, messages: [] }),
      read: async () => ({ file: new Blob(['read']), position: 2, messages: [] }),
    }));
    const [one, two] = [await first.load(), await tab().load()];
    const codeOf = (call: Promise<unknown>) => call.then(() => undefined, (thrown: { code?: string }) => thrown.code);
    await eventsOf(one.generate('Hi'));
    expect(await codeOf(two.state.save())).toBe('state-unknown');
    expect(await codeOf(two.state.read('Hi', { resume: true }))).toBe('state-unknown');
    expect((await one.state.save()).position).toBe(1);
    const state = await two.state.read('Hi');
    expect(textOf(await eventsOf(one.generate('Hi', { state })))).toBe('1 2 3 ');
    const [, options] = first.made[0]?.calls.generate.mock.calls.at(-1) ?? [];
    expect(await options?.state?.text()).toBe('read');
    // A call that failed leaves a tab nothing of another's to go on from.
    expect(await codeOf(two.state.restore(state))).toBe('state-model');
    expect(await codeOf(two.state.save())).toBe('state-unknown');
    expect((await one.state.save()).position).toBe(1);
    expect(await restoreState.mock.calls.at(-1)?.[0].text()).toBe('taken');
    await Promise.all([one.close(), two.close()]);
  });

  test('go on from nothing that a broken engine had read', async () => {
    const first = tab((calls, worker) => Object.assign(calls, { tokenize: vi.fn(() => (queueMicrotask(() => worker.fault()), never())) }));
    const one = await first.load();
    await eventsOf(one.generate('Hi'));
    expect(await one.tokenize('Hi').catch((thrown: unknown) => thrown)).toMatchObject({ code: 'engine-crashed' });
    expect(await eventsOf(one.generate('Hi', { resume: true })).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'state-unknown' });
    expect(textOf(await eventsOf(one.generate('Hi')))).toBe('1 2 3 ');
    await one.close();
  });
});

test('a tab has every call that a client has', () => {
  const names = (client: { prototype: object }) => Object.getOwnPropertyNames(client.prototype).sort();
  expect(names(SharedClient)).toEqual(names(EngineClient));
});

test('what is not stored is not shared, and where tabs cannot share each has its own', async () => {
  expect(await tab().load({ store: false }).catch((thrown: unknown) => thrown)).toMatchObject({ code: 'invalid-option' });
  vi.stubGlobal('BroadcastChannel', undefined);
  const [first, second] = [tab(), tab()];
  const models = [await first.load(), await second.load()];
  expect([first.made.length, second.made.length]).toEqual([1, 1]);
  await Promise.all(models.map((model) => model.close()));
});
