/** Downloads from a correct server, and from servers that lack one thing or another. */
import { expect, test } from 'vitest';
import { failure } from '../src/base/failure';
import { download, type DownloadOptions, type DownloadPlan } from '../engine/src/store/download';
import type { Progress } from '../engine/src/store/download-job';
import type { Environment } from '../engine/src/store/environment';
import { missingChunks, type PartPlan } from '../engine/src/store/model-record';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS, listed } from './browser';
import { FaultProxy } from './fault-proxy';
import { started } from './local-server';
import { Origin, type OriginOptions } from './origin';

const BYTES = ggufBytes(10 * CHUNK + 123);

async function serve(bytes: Uint8Array = BYTES, options: OriginOptions = {}): Promise<Origin> {
  const origin = await started(new Origin(options));
  origin.files.set('/m.gguf', Buffer.from(bytes));
  return origin;
}

function planOf(origin: { url: string }, listing: Partial<PartPlan> = {}): DownloadPlan {
  const url = `${origin.url}m.gguf`;
  return { url, name: 'm', origin: { kind: 'address', name: 'm', urls: [url] }, parts: [{ name: 'm.gguf', url, ...listing }] };
}

function options(changes: Partial<DownloadOptions> = {}, env: Partial<Environment> = {}): DownloadOptions {
  return { env: hastyEnvironment(env), limits: LIMITS, signal: new AbortController().signal, onProgress: () => undefined, chunkBytes: CHUNK, ...changes };
}

test.each([4, 5, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 10 * CHUNK + 123])('a file of %i bytes comes back as it was', async (length) => {
  const { store } = await emptyStore();
  const bytes = ggufBytes(length);
  const model = await download(store, planOf(await serve(bytes)), options());
  expect(await allBytes(store, model)).toEqual([bytes]);
  expect(model).toMatchObject({ complete: true, verification: 'received', parts: [{ length, ranges: true }] });
  expect(await store.find(model.url)).toEqual(model);
});

test.each<[string, OriginOptions]>([
  ['without ranges', { ranges: false }],
  ['without ranges and validators', { ranges: false, etag: 'none', modified: false }],
  ['with weak ETags', { etag: 'weak' }],
  ['with dates only', { etag: 'none' }],
  ['without validators', { etag: 'none', modified: false }],
])('a server %s will do', async (_, lack) => {
  const { store } = await emptyStore();
  const model = await download(store, planOf(await serve(BYTES, lack)), options());
  expect(await allBytes(store, model)).toEqual([BYTES]);
});

test('a server of another origin that hides the range and the length of the file will do', async () => {
  const { store } = await emptyStore();
  const proxy = await started(new FaultProxy((await serve()).url, () => undefined, { hidden: ['content-range', 'etag', 'last-modified'] }));
  const model = await download(store, planOf(proxy), options({}, { crossOrigin: () => true }));
  expect(await allBytes(store, model)).toEqual([BYTES]);
});

test('fast lines receive chunks as a whole, which the store keeps as Blobs', async () => {
  const { store } = await emptyStore();
  const model = await download(store, planOf(await serve(), listed(BYTES)), options({ limits: { ...LIMITS, wholeRate: 0 } }));
  expect(await allBytes(store, model)).toEqual([BYTES]);
  expect(await store.chunk([model.url, 0, 0])).toBeInstanceOf(Uint8Array);
  expect(await store.chunk([model.url, 0, 5])).toBeInstanceOf(Blob);
});

test('a paused download goes on at the missing chunks, and asks for no other', async () => {
  const { store } = await emptyStore();
  const origin = await serve();
  const pause = new AbortController();
  const onProgress = ({ done }: Progress) => done > 4 * CHUNK && pause.abort(failure('paused'));
  const paused = download(store, planOf(origin), options({ signal: pause.signal, onProgress, limits: { ...LIMITS, lanes: { start: 1, most: 1 } } }));
  await expect(paused).rejects.toMatchObject({ code: 'paused' });
  const kept = await store.get(planOf(origin).url);
  expect(kept).toMatchObject({ complete: false, verification: null });
  const missing = missingChunks((kept as NonNullable<typeof kept>).parts[0] as never, CHUNK);
  expect(missing.length).toBeGreaterThan(0);
  expect(missing.length).toBeLessThan(10);
  origin.requests.length = 0;
  const model = await download(store, planOf(origin), options());
  expect(await allBytes(store, model)).toEqual([BYTES]);
  expect(origin.requests).toHaveLength(missing.length);
  expect(origin.requests[0]).toContain(`bytes=${(missing[0] as number) * CHUNK}-`);
});

test('a file that changed in between begins again, with a word about it, and never mixes', async () => {
  const { store } = await emptyStore();
  const origin = await serve();
  const pause = new AbortController();
  await download(store, planOf(origin), options({ signal: pause.signal, onProgress: ({ done }) => done > 4 * CHUNK && pause.abort() })).catch(() => undefined);
  const changed = ggufBytes(BYTES.length, 1);
  origin.files.set('/m.gguf', Buffer.from(changed));
  const said: Progress[] = [];
  const model = await download(store, planOf(origin), options({ onProgress: (progress) => said.push(progress) }));
  expect(await allBytes(store, model)).toEqual([changed]);
  expect(said.at(-1)).toMatchObject({ restarted: true, done: BYTES.length, total: BYTES.length });
});

test('the parts of a split set are kept apart and counted together', async () => {
  const { store, rows } = await emptyStore();
  const origin = await serve();
  const parts = [ggufBytes(3 * CHUNK), ggufBytes(10), ggufBytes(CHUNK + 5)];
  parts.forEach((bytes, index) => origin.files.set(`/${index}.gguf`, Buffer.from(bytes)));
  const plan = { ...planOf(origin), parts: parts.map((_, index) => ({ name: `${index}`, url: `${origin.url}${index}.gguf` })) };
  const said: Progress[] = [];
  const model = await download(store, plan, options({ onProgress: (progress) => said.push(progress) }));
  expect(await allBytes(store, model)).toEqual(parts);
  expect(said.at(-1)).toMatchObject({ done: 4 * CHUNK + 15, total: 4 * CHUNK + 15 });
  await store.remove(model.url);
  expect(await rows()).toBe(0);
});

test('a model that does not fit, by its header, is refused after one chunk and leaves nothing', async () => {
  const { store, rows } = await emptyStore();
  const origin = await serve();
  const checkFits = async (header: Uint8Array, bytes: number) => {
    expect(header).toEqual(BYTES.slice(0, CHUNK));
    expect(bytes).toBe(BYTES.length);
    throw failure('out-of-memory');
  };
  await expect(download(store, planOf(origin), options({ checkFits }))).rejects.toMatchObject({ code: 'out-of-memory' });
  expect(origin.requests).toHaveLength(1);
  expect(await rows()).toBe(0);
});

test('a model that has no room is refused after one chunk, says how much to free, and takes none of it', async () => {
  const { store, rows } = await emptyStore();
  const origin = await serve();
  const full = options({}, { estimate: async () => ({ quota: 10_000, usage: 9_000 }) });
  await expect(download(store, planOf(origin), full)).rejects.toMatchObject({
    code: 'no-room', message: expect.stringContaining('1.0 kB are free') as string, remedy: expect.stringContaining('36.0 kB') as string,
  });
  expect(origin.requests).toHaveLength(1);
  expect(await rows()).toBe(0);
});

test('a disk that fills half way keeps what is there, and says what is missing', async () => {
  const { store } = await emptyStore();
  const origin = await serve();
  const put = store.putChunk.bind(store);
  let writes = 0;
  store.putChunk = async (...args) => {
    if ((writes += 1) > 5) throw failure('no-room-left', { missing: '' });
    return put(...args);
  };
  await expect(download(store, planOf(origin), options())).rejects.toMatchObject({ code: 'no-room-left', message: expect.stringContaining('20.6 kB') as string });
  expect(missingChunks((await store.get(planOf(origin).url))?.parts[0] as never, CHUNK)).toHaveLength(6);
  store.putChunk = put;
  expect(await allBytes(store, await download(store, planOf(origin), options()))).toEqual([BYTES]);
});

test.each([
  ['a web page', Buffer.from('<!doctype html>'.repeat(2000)), 'not-gguf'],
  ['empty', Buffer.alloc(0), 'not-gguf'],
  ['two bytes long', Buffer.from('GG'), 'not-gguf'],
])('a file that is %s is refused and leaves nothing behind', async (_, bytes, code) => {
  for (const ranges of [true, false]) {
    const { store, rows } = await emptyStore();
    await expect(download(store, planOf(await serve(bytes, { ranges })), options())).rejects.toMatchObject({ code, remedy: expect.stringMatching(/\w/) as string });
    expect(await rows()).toBe(0);
  }
});

test('a file that is not there is said at once', async () => {
  const { store, rows } = await emptyStore();
  const origin = await serve();
  origin.files.clear();
  await expect(download(store, planOf(origin), options())).rejects.toMatchObject({ code: 'http-status', message: expect.stringContaining('404') as string });
  expect(origin.requests).toHaveLength(1);
  expect(await rows()).toBe(0);
});

test('a server that forbids other pages is told from one that is not there', async () => {
  const { store } = await emptyStore();
  const forbids: Partial<Environment> = {
    crossOrigin: () => true,
    fetch: async (_, init) => {
      if (init.mode === 'no-cors') return new Response();
      throw new TypeError('failed');
    },
  };
  const plan = planOf({ url: 'https://example.org/' });
  await expect(download(store, plan, options({}, forbids))).rejects.toMatchObject({ code: 'cors', message: expect.stringContaining('example.org') as string });
  const gone = { crossOrigin: () => true, fetch: () => Promise.reject(new TypeError('failed')) };
  await expect(download(store, plan, options({}, gone))).rejects.toMatchObject({ code: 'network', message: expect.stringContaining('example.org') as string });
});

test('hashes: a listed one is checked, and the record says which', async () => {
  const { chunks, ...whole } = listed(BYTES);
  for (const [listing, verification] of [[{ ...whole, chunks }, 'chunks'], [whole, 'sha256']] as const) {
    const { store } = await emptyStore();
    expect(await download(store, planOf(await serve(), listing), options())).toMatchObject({ verification });
  }
});

test('a file that is not the listed one never counts, and is not kept', async () => {
  const { sha256 } = listed(ggufBytes(BYTES.length, 9));
  for (const ranges of [true, false]) {
    const { store, rows } = await emptyStore();
    await expect(download(store, planOf(await serve(BYTES, { ranges }), { sha256 }), options())).rejects.toMatchObject({ code: 'wrong-bytes' });
    expect(await rows()).toBe(0);
  }
});

test('a damaged chunk under a hash of the whole file alone is found by fetching chunks again, and only it is stored anew', async () => {
  const { store } = await emptyStore();
  const { sha256, length } = listed(BYTES);
  const proxy = await started(new FaultProxy((await serve()).url, (request) => (request === 3 ? { kind: 'flip', at: 0.5, bit: 0.3 } : undefined)));
  const phases = new Set<string>();
  const model = await download(store, planOf(proxy, { sha256, length }), options({ onProgress: ({ phase }) => phase && phases.add(phase) }));
  expect(await allBytes(store, model)).toEqual([BYTES]);
  expect(proxy.done).toEqual(['flip']);
  expect([...phases]).toContain('repair');
});

test('the state of a file hash survives a restart', async () => {
  const { store } = await emptyStore();
  const origin = await serve();
  const { sha256, length } = listed(BYTES);
  const pause = new AbortController();
  const stopping = options({ signal: pause.signal, onProgress: ({ done }) => done > 6 * CHUNK && pause.abort(failure('paused')), limits: { ...LIMITS, lanes: { start: 1, most: 1 } } });
  await download(store, planOf(origin, { sha256, length }), stopping).catch(() => undefined);
  expect((await store.get(planOf(origin).url))?.parts[0]?.hash?.chunks).toBeGreaterThan(2);
  expect(await download(store, planOf(origin, { sha256, length }), options())).toMatchObject({ verification: 'sha256' });
});
