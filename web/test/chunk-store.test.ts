/** What every place that keeps models owes the store: IndexedDB, a folder of Node's, and a memory that stands for any other. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FileChunkStore } from '../engine/src/node/file-chunk-store';
import type { ChunkKey, ChunkStore } from '../engine/src/store/chunk-store';
import { openDatabase } from '../engine/src/store/database';
import { download } from '../engine/src/store/download';
import { IndexedChunkStore } from '../engine/src/store/indexed-chunk-store';
import { newModel } from '../engine/src/store/model-record';
import { ModelStore } from '../engine/src/store/model-store';
import { verifyModel } from '../engine/src/store/verify-model';
import { allBytes, CHUNK, ggufBytes, hastyEnvironment, LIMITS } from './browser';
import { started } from './local-server';
import { MemoryChunkStore } from './memory-chunk-store';
import { Origin } from './origin';

let databases = 0;
const PLACES: [string, () => Promise<ChunkStore>][] = [
  ['IndexedDB', async () => new IndexedChunkStore(await openDatabase(`chunks-${(databases += 1)}`))],
  ['memory', async () => new MemoryChunkStore()],
  ['a folder', async () => new FileChunkStore(temporaryFolder())],
];

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-chunks-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const record = (url: string) => newModel(url, 'm', null, [], 0);
const chunk = (url: string, part: number, index: number) => ({ put: 'chunk' as const, key: [url, part, index] as ChunkKey, chunk: Uint8Array.of(part, index) });

test.each(PLACES)('%s: chunks of a model, and of a part, go alone', async (_, make) => {
  const store = await make();
  const keys: ChunkKey[] = [['a', 0, 0], ['a', 0, 12], ['a', 1, 0], ['a', 10, 0], ['ab', 0, 0], ['b', 0, 0]];
  await store.change([...keys.map(([url, part, index]) => chunk(url, part, index)), { put: 'record', record: record('a') }]);
  const left = async () => (await Promise.all(keys.map((key) => store.chunk(key)))).map((each) => each !== undefined);
  await store.change([{ delete: 'chunks', url: 'a', part: 1 }]);
  expect(await left()).toEqual([true, true, false, true, true, true]);
  await store.change([{ delete: 'chunks', url: 'a' }, { delete: 'record', url: 'a' }]);
  expect(await left()).toEqual([false, false, false, false, true, true]);
  expect(await store.records()).toEqual([]);
});

test.each(PLACES)('%s: where one change cannot be made, none is', async (_, make) => {
  const store = await make();
  await store.change([{ put: 'record', record: record('a') }, chunk('a', 0, 0)]);
  const broken = { ...record('a'), name: (() => 'no data') as never };
  await expect(store.change([{ delete: 'chunks', url: 'a' }, chunk('a', 0, 1), { put: 'record', record: broken }])).rejects.toThrow();
  expect([await store.chunk(['a', 0, 0]), await store.chunk(['a', 0, 1])]).toEqual([Uint8Array.of(0, 0), undefined]);
  expect(await store.record('a')).toEqual(record('a'));
});

test.each(PLACES)('%s: what is kept is a copy, and an edit is of what is kept', async (_, make) => {
  const store = await make();
  const kept = record('a');
  await store.change([{ put: 'record', record: kept }]);
  kept.name = 'later';
  const read = await store.record('a');
  expect(read?.name).toBe('m');
  if (read) read.name = 'later';
  await store.edit('a', (each) => ({ ...each, name: `${each.name}!` }));
  expect((await store.record('a'))?.name).toBe('m!');
  await store.edit('b', (each) => ({ ...each, name: 'new' }));
  expect(await store.records()).toHaveLength(1);
});

test.each(PLACES)('%s: a model is downloaded into it, read back, found damaged and mended', async (_, make) => {
  const kept = await make();
  const store = new ModelStore(kept);
  const bytes = ggufBytes(3 * CHUNK + 5);
  const origin = await started(new Origin({}));
  origin.files.set('/m.gguf', Buffer.from(bytes));
  const url = `${origin.url}m.gguf`;
  const fetched = () => download(
    store, { url, name: 'm', origin: { kind: 'address', name: 'm', urls: [url] }, parts: [{ name: 'm.gguf', url }] },
    { env: hastyEnvironment(), limits: LIMITS, signal: new AbortController().signal, onProgress: () => undefined, chunkBytes: CHUNK },
  );
  const model = await fetched();
  expect(await allBytes(store, model)).toEqual([bytes]);
  expect((await store.list()).map((each) => each.url)).toEqual([url]);
  await kept.change([{ put: 'chunk', key: [url, 0, 1], chunk: new Uint8Array(CHUNK) }]);
  expect(await verifyModel(store, url, () => undefined, new AbortController().signal)).toEqual({ bad: 1 });
  expect(await store.find(url)).toBeUndefined();
  expect(await allBytes(store, await fetched())).toEqual([bytes]);
  await store.remove(url);
  expect([await store.list(), await store.chunk([url, 0, 0])]).toEqual([[], undefined]);
});

test('a folder: two that share it take turns, and what a process left that ended in the middle of a change goes', async () => {
  const folder = temporaryFolder();
  const [one, other] = [new FileChunkStore(folder), new FileChunkStore(folder)];
  const urls = Array.from({ length: 10 }, (_, index) => `u${index}`);
  writeFileSync(path.join(folder, 'left.chunk'), 'left');
  writeFileSync(path.join(folder, 'lock'), execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
  await Promise.all(urls.map((url, index) => (index % 2 === 0 ? one : other).change([{ put: 'record', record: record(url) }, chunk(url, 0, 0)])));
  expect((await one.records()).map(({ url }) => url).sort()).toEqual(urls);
  expect(readdirSync(folder).filter((name) => name !== 'index')).toHaveLength(urls.length);
  await Promise.all(urls.map((url) => other.change([{ delete: 'record', url }, { delete: 'chunks', url }])));
  expect(readdirSync(folder)).toEqual(['index']);
});
