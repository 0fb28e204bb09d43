import { afterEach, expect, test, vi } from 'vitest';
import { acquire } from '../src/weights/acquire';
import { fileKey } from '../src/weights/from-file';
import { emptyStore, ggufBytes } from './browser';

const SOURCE = { kind: 'address', name: 'model', urls: ['https://example.org/model.gguf'] } as const;
const signal = new AbortController().signal;
const quiet = () => undefined;

/** Answers every request with `answer`, or as a failed network where it gives an error. */
function stubFetch(answer: (url: string, init?: RequestInit) => Response | Error) {
  const fetch = vi.fn(async (url: string, init?: RequestInit) => {
    const given = answer(url, init);
    if (given instanceof Error) throw given;
    return given;
  });
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

afterEach(() => vi.unstubAllGlobals());

test('a second time needs no request', async () => {
  const { store } = await emptyStore();
  const fetch = stubFetch(() => new Response(ggufBytes(100), { headers: { 'content-length': '100', etag: '"7"' } }));
  const first = await acquire(store, { ...SOURCE, urls: [...SOURCE.urls] }, quiet, signal);
  const second = await acquire(store, { ...SOURCE, urls: [...SOURCE.urls] }, quiet, signal);
  expect(second).toEqual(first);
  expect(first.etag).toBe('"7"');
  expect(fetch).toHaveBeenCalledTimes(1);
});

test.each([
  ['404', () => new Response('', { status: 404 }), 'http-status', '404'],
  ['forbidden to other pages', (_: string, init?: RequestInit) => (init?.mode === 'no-cors' ? new Response() : new TypeError('failed')), 'cors', 'example.org'],
  ['unreachable', () => new TypeError('failed'), 'network', 'example.org'],
])('%s is told from the other failures', async (_, answer, code, said) => {
  const { store, rows } = await emptyStore();
  stubFetch(answer);
  const failed = acquire(store, { ...SOURCE, urls: [...SOURCE.urls] }, quiet, signal);
  await expect(failed).rejects.toMatchObject({ code, message: expect.stringContaining(said) as string });
  expect(await rows()).toBe(0);
});

test('what an earlier visit left half done is cleared first', async () => {
  const { store, rows } = await emptyStore();
  await store.putChunk(['https://example.org/other.gguf', 0, 0], new Uint8Array(10));
  stubFetch(() => new Response(ggufBytes(100)));
  await acquire(store, { ...SOURCE, urls: [...SOURCE.urls] }, quiet, signal);
  expect(await rows()).toBe(2);
});

test('a local file is copied into the store and opens again by its key', async () => {
  const { store } = await emptyStore();
  const file = new File([ggufBytes(100)], 'mine.gguf', { lastModified: 5 });
  const model = await acquire(store, { kind: 'files', files: [file] }, quiet, signal);
  expect(model).toMatchObject({ name: 'mine', length: 100 });
  expect(await acquire(store, { kind: 'stored', url: fileKey(file) }, quiet, signal)).toEqual(model);
  await expect(acquire(store, { kind: 'stored', url: 'file:gone' }, quiet, signal)).rejects.toMatchObject({ code: 'not-stored' });
});
