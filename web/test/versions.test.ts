/** A change of the file is believed when it is confirmed, and one wrong answer costs nothing that is kept. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { failure } from '../src/base/failure';
import { download, type DownloadOptions, type DownloadPlan } from '../engine/src/store/download';
import type { Progress } from '../engine/src/store/download-job';
import type { Environment } from '../engine/src/store/environment';
import { missingChunks, type PartPlan } from '../engine/src/store/model-record';
import type { ModelStore } from '../engine/src/store/model-store';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS, listed } from './browser';
import { FaultProxy } from './fault-proxy';
import { LocalServer, started } from './local-server';
import { Origin } from './origin';

const BYTES = ggufBytes(10 * CHUNK + 123);

/** A server that answers as the test says, request by request. */
class Scripted extends LocalServer {
  requests = 0;
  answer: (request: IncomingMessage, response: ServerResponse, number: number) => void = () => undefined;
  protected override serve(request: IncomingMessage, response: ServerResponse): void {
    this.answer(request, response, this.requests++);
  }
}

/** Answers with the range that is asked for. */
function send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, headers: Record<string, string> = {}): void {
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const end = Math.min(bytes.length, last === '' ? bytes.length : Number(last) + 1);
  const body = bytes.subarray(Number(first), end);
  response.writeHead(206, { ...headers, 'content-length': body.length, 'content-range': `bytes ${first}-${end - 1}/${bytes.length}` }).end(body);
}

function planOf(server: { url: string }, listing: Partial<PartPlan> = {}): DownloadPlan {
  const url = `${server.url}m.gguf`;
  return { url, name: 'm', origin: { kind: 'address', name: 'm', urls: [url] }, parts: [{ name: 'm.gguf', url, ...listing }] };
}

function options(changes: Partial<DownloadOptions> = {}, env: Partial<Environment> = {}): DownloadOptions {
  return { env: hastyEnvironment(env), limits: LIMITS, signal: new AbortController().signal, onProgress: () => undefined, chunkBytes: CHUNK, ...changes };
}

async function served(bytes = BYTES): Promise<Origin> {
  const origin = await started(new Origin());
  origin.files.set('/m.gguf', Buffer.from(bytes));
  return origin;
}

/** A download that is paused with some of its chunks stored. */
async function paused(store: ModelStore, plan: DownloadPlan): Promise<number> {
  const pause = new AbortController();
  const onProgress = ({ done }: Progress) => done > 5 * CHUNK && pause.abort(failure('paused'));
  await download(store, plan, options({ signal: pause.signal, onProgress, limits: { ...LIMITS, lanes: { start: 1, most: 1 } } })).catch(() => undefined);
  return missing(store, plan);
}

async function missing(store: ModelStore, { url }: DownloadPlan): Promise<number> {
  return missingChunks((await store.get(url))?.parts[0] as never, CHUNK).length;
}

const PAGE = '<!doctype html>'.repeat(40);
test.each<[string, Record<string, string>]>([
  ['of its own length', { 'content-length': String(PAGE.length) }],
  ['without a length', {}],
  ['with an ETag of its own', { etag: '"page"' }],
])('a page about maintenance %s deletes nothing, and is said', async (_, headers) => {
  const { store } = await emptyStore();
  const server = await started(new Scripted());
  server.answer = (request, response) => send(request, response, BYTES, { etag: '"1"' });
  const left = await paused(store, planOf(server));
  expect(left).toBeLessThan(7);
  server.answer = (_, response) => void response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(PAGE);
  const ended = await download(store, planOf(server), options()).catch((thrown: { code: string }) => thrown);
  expect(ended).toMatchObject({ code: expect.stringMatching(/^(other-file|interrupted|wrong-range)$/) as string });
  expect(await missing(store, planOf(server))).toBe(left);
  server.answer = (request, response) => send(request, response, BYTES, { etag: '"1"' });
  const model = await download(store, planOf(server), options());
  expect(await allBytes(store, model)).toEqual([BYTES]);
  expect(server.requests).toBeGreaterThan(0);
});

test('one answer of another version deletes nothing: it is asked again', async () => {
  const { store } = await emptyStore();
  const server = await started(new Scripted());
  server.answer = (request, response, number) => send(request, response, BYTES, { etag: number === 6 ? '"2"' : '"1"' });
  const said: Progress[] = [];
  const model = await download(store, planOf(server), options({ onProgress: (progress) => said.push(progress) }));
  expect(await allBytes(store, model)).toEqual([BYTES]);
  expect(said.some(({ restarted }) => restarted)).toBe(false);
});

test('a server without validators whose file changed in length begins again, with a word about it', async () => {
  const { store } = await emptyStore();
  const server = await started(new Scripted());
  server.answer = (request, response) => send(request, response, BYTES);
  await paused(store, planOf(server));
  const changed = ggufBytes(8 * CHUNK + 1, 1);
  server.answer = (request, response) => send(request, response, changed);
  const said: Progress[] = [];
  const model = await download(store, planOf(server), options({ onProgress: (progress) => said.push(progress) }));
  expect(await allBytes(store, model)).toEqual([changed]);
  expect(said.at(-1)).toMatchObject({ restarted: true });
});

test.each<[string, Partial<PartPlan>, number]>([
  ['hashes of chunks', listed(BYTES), 0],
  ['a hash of the file', { length: BYTES.length, sha256: listed(BYTES).sha256 }, 0],
  ['nothing', {}, 1],
])('servers of one host with an ETag each for the same bytes: with %s listed, they restart nothing that need not be', async (_, listing, restarts) => {
  const { store } = await emptyStore();
  let turn = 0;
  const proxy = await started(new FaultProxy((await served()).url, () => undefined, { edge: () => (turn += 1) % 2 }));
  let begun = 0;
  const restart = store.restart.bind(store);
  store.restart = (model) => ((begun += 1), restart(model));
  let relisted = 0;
  const replan = async () => ((relisted += 1), planOf(proxy, listing));
  const model = await download(store, planOf(proxy, listing), options(listing.sha256 ? { replan } : {}));
  expect(await allBytes(store, model)).toEqual([BYTES]);
  expect(begun).toBeLessThanOrEqual(restarts);
  // Each of the two is asked about once at most, however many answers bear its name.
  expect(relisted).toBeLessThanOrEqual(2);
});

test.each<[string, (bytes: Uint8Array) => Partial<PartPlan>]>([
  ['the hash of the file', (bytes) => ({ length: bytes.length, sha256: listed(bytes as Uint8Array<ArrayBuffer>).sha256 })],
  ['hashes of chunks', (bytes) => listed(bytes as Uint8Array<ArrayBuffer>)],
])('a file that its source replaces meanwhile, with %s, is fetched by the new listing', async (_, listing) => {
  const { store } = await emptyStore();
  const origin = await served();
  const changed = ggufBytes(7 * CHUNK + 5, 1);
  let requests = 0;
  const proxy = await started(new FaultProxy(origin.url, () => {
    if ((requests += 1) === 5) origin.files.set('/m.gguf', Buffer.from(changed));
    return undefined;
  }));
  const said: Progress[] = [];
  const replan = async () => planOf(proxy, listing(new Uint8Array(origin.files.get('/m.gguf') as Buffer)));
  const model = await download(store, planOf(proxy, listing(BYTES)), options({ replan, onProgress: (progress) => said.push(progress) }));
  expect(await allBytes(store, model)).toEqual([changed]);
  expect(said.at(-1)).toMatchObject({ restarted: true });
});

test('a listed file that is replaced without a sign of it is not searched for damage, but fetched by the new listing', async () => {
  const { store } = await emptyStore();
  const server = await started(new Scripted());
  const changed = ggufBytes(BYTES.length, 1);
  const serves = () => (server.requests > 4 ? changed : BYTES);
  server.answer = (request, response) => send(request, response, serves());
  const phases = new Set<string | undefined>();
  const planned = (bytes: Uint8Array<ArrayBuffer>) => planOf(server, { length: bytes.length, sha256: listed(bytes).sha256 });
  const run = download(store, planned(BYTES), options({ replan: async () => planned(serves()), onProgress: ({ phase }) => phases.add(phase) }));
  expect(await allBytes(store, await run)).toEqual([changed]);
  expect([...phases]).not.toContain('repair');
});
