/** Every kind of source, from its name to the stored model, against stand-ins of the servers that list them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { failure } from '../src/base/failure';
import { acquire, type AcquireOptions } from '../engine/src/store/acquire';
import type { Progress } from '../engine/src/store/download-job';
import { exportPart, type ExportTarget } from '../engine/src/store/export-model';
import { CHUNK_BYTES } from '../engine/src/store/model-record';
import { fileKey, type ModelSource } from '../engine/src/store/model-source';
import { verifyModel } from '../engine/src/store/verify-model';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS } from './browser';
import { LocalServer, started } from './local-server';
import { Origin } from './origin';

const options = (changes: Partial<AcquireOptions> = {}): AcquireOptions => ({
  env: hastyEnvironment(), limits: LIMITS, signal: new AbortController().signal, onProgress: () => undefined, chunkBytes: CHUNK, ...changes,
});

const origin = () => started(new Origin());

test('an address: a second time needs no request', async () => {
  const { store } = await emptyStore();
  const server = await origin();
  server.files.set('/m.gguf', Buffer.from(ggufBytes(100)));
  const source: ModelSource = { kind: 'address', name: 'm', urls: [`${server.url}m.gguf`] };
  const first = await acquire(store, source, options());
  expect(await acquire(store, source, options())).toEqual(first);
  expect(server.requests).toHaveLength(1);
});

/** The hub's listing and files as it serves them: tree pages with `Link`, LFS entries with their SHA-256. */
class Hub extends LocalServer {
  readonly asked: string[] = [];
  constructor(private readonly files: Map<string, Buffer>, private readonly damage: (path: string, bytes: Buffer) => Buffer = (_, bytes) => bytes) {
    super();
  }
  protected override serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url);
    this.asked.push(url.pathname);
    const [, folder] = /^\/api\/models\/acme\/mamba\/tree\/main(\/.*)?$/.exec(url.pathname) ?? [];
    if (url.pathname.startsWith('/api/')) {
      const within = [...this.files].filter(([name]) => (folder ? name.startsWith(`${folder.slice(1)}/`) : !name.includes('/')));
      if (!url.pathname.startsWith('/api/models/acme/mamba/') || within.length === 0) return void response.writeHead(404).end('{}');
      const page = Number(url.searchParams.get('cursor') ?? 0);
      const entries = within.slice(page, page + 2).map(([name, bytes]) => ({
        type: 'file', oid: createHash('sha1').update(bytes).digest('hex'), size: bytes.length, path: name,
        ...(name.endsWith('.gguf') ? { lfs: { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, pointerSize: 134 } } : {}),
      }));
      const more = page + 2 < within.length ? { link: `<${this.url.slice(0, -1)}${url.pathname}?cursor=${page + 2}>; rel="next"` } : {};
      return void response.writeHead(200, { 'content-type': 'application/json', ...more }).end(JSON.stringify([{ type: 'directory', path: 'x', size: 0, oid: '1' }, ...entries]));
    }
    const name = decodeURIComponent(url.pathname.replace('/acme/mamba/resolve/main/', ''));
    const bytes = this.files.get(name);
    if (!bytes) return void response.writeHead(404).end();
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? ['', '0', String(bytes.length - 1)];
    const last = Math.min(Number(end), bytes.length - 1);
    const body = this.damage(name, bytes).subarray(Number(start), last + 1);
    response.writeHead(206, { etag: `"${createHash('sha256').update(bytes).digest('hex')}"`, 'content-length': body.length, 'content-range': `bytes ${start}-${last}/${bytes.length}` }).end(body);
  }
}

const HUB_FILES = new Map([
  ['README.md', Buffer.from('# mamba')],
  ['.gitattributes', Buffer.from('*')],
  ['m-q4_k_m.gguf', Buffer.from(ggufBytes(3 * CHUNK + 5))],
  ['small/s-00001-of-00002.gguf', Buffer.from(ggufBytes(CHUNK + 1, 1))],
  ['small/s-00002-of-00002.gguf', Buffer.from(ggufBytes(50, 2))],
]);

test('the hub: size and SHA-256 come from its listing, page by page, and the file is held to them', async () => {
  const { store } = await emptyStore();
  const hub = await started(new Hub(HUB_FILES));
  const hubBase = hub.url.slice(0, -1);
  const source: ModelSource = { kind: 'hub', repo: 'acme/mamba', revision: 'main', file: 'm-q4_k_m.gguf' };
  const model = await acquire(store, source, options({ hubBase }));
  expect(model).toMatchObject({ name: 'm-q4_k_m', verification: 'sha256', url: 'https://huggingface.co/acme/mamba/resolve/main/m-q4_k_m.gguf' });
  expect(hub.asked.filter((asked) => asked.startsWith('/api/'))).toHaveLength(2);
  expect(await acquire(store, { kind: 'stored', url: model.url }, options())).toEqual(model);
});

test('the hub: a split set in a folder', async () => {
  const { store } = await emptyStore();
  const hub = await started(new Hub(HUB_FILES));
  const source: ModelSource = { kind: 'hub', repo: 'acme/mamba', revision: 'main', file: 'small/s-00001-of-00002.gguf' };
  const model = await acquire(store, source, options({ hubBase: hub.url.slice(0, -1) }));
  expect(model).toMatchObject({ name: 's', verification: 'sha256', parts: [{ length: CHUNK + 1 }, { length: 50 }] });
});

test('the hub: what it serves is not what it lists', async () => {
  const { store, rows } = await emptyStore();
  const hub = await started(new Hub(HUB_FILES, (_, bytes) => Buffer.from(bytes.map((byte, index) => (index === 5000 ? byte ^ 1 : byte)))));
  const source: ModelSource = { kind: 'hub', repo: 'acme/mamba', revision: 'main', file: 'm-q4_k_m.gguf' };
  await expect(acquire(store, source, options({ hubBase: hub.url.slice(0, -1) }))).rejects.toMatchObject({ code: 'wrong-bytes' });
  expect(await rows()).toBe(0);
});

test.each([['gone.gguf', 'acme/mamba', 'hub-file'], ['m-q4_k_m.gguf', 'acme/private', 'http-status']])('the hub: %s in %s', async (file, repo, code) => {
  const { store } = await emptyStore();
  const hub = await started(new Hub(HUB_FILES));
  await expect(acquire(store, { kind: 'hub', repo, revision: 'main', file }, options({ hubBase: hub.url.slice(0, -1) }))).rejects.toMatchObject({ code });
});

/** Runs `scripts/make-manifest` as a publisher would. */
function makeManifest(files: Record<string, Uint8Array>): { manifest: string; names: string[] } {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-manifest-'));
  try {
    const names = Object.keys(files);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, name), bytes);
    const script = path.join(import.meta.dirname, '../../scripts/make-manifest');
    const manifest = execFileSync(script, names.map((name) => path.join(folder, name)), { encoding: 'utf8' });
    return { manifest, names };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a manifest from scripts/make-manifest: every chunk is held to its hash', async () => {
  const { store } = await emptyStore();
  const server = await origin();
  const parts = { 'big-00001-of-00002.gguf': ggufBytes(CHUNK_BYTES + 1000), 'big-00002-of-00002.gguf': ggufBytes(77, 3) };
  const { manifest } = makeManifest(parts);
  server.files.set('/big.manifest.json', Buffer.from(manifest));
  for (const [name, bytes] of Object.entries(parts)) server.files.set(`/${name}`, Buffer.from(bytes));
  const source: ModelSource = { kind: 'manifest', url: `${server.url}big.manifest.json` };
  const model = await acquire(store, source, options({ chunkBytes: CHUNK_BYTES }));
  expect(model).toMatchObject({ name: 'big', verification: 'chunks' });
  expect((await allBytes(store, model))[1]).toEqual(parts['big-00002-of-00002.gguf']);
});

const GOOD = { format: 'web-mamba-manifest', version: 1, name: 'm', chunkBytes: CHUNK, parts: [{ file: 'm.gguf', length: 5, sha256: 'a'.repeat(64), chunks: ['b'.repeat(64)] }] };
test.each([
  ['no JSON', '{'], ['null', 'null'], ['another format', { ...GOOD, format: 'x' }], ['of tomorrow', { ...GOOD, version: 2 }],
  ['with other chunks', { ...GOOD, chunkBytes: 10 }], ['without parts', { ...GOOD, parts: [] }],
  ['with a negative length', { ...GOOD, parts: [{ ...GOOD.parts[0], length: -1 }] }],
  ['with too few chunks', { ...GOOD, parts: [{ ...GOOD.parts[0], chunks: [] }] }],
  ['with a hash that is none', { ...GOOD, parts: [{ ...GOOD.parts[0], chunks: ['x'] }] }],
  ['of another type than a list', { ...GOOD, parts: { length: 1 } }],
  ['with a part that is null', { ...GOOD, parts: [null] }],
  ['with a length that is no whole number', { ...GOOD, parts: [{ ...GOOD.parts[0], length: 4.5 }] }],
  ['with a length beyond all numbers', { ...GOOD, parts: [{ ...GOOD.parts[0], length: 1e300 }] }],
  ['with more chunks than the length has', { ...GOOD, parts: [{ ...GOOD.parts[0], chunks: Array(1000).fill('b'.repeat(64)) }] }],
  ['with more parts than any model', { ...GOOD, parts: Array(5000).fill(GOOD.parts[0]) }],
  ['with one part twice', { ...GOOD, parts: [GOOD.parts[0], GOOD.parts[0]] }],
  ['that is longer than any', `"${' '.repeat(9 * 1024 * 1024)}"`],
  ['that points to a script', { ...GOOD, parts: [{ ...GOOD.parts[0], file: 'javascript:alert(1)' }] }],
  ['that holds its data', { ...GOOD, parts: [{ ...GOOD.parts[0], file: 'data:application/octet-stream,GGUF' }] }],
  ['that points to a blob', { ...GOOD, parts: [{ ...GOOD.parts[0], file: 'blob:https://example.org/1' }] }],
  ['that points to a file', { ...GOOD, parts: [{ ...GOOD.parts[0], file: 'file:///etc/passwd' }] }],
  ['with a name and a password', { ...GOOD, parts: [{ ...GOOD.parts[0], file: 'https://me:secret@example.org/m.gguf' }] }],
  ['that points to plain http elsewhere', { ...GOOD, parts: [{ ...GOOD.parts[0], file: 'http://192.168.0.1/m.gguf' }] }],
])('a manifest %s is refused', async (_, body) => {
  const { store, rows } = await emptyStore();
  const server = await origin();
  server.files.set('/m.manifest.json', Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  await expect(acquire(store, { kind: 'manifest', url: `${server.url}m.manifest.json` }, options())).rejects.toMatchObject({ code: 'manifest' });
  expect(await rows()).toBe(0);
});

test('a local file is copied into the store and opens again by its key', async () => {
  const { store } = await emptyStore();
  const bytes = ggufBytes(2 * CHUNK + 9);
  const file = new File([bytes], 'mine.gguf', { lastModified: 5 });
  const model = await acquire(store, { kind: 'files', files: [file] }, options());
  expect(model).toMatchObject({ name: 'mine', complete: true, parts: [{ length: bytes.length }] });
  expect(await allBytes(store, model)).toEqual([bytes]);
  expect(await acquire(store, { kind: 'stored', url: fileKey(file) }, options())).toEqual(model);
  await expect(acquire(store, { kind: 'stored', url: 'file:gone' }, options())).rejects.toMatchObject({ code: 'not-stored' });
});

test.each([['a web page', new File(['<!doctype html>'], 'x.gguf'), 'not-gguf'], ['two bytes long', new File(['GG'], 'x.gguf'), 'not-gguf']])(
  'a local file that is %s leaves nothing behind',
  async (_, file, code) => {
    const { store, rows } = await emptyStore();
    await expect(acquire(store, { kind: 'files', files: [file] }, options())).rejects.toMatchObject({ code });
    expect(await rows()).toBe(0);
  },
);

test('a local file with a handle is read in place: nothing is copied, and a change of it is noticed', async () => {
  const { store, rows } = await emptyStore();
  const bytes = ggufBytes(500);
  let file = new File([bytes], 'mine.gguf', { lastModified: 5 });
  // A stand-in that can be stored, as a real handle can; its method is put on after reading.
  const handle = { kind: 'file', name: 'mine.gguf' } as unknown as FileSystemFileHandle;
  const model = await acquire(store, { kind: 'files', files: [file], handles: [handle] }, options());
  expect(await rows()).toBe(1);
  const opened = { ...model, handles: [{ getFile: async () => file } as FileSystemFileHandle] };
  expect(await allBytes(store, opened)).toEqual([bytes]);
  file = new File([bytes, 'more'], 'mine.gguf');
  await expect(allBytes(store, opened)).rejects.toMatchObject({ code: 'file-read' });
  // As long as before, but written to since.
  file = new File([ggufBytes(500, 1)], 'mine.gguf', { lastModified: 6 });
  await expect(allBytes(store, opened)).rejects.toMatchObject({ code: 'file-read', message: expect.stringContaining('changed') as string });
  const refused = { ...model, handles: [{ getFile: () => Promise.reject(new DOMException('', 'NotAllowedError')) } as unknown as FileSystemFileHandle] };
  await expect(allBytes(store, refused)).rejects.toMatchObject({ code: 'file-permission' });
});

test('verify again finds a damaged and a missing chunk, and opening fetches just these', async () => {
  const { store } = await emptyStore();
  const server = await origin();
  const bytes = ggufBytes(6 * CHUNK);
  server.files.set('/m.gguf', Buffer.from(bytes));
  const source: ModelSource = { kind: 'address', name: 'm', urls: [`${server.url}m.gguf`] };
  const model = await acquire(store, source, options());
  expect(await verifyModel(store, model.url, () => undefined, new AbortController().signal)).toEqual({ bad: 0 });
  await store.putChunk([model.url, 0, 2], new Uint8Array(CHUNK), model);
  await store.putChunk([model.url, 0, 4], new Uint8Array(10), model);
  expect(await verifyModel(store, model.url, () => undefined, new AbortController().signal)).toEqual({ bad: 2 });
  expect(await store.find(model.url)).toBeUndefined();
  server.requests.length = 0;
  expect(await allBytes(store, await acquire(store, { kind: 'stored', url: model.url }, options()))).toEqual([bytes]);
  expect(server.requests).toHaveLength(2);
});

test('a download of the hub that goes on without a network waits for it, though its listing cannot be read', async () => {
  const { store } = await emptyStore();
  const hub = await started(new Hub(HUB_FILES));
  const hubBase = hub.url.slice(0, -1);
  const source: ModelSource = { kind: 'hub', repo: 'acme/mamba', revision: 'main', file: 'm-q4_k_m.gguf' };
  const pause = new AbortController();
  const onProgress = ({ done }: Progress) => done > CHUNK && pause.abort(failure('paused'));
  await acquire(store, source, options({ hubBase, signal: pause.signal, onProgress })).catch(() => undefined);
  let offline = true;
  const env = hastyEnvironment({
    offline: () => offline,
    fetch: (url, init) => (offline ? Promise.reject(new TypeError('failed')) : fetch(url, init)),
  });
  const phases: (string | undefined)[] = [];
  const model = await acquire(store, source, options({ hubBase, env, onProgress: ({ phase }) => {
    phases.push(phase);
    offline &&= phase !== 'offline';
  } }));
  expect(model).toMatchObject({ complete: true, verification: 'sha256' });
  expect(phases).toContain('offline');
});

test('a damaged chunk is not saved into a file', async () => {
  const { store } = await emptyStore();
  const server = await origin();
  const bytes = ggufBytes(3 * CHUNK);
  server.files.set('/m.gguf', Buffer.from(bytes));
  const model = await acquire(store, { kind: 'address', name: 'm', urls: [`${server.url}m.gguf`] }, options());
  let written = 0;
  let state = '';
  const target: ExportTarget = {
    createWritable: async () => ({
      write: async (data) => void (written += (data as Uint8Array).length), close: async () => void (state = 'closed'), abort: async () => void (state = 'aborted'),
    }),
  };
  const run = () => exportPart(store, model.url, 0, target, () => undefined, new AbortController().signal);
  await run();
  expect([written, state]).toEqual([bytes.length, 'closed']);
  await store.putChunk([model.url, 0, 1], bytes.slice(0, CHUNK), model);
  await expect(run()).rejects.toMatchObject({ code: 'damaged' });
  expect(state).toBe('aborted');
});
