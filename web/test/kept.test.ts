/** What is kept stays: refusals, damage and wrong copies cost what they concern and no more. */
import { expect, test } from 'vitest';
import { failure } from '../src/base/failure';
import { download, type DownloadOptions, type DownloadPlan } from '../engine/src/store/download';
import type { Progress } from '../engine/src/store/download-job';
import { missingChunks, type PartPlan } from '../engine/src/store/model-record';
import type { ModelStore } from '../engine/src/store/model-store';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS, listed } from './browser';
import { FaultProxy, type FaultPlan } from './fault-proxy';
import { started } from './local-server';
import { Origin } from './origin';

const BYTES = ggufBytes(10 * CHUNK + 123);
const FLIP: FaultPlan = { kind: 'flip', at: 0.5, bit: 0.3 };
const ONE_BY_ONE = { ...LIMITS, lanes: { start: 1, most: 1 } };

async function served(plan: (request: number) => FaultPlan | undefined = () => undefined, files: Record<string, Uint8Array> = { 'm.gguf': BYTES }) {
  const origin = await started(new Origin());
  for (const [name, bytes] of Object.entries(files)) origin.files.set(`/${name}`, Buffer.from(bytes));
  const proxy = await started(new FaultProxy(origin.url, plan));
  return { origin, proxy };
}

function planOf(server: { url: string }, listing: Partial<PartPlan> = {}, names = ['m.gguf']): DownloadPlan {
  const urls = names.map((name) => `${server.url}${name}`);
  const [url = ''] = urls;
  return { url, name: 'm', origin: { kind: 'address', name: 'm', urls }, parts: urls.map((url, index) => ({ name: names[index] ?? '', url, ...listing })) };
}

function options(changes: Partial<DownloadOptions> = {}): DownloadOptions {
  return { env: hastyEnvironment(), limits: LIMITS, signal: new AbortController().signal, onProgress: () => undefined, chunkBytes: CHUNK, ...changes };
}

async function paused(store: ModelStore, plan: DownloadPlan): Promise<number> {
  const pause = new AbortController();
  const onProgress = ({ done }: Progress) => done > 5 * CHUNK && pause.abort(failure('paused'));
  await download(store, plan, options({ signal: pause.signal, onProgress, limits: ONE_BY_ONE })).catch(() => undefined);
  return missing(store, plan);
}

async function missing(store: ModelStore, { url }: DownloadPlan): Promise<number> {
  return missingChunks((await store.get(url))?.parts[0] as never, CHUNK).length;
}

test.each(['out-of-memory', 'architecture', 'tensor'] as const)('a model that is refused with %s when it goes on keeps what an earlier visit brought', async (code) => {
  const { store } = await emptyStore();
  const { proxy } = await served();
  const plan = planOf(proxy);
  const left = await paused(store, plan);
  expect(left).toBeLessThan(10);
  const checkFits = async () => { throw failure(code); };
  await expect(download(store, plan, options({ checkFits }))).rejects.toMatchObject({ code });
  expect(await missing(store, plan)).toBe(left);
});

test('a chunk that the store can no longer read is fetched again, alone', async () => {
  for (const listing of [{}, { length: BYTES.length, sha256: listed(BYTES).sha256 }]) {
    for (const lost of [0, 2]) {
      const { store } = await emptyStore();
      const { origin, proxy } = await served();
      const plan = planOf(proxy, listing);
      const left = await paused(store, plan);
      const record = await store.get(plan.url);
      if (record?.parts[0]) record.parts[0].hash = null;
      await store.put(record as never);
      const chunk = store.chunk.bind(store);
      let broken = true;
      const unreadable = new Blob([new Uint8Array(CHUNK)]);
      unreadable.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotReadableError'));
      store.chunk = async (key) => (broken && key[2] === lost ? unreadable : chunk(key));
      const put = store.putChunk.bind(store);
      store.putChunk = async (key, ...rest) => ((broken &&= key[2] !== lost), put(key, ...rest));
      origin.requests.length = 0;
      const model = await download(store, plan, options({ checkFits: async () => undefined }));
      broken = false;
      expect(await allBytes(store, model)).toEqual([BYTES]);
      // Without a hash nobody reads a chunk but the first before the model is loaded.
      expect(origin.requests).toHaveLength(left + (lost === 0 || 'sha256' in listing ? 1 : 0));
    }
  }
});

test('a chunk that can no longer be read while a damaged one is looked for is fetched again too', async () => {
  const { store } = await emptyStore();
  const { proxy } = await served((request) => (request === 3 ? FLIP : undefined));
  const { sha256, length } = listed(BYTES);
  const chunk = store.chunk.bind(store);
  let broken = false;
  store.chunk = async (key) => {
    if (!broken || key[2] !== 5) return chunk(key);
    broken = false;
    return undefined;
  };
  const onProgress = ({ phase }: Progress) => void (broken ||= phase === 'repair');
  expect(await allBytes(store, await download(store, planOf(proxy, { sha256, length }), options({ onProgress })))).toEqual([BYTES]);
});

test('two damaged chunks under a hash of the whole file are both found', async () => {
  const { store } = await emptyStore();
  const { proxy } = await served((request) => (request === 3 || request === 7 ? FLIP : undefined));
  const { sha256, length } = listed(BYTES);
  expect(await allBytes(store, await download(store, planOf(proxy, { sha256, length }), options()))).toEqual([BYTES]);
  expect(proxy.done).toHaveLength(2);
});

test('where the second copy of a chunk is the damaged one, the first stays', async () => {
  const { store } = await emptyStore();
  // One chunk after the other: the eighth is damaged, and of the second copies that of the third.
  const { proxy } = await served((request) => (request === 8 || request === 11 + 2 ? FLIP : undefined));
  const { sha256, length } = listed(BYTES);
  const written: number[] = [];
  const put = store.putChunk.bind(store);
  store.putChunk = async (key, ...rest) => (written.push(key[2]), put(key, ...rest));
  expect(await allBytes(store, await download(store, planOf(proxy, { sha256, length }), options({ limits: ONE_BY_ONE })))).toEqual([BYTES]);
  expect(proxy.done).toHaveLength(2);
  expect(written.slice(11)).toEqual([8]);
});

test('a part of a split set that is not the listed one leaves the other parts alone', async () => {
  const { store, rows } = await emptyStore();
  const names = ['a.gguf', 'b.gguf'];
  const { origin, proxy } = await served(undefined, { 'a.gguf': BYTES, 'b.gguf': BYTES });
  const plan = planOf(proxy, {}, names);
  const { sha256, length } = listed(BYTES);
  plan.parts = plan.parts.map((part, index) => ({ ...part, length, sha256: index === 0 ? sha256 : listed(ggufBytes(BYTES.length, 9)).sha256 }));
  await expect(download(store, plan, options())).rejects.toMatchObject({ code: 'wrong-bytes' });
  expect(await rows()).toBe(1 + 11);
  origin.requests.length = 0;
  plan.parts = plan.parts.map((part) => ({ ...part, sha256 }));
  expect(await allBytes(store, await download(store, plan, options({ replan: async () => plan })))).toEqual([BYTES, BYTES]);
  expect(origin.requests.every((request) => request.includes('/b.gguf'))).toBe(true);
});

test('a download that goes on is tried as often as one that is under way', async () => {
  const { store } = await emptyStore();
  let refused = 0;
  const { proxy } = await served(() => (refused > 0 && (refused -= 1) >= 0 ? { kind: 'refuse', at: 0, bit: 0 } : undefined));
  const plan = planOf(proxy);
  await paused(store, plan);
  // Six in a row, where a first visit is content with four.
  refused = 6;
  expect(await allBytes(store, await download(store, plan, options({ limits: ONE_BY_ONE })))).toEqual([BYTES]);
});
