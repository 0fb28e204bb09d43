/** The worker's calls, from the client to a session and back, as one list describes them. */
import { proxy, wrap, expose } from 'comlink';
import { expect, test, vi } from 'vitest';
import { EngineClient, failure, MambaError, type EngineWorker } from 'web-mamba';
import { CALLS, type CallName } from '../engine/src/protocol/calls';
import { offeredCalls } from '../engine/src/worker/offered-calls';
import { Session } from '../engine/src/worker/session';
import { FakeWorker, opened } from './fake-worker';

const NAMES = Object.keys(CALLS) as CallName[];
const given = (name: CallName): unknown[] => {
  const { listener } = CALLS[name];
  return Array.from({ length: (listener ?? 0) + 1 }, (_, index) => (index === listener ? vi.fn() : `${name} ${index}`));
};

/** Every call answers with its own name and arguments, and listeners hear two events first. */
function echo(reached: unknown[] = []): Record<CallName, (...given: unknown[]) => Promise<unknown>> {
  const answer = (name: CallName) => async (...given: unknown[]) => {
    const { listener } = CALLS[name];
    const report = listener === undefined ? undefined : (given[listener] as (event: unknown) => void);
    for (const event of [1, 2]) report?.(event);
    if (name === 'open') return opened('open', 'cpu');
    const texts = given.filter((each) => typeof each === 'string');
    reached.push([name, ...texts]);
    return texts;
  };
  return Object.fromEntries(NAMES.map((name) => [name, answer(name)])) as ReturnType<typeof echo>;
}

test('the session has a method for each, and the client too', () => {
  for (const name of NAMES) {
    expect(Session.prototype[name], name).toBeTypeOf('function');
    expect(EngineClient.prototype[name], name).toBeTypeOf('function');
  }
});

test('each reaches the session with its arguments, and its events come before its result', async () => {
  const reached: unknown[] = [];
  const client = new EngineClient({ start: () => new FakeWorker(offeredCalls(echo(reached) as unknown as EngineWorker)), hasGpu: async () => false });
  await client.open({ kind: 'stored', url: 'https://example.org/a.gguf' }, {}, () => undefined);
  for (const name of NAMES.filter((each) => each !== 'open')) {
    const all = given(name);
    const listener = CALLS[name].listener;
    const result = await (client[name] as (...given: unknown[]) => Promise<unknown>)(...all);
    const texts = name === 'stop' ? [] : all.filter((each) => typeof each === 'string');
    expect(reached.at(-1)).toEqual([name, ...texts]);
    // What ends something, and an answer, has no result but its end.
    expect(result, name).toEqual(CALLS[name].kind === 'prompt' || name === 'generate' ? undefined : texts);
    if (listener !== undefined) expect((all[listener] as ReturnType<typeof vi.fn>).mock.calls, name).toEqual([[1], [2]]);
  }
});

test('what the session throws crosses as a report, from calls with and without events, after the events before it', async () => {
  const session = {
    ...echo(),
    stored: () => Promise.reject(failure('storage', {}, 'why')),
    verify: (_: string, onProgress: (progress: unknown) => void) => {
      onProgress(1);
      return Promise.reject(new RangeError('odd'));
    },
  } as unknown as EngineWorker;
  const { port1, port2 } = new MessageChannel();
  expose(offeredCalls(session), port1 as unknown as Parameters<typeof expose>[1]);
  port2.start();
  const remote = wrap<EngineWorker>(port2 as unknown as Parameters<typeof wrap>[0]);
  const listener = vi.fn();
  const stored: unknown = await remote.stored().catch((thrown: unknown) => thrown);
  expect(stored).not.toBeInstanceOf(MambaError);
  expect(stored).toMatchObject({ code: 'storage', detail: 'why', remedy: expect.stringMatching(/./) as string });
  await expect(remote.verify('a', proxy(listener))).rejects.toMatchObject({ code: 'unexpected', detail: 'RangeError: odd' });
  expect(listener.mock.calls).toEqual([[1]]);
  port1.close();
  port2.close();
});
