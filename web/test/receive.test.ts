import { afterEach, expect, test, vi } from 'vitest';
import type { Incoming } from '../src/weights/incoming';
import { receive, type Progress } from '../src/weights/receive';
import { storedFiles } from '../src/weights/stored-file';
import { emptyStore, ggufBytes, streamOf } from './browser';

const URL = 'https://example.org/model.gguf';
const CHUNK = 64;

function incoming(bytes: Uint8Array, changes: Partial<Incoming> = {}): Incoming {
  return { name: 'model.gguf', url: URL, etag: '"1"', length: bytes.length, stream: streamOf(bytes), ...changes };
}

function arrival(...parts: Incoming[]) {
  const progress: Progress[] = [];
  const signal = new AbortController().signal;
  return { url: URL, name: 'model', parts: parts.map((part) => async () => part), onProgress: (p: Progress) => progress.push(p), signal, progress };
}

afterEach(() => vi.unstubAllGlobals());

test.each([4, 5, 63, 64, 65, 128, 1000])('a file of %i bytes comes back as it was', async (length) => {
  const { store } = await emptyStore();
  const bytes = ggufBytes(length);
  const model = await receive(store, arrival(incoming(bytes)), CHUNK);
  expect(model).toMatchObject({ url: URL, length, etag: '"1"', complete: true, chunkCount: Math.ceil(length / CHUNK) });
  const [file] = storedFiles(store, model, CHUNK);
  expect(await file?.read(0, length)).toEqual(bytes);
  expect(await store.find(URL)).toEqual(model);
});

test('any range of a stored file equals that range of the original', async () => {
  const { store } = await emptyStore();
  const bytes = ggufBytes(300);
  const [file] = storedFiles(store, await receive(store, arrival(incoming(bytes)), CHUNK), CHUNK);
  for (const [offset, length] of [[0, 4], [60, 8], [64, 64], [63, 130], [299, 1], [300, 0]] as const) {
    expect(await file?.read(offset, length)).toEqual(bytes.slice(offset, offset + length));
  }
  await expect(file?.read(299, 2)).rejects.toMatchObject({ code: 'read' });
});

test('the parts of a split set are kept apart and counted together', async () => {
  const { store, rows } = await emptyStore();
  const parts = [ggufBytes(100), ggufBytes(30), ggufBytes(64)];
  const order = arrival(...parts.map((bytes, index) => incoming(bytes, { name: `part-${index}` })));
  const model = await receive(store, order, CHUNK);
  expect(model.length).toBe(194);
  for (const [index, file] of storedFiles(store, model, CHUNK).entries()) expect(await file.read(0, file.length)).toEqual(parts[index]);
  expect(order.progress.at(-1)).toEqual({ done: 194, total: 194 });
  await store.remove(URL);
  expect(await rows()).toBe(0);
});

test('a model does not count before its last byte is stored', async () => {
  const { store, rows } = await emptyStore();
  const seen: unknown[] = [];
  const order = arrival(incoming(ggufBytes(500)));
  const bytes = ggufBytes(500);
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      for (let offset = 0; offset < bytes.length; offset += 50) {
        controller.enqueue(bytes.slice(offset, offset + 50));
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen.push([await store.find(URL), (await rows()) > 0]);
      }
      controller.close();
    },
  });
  await receive(store, { ...order, parts: [async () => incoming(bytes, { stream })] }, CHUNK);
  expect(seen.at(-1)).toEqual([undefined, true]);
  expect(await store.find(URL)).toBeDefined();
});

test.each([
  ['shorter than announced', incoming(ggufBytes(200), { length: 300 }), 'short-file'],
  ['a web page', incoming(new TextEncoder().encode('<!doctype html>'.repeat(20))), 'not-gguf'],
  ['wrong in its second byte, one byte at a time', incoming(Uint8Array.of(71, 0, 0, 0), { stream: streamOf(Uint8Array.of(71, 0, 0, 0), 1) }), 'not-gguf'],
  ['empty', incoming(new Uint8Array()), 'not-gguf'],
  ['two bytes long', incoming(ggufBytes(2)), 'not-gguf'],
])('a file that is %s is refused and leaves nothing behind', async (_, file, code) => {
  const { store, rows } = await emptyStore();
  await expect(receive(store, arrival(file), CHUNK)).rejects.toMatchObject({ code, remedy: expect.stringMatching(/\w/) as string });
  expect(await rows()).toBe(0);
});

test('a second part that is none takes the first with it', async () => {
  const { store, rows } = await emptyStore();
  await expect(receive(store, arrival(incoming(ggufBytes(200)), incoming(new Uint8Array(200))), CHUNK)).rejects.toMatchObject({ code: 'not-gguf' });
  expect(await rows()).toBe(0);
});

test('a connection that breaks is said so and leaves nothing behind', async () => {
  const { store, rows } = await emptyStore();
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulls++ < 5) controller.enqueue(ggufBytes(100));
      else controller.error(new TypeError('network error'));
    },
  });
  await expect(receive(store, arrival(incoming(ggufBytes(1000), { stream })), CHUNK)).rejects.toMatchObject({ code: 'interrupted' });
  expect(await rows()).toBe(0);
});

test('an aborted download leaves nothing behind', async () => {
  const { store, rows } = await emptyStore();
  const abort = new AbortController();
  const order = { ...arrival(incoming(ggufBytes(1000))), signal: abort.signal, onProgress: ({ done }: Progress) => done > 0 && abort.abort() };
  await expect(receive(store, order, CHUNK)).rejects.toMatchObject({ code: 'cancelled' });
  expect(await rows()).toBe(0);
});

test('a model that does not fit is refused before it is read', async () => {
  const { store, rows } = await emptyStore();
  vi.stubGlobal('navigator', { storage: { estimate: async () => ({ quota: 1000, usage: 900 }) } });
  const file = incoming(ggufBytes(500));
  await expect(receive(store, arrival(file), CHUNK)).rejects.toMatchObject({ code: 'no-room', message: expect.stringContaining('500 bytes') as string });
  expect(await rows()).toBe(0);
});
