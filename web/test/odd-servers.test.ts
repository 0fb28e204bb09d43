/** Servers that keep to the letter of the standard, or not even that: each ends with the exact bytes or a failure, never without an end. */
import { afterEach, expect, test } from 'vitest';
import { download, type DownloadOptions, type DownloadPlan } from '../engine/src/store/download';
import { fetchJson } from '../engine/src/store/listing';
import type { Environment } from '../engine/src/store/environment';
import { hasChunk, type PartPlan } from '../engine/src/store/model-record';
import { requestRange } from '../engine/src/store/range-request';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS, listed } from './browser';

const BYTES = ggufBytes(10 * CHUNK + 123);
const ADDRESS = 'https://example.org/m.gguf';
afterEach(() => expect(asked.length).toBeLessThan(200));

let asked: string[] = [];

/** A server as a function of the range that is asked for. */
function serving(answer: (first: number, last: number | null, number: number) => Response): Partial<Environment> {
  asked = [];
  return {
    crossOrigin: () => true,
    fetch: async (_, init) => {
      const range = (init.headers as Record<string, string>).range ?? '';
      asked.push(range);
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
      return first === undefined ? answer(0, null, asked.length) : answer(Number(first), last === '' ? Infinity : Number(last), asked.length);
    },
  };
}

const whole = (bytes = BYTES) => new Response(bytes, { headers: { 'content-length': String(bytes.length) } });
function part(first: number, last: number, hidden = false): Response {
  const end = Math.min(last + 1, BYTES.length);
  const shown = { 'content-length': String(end - first), ...(hidden ? {} : { 'content-range': `bytes ${first}-${end - 1}/${BYTES.length}` }) };
  return new Response(BYTES.slice(first, end), { status: 206, headers: shown });
}

function planOf(listing: Partial<PartPlan> = {}): DownloadPlan {
  return { url: ADDRESS, name: 'm', origin: { kind: 'address', name: 'm', urls: [ADDRESS] }, parts: [{ name: 'm.gguf', url: ADDRESS, ...listing }] };
}
function options(env: Partial<Environment>, changes: Partial<DownloadOptions> = {}): DownloadOptions {
  return { env: hastyEnvironment(env), limits: LIMITS, signal: new AbortController().signal, onProgress: () => undefined, chunkBytes: CHUNK, ...changes };
}

test('a server that answers the range of everything, and no other, is read as a stream', async () => {
  const { store } = await emptyStore();
  const env = serving((first, last) => (last === Infinity ? part(first, last) : whole()));
  expect(await allBytes(store, await download(store, planOf(), options(env)))).toEqual([BYTES]);
});

test('a server that answered ranges and no longer does is read as a stream, once', async () => {
  const { store } = await emptyStore();
  const env = serving((first, last, number) => (last !== null && (last === Infinity || number < 4) ? part(first, last) : whole()));
  expect(await allBytes(store, await download(store, planOf(), options(env)))).toEqual([BYTES]);
});

test.each([false, true])('a server that caps ranges is asked for the rest (Content-Range hidden: %s)', async (hidden) => {
  for (const listing of [{}, listed(BYTES)]) {
    const { store } = await emptyStore();
    const env = serving((first, last) => (last === null ? whole() : part(first, Math.min(last, first + 999), hidden)));
    const phases = new Set<string | undefined>();
    const model = await download(store, planOf(listing), options(env, { onProgress: ({ phase }) => phases.add(phase) }));
    expect(await allBytes(store, model)).toEqual([BYTES]);
    expect(model.parts[0]?.length).toBe(BYTES.length);
    // It is no fault, so nothing waits for it.
    expect([...phases]).not.toContain('wait');
  }
});

test('a page in place of the whole file does not tell a length', async () => {
  const { store } = await emptyStore();
  let pages = 2;
  const env = serving((first, last) => (last === null ? (pages-- > 0 ? new Response('<html>', { headers: { 'content-length': '6' } }) : whole()) : part(first, last, true)));
  expect(await allBytes(store, await download(store, planOf(), options(env)))).toEqual([BYTES]);
});

test('a server without ranges that damages a chunk each time is given up after three streams, and sound chunks stay', async () => {
  const { store } = await emptyStore();
  const flipped = BYTES.slice();
  flipped[3 * CHUNK] = 255 - (flipped[3 * CHUNK] ?? 0);
  const env = serving(() => whole(flipped));
  await expect(download(store, planOf(listed(BYTES)), options(env))).rejects.toMatchObject({ code: 'wrong-bytes' });
  expect(asked.length).toBeLessThanOrEqual(4);
  const kept = (await store.get(ADDRESS))?.parts[0];
  expect(kept && Array.from({ length: 11 }, (_, index) => hasChunk(kept, index)).filter(Boolean)).toHaveLength(10);
});

test('a server that forbids other pages is named for listed files too', async () => {
  for (const listing of [listed(BYTES), { length: BYTES.length, sha256: listed(BYTES).sha256 }]) {
    const { store } = await emptyStore();
    const fetch: Environment['fetch'] = async (_, init) => {
      if (init.mode === 'no-cors') return new Response();
      throw new TypeError('failed');
    };
    await expect(download(store, planOf(listing), options({ crossOrigin: () => true, fetch }))).rejects.toMatchObject({ code: 'cors' });
  }
});

test.each([['429', '7', 7000], ['503', '7', 7000], ['503', 'date', 7000], ['503', 'soon', 0], ['429', 'past', 0]])('%s with Retry-After: %s', async (status, form, expected) => {
  const forms: Record<string, string> = { date: new Date(Date.now() + 7000).toUTCString(), past: new Date(0).toUTCString() };
  const fetch = async () => new Response('', { status: Number(status), headers: { 'retry-after': forms[form] ?? form } });
  const question = { url: ADDRESS, start: 0, end: 10, total: null, expected: { etag: null, modified: null, ifRange: false, accepts: () => true } };
  const fault = (await requestRange(hastyEnvironment({ fetch }), question, new AbortController().signal).catch((thrown: unknown) => thrown)) as { retryAfter: number };
  expect(fault).toMatchObject({ kind: 'busy', status: Number(status) });
  // A date has whole seconds.
  expect(Math.abs(fault.retryAfter - expected)).toBeLessThanOrEqual(1500);
});

test('a listing is asked for again when its server says', async () => {
  const slept: number[] = [];
  let requests = 0;
  const env = hastyEnvironment({
    fetch: async () => ((requests += 1) === 1 ? new Response('', { status: 503, headers: { 'retry-after': '9' } }) : new Response('[1]')),
    rest: async (milliseconds) => void slept.push(milliseconds),
    now: () => slept.reduce((sum, each) => sum + each, 0),
  });
  expect(await fetchJson(env, LIMITS, ADDRESS, new AbortController().signal)).toMatchObject({ body: [1] });
  expect(slept).toEqual([9000]);
});

test('a listing without an end is refused after eight megabytes, and a slow one is no stall', async () => {
  let sent = 0;
  const endless = () => new Response(new ReadableStream({ pull: (controller) => ((sent += 1), controller.enqueue(new Uint8Array(1 << 20).fill(32))) }));
  await expect(fetchJson(hastyEnvironment({ fetch: async () => endless() }), LIMITS, ADDRESS, new AbortController().signal)).rejects.toMatchObject({ code: 'manifest' });
  expect(sent).toBeLessThan(16);
  const text = new TextEncoder().encode(JSON.stringify('x'.repeat(4000)));
  let at = 0;
  const slow = () => new Response(new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (at >= text.length) return controller.close();
      controller.enqueue(text.subarray(at, (at += 500)));
    },
  }));
  let asks = 0;
  const env = hastyEnvironment({ fetch: async () => ((asks += 1), slow()) });
  expect(await fetchJson(env, LIMITS, ADDRESS, new AbortController().signal)).toMatchObject({ body: 'x'.repeat(4000) });
  expect(asks).toBe(1);
});
