/** Whether a model is here and fits, with the real engine: of each kind of source, and at each stage of its download. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { initSync, planModel } from '../engine/pkg/web_mamba.js';
import type { WasmEngine } from '../engine/src/base/wasm-engine';
import { LIMITS } from '../engine/src/store/download-job';
import { browserEnvironment } from '../engine/src/store/environment';
import { CHUNK_BYTES, markChunk, newModel } from '../engine/src/store/model-record';
import type { RemoteSource } from '../engine/src/store/model-source';
import { availabilityOf } from '../engine/src/worker/availability';
import { emptyStore } from './browser';
import { started } from './local-server';
import { Origin } from './origin';

const here = import.meta.dirname;
const file = readFileSync(path.join(here, '../../tests/golden/models/mamba-tiny-Q4_0.gguf'));
const engine = { planModel } as unknown as Pick<WasmEngine, 'planModel'>;
const limits = { ...LIMITS, retries: { ...LIMITS.retries, firstTries: 1 } };
const CPU = { backend: 'cpu' } as const;
/** A header that is longer than the first beginning that is asked for. */
const demo = readFileSync(path.join(here, '../public/models/web-mamba-demo-31m-v2-q4_k_m.gguf'));

beforeAll(() => void initSync({ module: readFileSync(path.join(here, '../engine/pkg/web_mamba_bg.wasm')) }));

async function means() {
  const { store } = await emptyStore();
  return { store, engine, env: browserEnvironment, limits };
}

async function served(bytes: Buffer, options = {}) {
  const origin = await started(new Origin(options));
  origin.files.set('/a.gguf', bytes);
  return { origin, url: `${origin.url}a.gguf` };
}

const address = (url: string): RemoteSource => ({ kind: 'address', name: 'a', urls: [url] });

test.each([['with ranges', { ranges: true }], ['without ranges', { ranges: false }]])('of a server %s, by the beginning of the file alone', async (_, options) => {
  const { origin, url } = await served(demo, options);
  const found = await availabilityOf(await means(), address(url), CPU);
  expect(found).toEqual({ downloaded: 'no', stored: 0, bytes: demo.length, fits: true, backend: 'cpu', doubts: ['memory-unknown'] });
  if (options.ranges) expect(origin.sent).toBeLessThan(demo.length);
});

test('of a model that is kept, as a whole or in part, and of one that is not', async () => {
  const { url } = await served(file);
  const asked = await means();
  const record = newModel(url, 'a', address(url), [{ name: 'a.gguf', url, length: file.length }], 1);
  await asked.store.put(record);
  expect(await availabilityOf(asked, address(url), CPU)).toMatchObject({ downloaded: 'no', stored: 0, bytes: file.length });
  const large = newModel(`${url}?b`, 'b', address(url), [{ name: 'b.gguf', url, length: 2 * CHUNK_BYTES }], 1);
  markChunk(large.parts[0]!, 1, new Uint8Array(32));
  await asked.store.put(large);
  expect(await availabilityOf(asked, { kind: 'stored', url: `${url}?b` }, CPU)).toMatchObject({ downloaded: 'partly', stored: CHUNK_BYTES, bytes: 2 * CHUNK_BYTES });
  markChunk(record.parts[0]!, 0, new Uint8Array(32));
  await asked.store.putChunk([url, 0, 0], new Uint8Array(file), { ...record, complete: true });
  expect(await availabilityOf(asked, { kind: 'stored', url }, CPU)).toMatchObject({ downloaded: 'yes', stored: file.length, bytes: file.length, fits: true });
  await expect(availabilityOf(asked, { kind: 'stored', url: 'file:none.gguf:1:1' }, CPU)).rejects.toMatchObject({ code: 'not-stored' });
});

test('of files, without a copy of them', async () => {
  const asked = await means();
  const source = { kind: 'files', files: [new File([file], 'a.gguf')] } as const;
  expect(await availabilityOf(asked, { ...source, files: [...source.files] }, CPU)).toMatchObject({ downloaded: 'no', bytes: file.length, fits: true });
  expect(await asked.store.list()).toEqual([]);
});

test('what does not fit has its problem', async () => {
  const { url } = await served(file);
  const plan = { ...(await planModel([{ length: file.length, read: (offset, length) => file.subarray(offset, offset + length) }], CPU)), fits: false, problem: { code: 'out-of-memory', message: 'a', remedy: 'b', needed: 1 } };
  const asked = { ...(await means()), engine: { planModel: async () => plan } };
  expect(await availabilityOf(asked, address(url), CPU)).toMatchObject({ fits: false, problem: { code: 'out-of-memory', message: 'a', remedy: 'b' } });
});

test('a page in the place of a model, a half file, a missing one and a server that is gone reject', async () => {
  const asked = await means();
  for (const [bytes, code] of [[Buffer.from('<html></html>'), 'not-gguf'], [file.subarray(0, 300), /truncated|malformed-gguf|read/]] as const) {
    const { url } = await served(bytes);
    await expect(availabilityOf(asked, address(url), CPU)).rejects.toMatchObject({ code: typeof code === 'string' ? code : expect.stringMatching(code) as string });
  }
  const { origin, url } = await served(file);
  await expect(availabilityOf(asked, address(`${origin.url}none.gguf`), CPU)).rejects.toMatchObject({ code: 'http-status' });
  await origin.stop();
  await expect(availabilityOf(asked, address(url), CPU)).rejects.toMatchObject({ code: 'network' });
});
