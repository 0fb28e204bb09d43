/** The engine's messages can be replaced, and each failure is made with what holds. */
import { afterEach, expect, test } from 'vitest';
import { EngineClient, ENGLISH, failure, formatBytes, setMessages, toFailure } from 'web-mamba';
import { failure as pageFailure, toFailure as toPageFailure } from '../src/base/failure';
import { FakeWorker, soundCalls } from './fake-worker';

afterEach(() => setMessages({}));

test('a table of one’s own takes the place of the English one, as far as it goes', () => {
  setMessages({ failures: { network: { sentence: '{host} antwortet nicht.', remedy: 'Noch einmal versuchen.' } }, units: ['Byte', 'kB', 'MB', 'GB', 'TB'] });
  expect(failure('network', { host: 'example.org' })).toMatchObject({ code: 'network', message: 'example.org antwortet nicht.', remedy: 'Noch einmal versuchen.', data: { host: 'example.org' } });
  expect(toFailure({ code: 'network' }).remedy).toBe('Noch einmal versuchen.');
  expect(pageFailure('network', { host: 'a' }).message).toBe('a antwortet nicht.');
  expect(formatBytes(7)).toBe('7 Byte');
  expect(failure('busy').message).toBe(ENGLISH.failures.busy.sentence);
  setMessages({});
  expect(failure('network', { host: 'a' }).message).toBe('a could not be reached.');
  expect(formatBytes(7)).toBe('7 bytes');
});

test('a worker is told of them before its first call, each time it is started, and of nothing where the English ones hold', () => {
  const orders: unknown[] = [];
  const start = () => {
    const worker = new FakeWorker(soundCalls());
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (data: unknown) => (orders.push(data), post(data));
    return worker;
  };
  new EngineClient({ start, hasGpu: async () => false });
  expect(orders).toEqual([]);
  const own = { soundRemedy: 'Eine andere Datei wählen.' };
  setMessages(own);
  new EngineClient({ start, hasGpu: async () => false });
  expect(orders).toEqual([{ messages: own }]);
});

test('a full disk is told by the engine as one that models fill, and by the page as one that its own things do', () => {
  const full = new DOMException('full', 'QuotaExceededError');
  expect(toFailure(full)).toMatchObject({ code: 'no-room-left', message: expect.not.stringContaining('{') as string });
  expect(toPageFailure(full)).toMatchObject({ code: 'app-room' });
  expect(toPageFailure(toFailure(full))).toMatchObject({ code: 'no-room-left' });
});
