/** Tabs that wait for each other: never without a word, and never longer than their visitor likes. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import './browser';
import { failure } from '../src/base/failure';
import type { Progress } from '../engine/src/store/download-job';
import { readMessage } from '../engine/src/store/neighbour-message';
import { exclusively, reading } from '../engine/src/store/neighbours';

/** As much of Web Locks as is used here: one lock, held by another tab until it is let go. */
function heldLocks() {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const request = async (_: string, { signal }: { signal?: AbortSignal }, work: () => unknown) => {
    const aborted = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    await Promise.race([held, aborted]);
    return work();
  };
  return { release, locks: { request } };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a load that waits for another tab can be ended', async () => {
  vi.stubGlobal('navigator', { locks: heldLocks().locks });
  const control = new AbortController();
  const loading = reading('u', control.signal, () => undefined, async () => 'loaded');
  control.abort(failure('paused'));
  await expect(loading).rejects.toMatchObject({ code: 'paused' });
});

test('a load that waits for another tab says so after ten seconds, and goes on when it may', async () => {
  const { locks, release } = heldLocks();
  vi.stubGlobal('navigator', { locks });
  let said = 0;
  const loading = reading('u', new AbortController().signal, () => (said += 1), async () => 'loaded');
  vi.advanceTimersByTime(9_000);
  expect(said).toBe(0);
  vi.advanceTimersByTime(2_000);
  expect(said).toBe(1);
  release();
  expect(await loading).toBe('loaded');
});

test('a download elsewhere that falls silent is said to be, with how far it was', async () => {
  const { locks, release } = heldLocks();
  vi.stubGlobal('navigator', { locks });
  const seen: Progress[] = [];
  const work = vi.fn(async () => 'done');
  const waiting = exclusively('u', { signal: new AbortController().signal, onProgress: () => undefined, onElsewhere: (progress) => seen.push(progress) }, work);
  const other = new BroadcastChannel('web-mamba weights');
  other.postMessage({ type: 'progress', url: 'u', progress: { done: 5, total: 9 } });
  await vi.waitFor(() => expect(seen).toEqual([{ done: 5, total: 9 }]));
  vi.advanceTimersByTime(11_000);
  expect(seen.at(-1)).toEqual({ done: 5, total: 9, silent: true });
  release();
  expect(await waiting).toBe('done');
  other.close();
});

const ODD: unknown[] = [
  null, undefined, 0, NaN, true, 'end', '', [], ['end', 'u', 'paused'], {}, { type: 'end' }, { url: 'u' }, { type: 'end', url: 'u' }, { type: 'end', url: 'u', how: 'stop' },
  { type: 'end', url: { u: 1 }, how: 'paused' }, { type: 'ended', url: 'u', how: null }, { type: 'pause', url: 'u', how: 'paused' }, { type: 'progress', url: 'u' },
  { type: 'progress', url: 'u', progress: null }, { type: 'progress', url: 'u', progress: { done: '1', total: 2 } }, { type: 'progress', url: 'u', progress: { done: -1, total: 2 } },
  { type: 'progress', url: 'u', progress: { done: NaN, total: Infinity } }, new Map([['type', 'end']]), new Date(NaN), 7n,
];

test('what is no message is none, and of a message only what is known of it is read', () => {
  for (const odd of ODD) expect(readMessage(odd)).toBeUndefined();
  expect(readMessage({ type: 'end', url: 'u', how: 'paused', more: 1 })).toEqual({ type: 'end', url: 'u', how: 'paused' });
  expect(readMessage({ type: 'progress', url: 'u', progress: { done: 1, total: 2, phase: 'nonsense', silent: 'yes', restarted: true, more: 1 } }))
    .toEqual({ type: 'progress', url: 'u', progress: { done: 1, total: 2, restarted: true } });
});

test('odd broadcasts, and those about another model, neither end nor slow a download, here or elsewhere', async () => {
  vi.useRealTimers();
  const free = { request: async (_: string, __: object, work: () => unknown) => work() };
  vi.stubGlobal('navigator', { locks: free });
  const thrown: unknown[] = [];
  const note = (error: unknown) => thrown.push(error);
  process.on('uncaughtException', note);
  const seen: Progress[] = [];
  let finish: (value: string) => void = () => undefined;
  const options = { signal: new AbortController().signal, onProgress: () => undefined, onElsewhere: (progress: Progress) => seen.push(progress) };
  const downloading = exclusively('u', options, (signal) => new Promise<string>((resolve, reject) => {
    finish = resolve;
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  }));
  const other = new BroadcastChannel('web-mamba weights');
  for (const odd of [...ODD, { type: 'end', url: 'other', how: 'paused' }]) other.postMessage(odd);
  await new Promise((resolve) => setTimeout(resolve, 50));
  finish('done');
  expect(await downloading).toBe('done');
  expect([seen, thrown]).toEqual([[], []]);
  process.off('uncaughtException', note);
  other.close();
});
