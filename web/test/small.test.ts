import { expect, test, vi } from 'vitest';
import { AnswerClock } from '../src/chat/answer-clock';
import { Conversation } from '../src/chat/conversation';
import { failure, toFailure } from '../src/base/failure';
import { browserEnvironment } from '../engine/src/store/environment';
import { Fault } from '../engine/src/store/fault';
import { Lanes } from '../engine/src/store/lanes';
import { Retries } from '../engine/src/store/retries';
import { watched } from '../engine/src/store/watchdog';
import { hastyEnvironment } from './browser';
import { Transfer } from '../src/models/transfer';
import { fill, formatBytes, formatRate, formatRemaining, formatSeconds } from '../src/base/format';

test('numbers read as people write them', () => {
  expect([0, 999, 20374272, 4.2e9].map(formatBytes)).toEqual(['0 bytes', '999 bytes', '20.4 MB', '4.2 GB']);
  expect([0.4321, 12.3].map(formatSeconds)).toEqual(['0.43 s', '12 s']);
  expect([8.26, 43.7].map(formatRate)).toEqual(['8.3', '44']);
  expect([0.2, 59, 75, 5000].map(formatRemaining)).toEqual(['1 s', '59 s', '2 min', '1.4 h']);
  expect(fill('{a} and {b}', { a: 1 })).toBe('1 and {b}');
});

test('a transfer is judged by its last seconds, and begins anew when it goes back', () => {
  let time = 0;
  const transfer = new Transfer(() => time);
  const at = (milliseconds: number, done: number, phase: 'download' | 'verify' = 'download') => {
    time = milliseconds;
    return transfer.update({ step: 'receive', done, total: 1000, phase });
  };
  expect(at(0, 0)).toEqual({ rate: 0, remaining: null });
  expect(at(2000, 200)).toEqual({ rate: 100, remaining: 8 });
  expect(at(20_000, 400)).toEqual({ rate: 0, remaining: null });
  expect(at(22_000, 500)).toEqual({ rate: 50, remaining: 10 });
  expect(at(23_000, 100)).toEqual({ rate: 0, remaining: null });
});

test('the answer clock counts from the question and paces after the first token', () => {
  const times = [0, 500, 600, 700];
  const clock = new AnswerClock(() => times.shift() ?? 0);
  for (let token = 0; token < 3; token += 1) clock.token();
  expect(clock.stats()).toEqual({ tokens: 3, firstToken: 0.5, rate: 10 });
  expect(new AnswerClock().stats()).toEqual({ tokens: 0, firstToken: 0, rate: 0 });
});

test('failures survive the way from the worker', () => {
  const original = failure('http-status', { status: 404, url: 'x' }, 'why');
  expect(toFailure(structuredClone(original.report()))).toMatchObject(original.report());
});

test('anything thrown becomes a failure with a sentence and a remedy', () => {
  const engine = Object.assign(new Error('`llama`'), { code: 'architecture', remedy: 'theirs' });
  for (const [thrown, code] of [
    [engine, 'architecture'], [new DOMException('', 'AbortError'), 'cancelled'], [new DOMException('', 'QuotaExceededError'), 'app-room'],
    [new Error('odd'), 'unexpected'], ['text', 'unexpected'], [Object.assign(new Error('new'), { code: 'of-tomorrow' }), 'unexpected'],
  ] as const) {
    const made = toFailure(thrown);
    expect(made).toMatchObject({ code, message: expect.stringMatching(/\w/) as string, remedy: expect.stringMatching(/\w/) as string });
    expect(`${made.message} ${made.remedy}`).not.toContain('{');
  }
});

test('retries: without a network a download that has begun waits for it, however long, and one that has not says so', async () => {
  let offline = true;
  const rested: number[] = [];
  const env = hastyEnvironment({ offline: () => offline, rest: async (milliseconds) => void rested.push(milliseconds) });
  const said: boolean[] = [];
  const retries = new Retries(env, { firstTries: 3, tries: 6, base: 100, longest: 1000 }, (waits) => said.push(waits));
  const { signal } = new AbortController();
  expect(await retries.network(signal)).toBe(false);
  retries.progress();
  expect([await retries.network(signal), await retries.network(signal)]).toEqual([true, true]);
  expect(rested).toEqual([1000, 1000]);
  expect(said).toEqual([true, true]);
  offline = false;
  expect(await retries.network(signal)).toBe(false);
});

test('a network that comes back ends pauses, and no watch over a request', async () => {
  const listeners = new EventTarget();
  vi.stubGlobal('addEventListener', listeners.addEventListener.bind(listeners));
  vi.stubGlobal('removeEventListener', listeners.removeEventListener.bind(listeners));
  try {
    const { signal } = new AbortController();
    const slow = watched(browserEnvironment, { milliseconds: 60_000, bytes: 1 }, signal, (inner) => new Promise((resolve, reject) => {
      inner.addEventListener('abort', () => reject(inner.reason as Error));
      setTimeout(() => resolve('came'), 30);
    }));
    const rest = browserEnvironment.rest(60_000, signal);
    listeners.dispatchEvent(new Event('online'));
    await rest;
    expect(await slow).toBe('came');
  } finally {
    vi.unstubAllGlobals();
  }
});

test('a question taken back leaves the conversation as it was', () => {
  const conversation = new Conversation();
  conversation.ask('one').text = 'two';
  const answer = conversation.ask('three');
  expect(conversation.prompt(conversation.upTo(answer)).map(({ content }) => content)).toEqual(['one', 'two', 'three']);
  expect(conversation.takeBack(answer)).toBe('three');
  expect(conversation.takeBack(answer)).toBe('');
  expect(conversation.messages).toHaveLength(2);
});

test('requests at once: half as many for a busy server, more again when all goes well, most of all where each waits', () => {
  const lanes = new Lanes({ start: 4, most: 6 });
  const arrive = (times: number, waited: number) => { for (let done = 0; done < times; done += 1) lanes.arrived(waited, 100); };
  arrive(100, 1);
  expect(lanes.limit).toBe(4);
  lanes.failed('connection');
  expect(lanes.limit).toBe(4);
  lanes.failed('busy');
  lanes.failed('stall');
  lanes.failed('busy');
  expect(lanes.limit).toBe(1);
  arrive(2, 1);
  expect(lanes.limit).toBe(2);
  arrive(100, 60);
  expect(lanes.limit).toBe(6);
});

test('retries: pauses double with jitter up to a limit, what the server asks is obeyed by all, and too much of it ends the wait', async () => {
  let time = 0;
  const slept: number[] = [];
  const env = hastyEnvironment({ now: () => time, random: () => 0.5, sleep: async (ms) => { slept.push(ms); time += ms; } });
  const retries = new Retries(env, { firstTries: 3, tries: 6, base: 100, longest: 1000 }, () => undefined);
  const { signal } = new AbortController();
  const broken = new Fault('connection', '');
  expect([await retries.again(broken, 1, signal), await retries.again(broken, 2, signal), await retries.again(broken, 3, signal)]).toEqual([true, true, false]);
  retries.progress();
  expect([await retries.again(broken, 5, signal), await retries.again(broken, 6, signal)]).toEqual([true, false]);
  expect(slept).toEqual([75, 150, 750]);
  const from = time;
  const asked = retries.again(new Fault('busy', '', 5000, 429), 1, signal);
  await Promise.all([asked, retries.open(signal)]);
  expect(time - from).toBeGreaterThanOrEqual(5000);
  expect(await retries.again(new Fault('busy', '', 600_000, 429), 1, signal)).toBe(false);
});
