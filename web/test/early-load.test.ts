/** A model that is loaded while it is downloaded: what is read waits for what is stored, and what fails ends as it does without. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test, vi } from 'vitest';
import { MambaError } from '../engine/src/base/failure';
import type { ByteSource, EngineModel, EngineOptions, WasmEngine } from '../engine/src/base/wasm-engine';
import type { OpenProgress } from '../engine/src/protocol/protocol';
import type { Environment } from '../engine/src/store/environment';
import type { ModelSource } from '../engine/src/store/model-source';
import { Session } from '../engine/src/worker/session';
import { emptyStore, fillDisk, ggufBytes, hastyEnvironment, LIMITS } from './browser';
import { started } from './local-server';
import { Origin } from './origin';

const KiB = 1024;
/** Of the store. */
const CHUNK = 256 * KiB;
/** What a load reads at once. */
const PIECE = 16 * KiB;
/** Two chunks and a half. */
const BYTES = ggufBytes(40 * PIECE);
/** Of a connection that brings so little so seldom, no stall is to be thought. */
const PATIENT = { ...LIMITS, stall: { ...LIMITS.stall, bytes: 0 } };
const HUB: ModelSource = { kind: 'hub', repo: 'a/b', revision: 'main', file: 'm.gguf' };

interface Load {
  /** Bytes as they were read. */
  read: Uint8Array[];
  signal: AbortSignal | undefined;
  /** Progress of the download when the load had read all. */
  received: number;
  outcome: 'reading' | 'loaded' | 'freed' | string;
}

/** Reads all that there is, in pieces, as an engine would. */
class Reader {
  readonly loads: Load[] = [];
  received = 0;
  /** What a load says before its first read. */
  fault: ((load: number) => Promise<void> | undefined) | undefined;

  readonly engine = {
    start: async () => undefined,
    loadModel: async (sources: ByteSource[], { signal, onProgress }: EngineOptions = {}) => {
      const load: Load = { read: [], signal, received: 0, outcome: 'reading' };
      const number = this.loads.push(load);
      try {
        const total = sources.reduce((sum, { length }) => sum + length, 0);
        let done = 0;
        for (const source of sources) await source.read(0, 4);
        await this.fault?.(number);
        for (const source of sources) {
          for (let at = 0; at < source.length; at += PIECE) {
            const bytes = await source.read(at, Math.min(PIECE, source.length - at));
            load.read.push(bytes);
            onProgress?.({ done: (done += bytes.length), total });
          }
        }
      } catch (thrown) {
        load.outcome = String((thrown as { code?: string }).code);
        throw thrown;
      }
      load.received = this.received;
      load.outcome = 'loaded';
      return { info: () => ({ backend: 'cpu' }), free: () => (load.outcome = 'freed') } as unknown as EngineModel;
    },
  } as unknown as WasmEngine;

  bytes(load: number): Buffer {
    return Buffer.concat(this.loads[load]?.read ?? []);
  }
}

/** A session over a server that gives `/m.gguf`, 64 KiB in so many milliseconds on each connection. */
async function opening(origin = new Origin(), env: Partial<Environment> = {}) {
  await started(origin);
  origin.files.set('/m.gguf', Buffer.from(BYTES));
  origin.delay = 20;
  const { store, rows } = await emptyStore();
  const reader = new Reader();
  const session = new Session(reader.engine, Promise.resolve(store), { env: hastyEnvironment(env), limits: PATIENT, chunkBytes: CHUNK });
  const address: ModelSource = { kind: 'address', name: 'm', urls: [`${origin.url}m.gguf`] };
  const events: OpenProgress[] = [];
  const open = (source: ModelSource = address, onEvent: (event: OpenProgress) => void = () => undefined) =>
    session.open(source, {}, (event) => {
      events.push(event);
      if (event.step === 'receive') reader.received = event.done / event.total;
      onEvent(event);
    });
  return { origin, store, rows, reader, session, open, events, address };
}

/** The hub in front of a server, with a listing of one file. */
function hub(origin: Origin, sha256: string): Partial<Environment> {
  const listing = [{ type: 'file', path: 'm.gguf', size: BYTES.length, lfs: { oid: sha256, size: BYTES.length } }];
  return { fetch: async (url, init) => (url.includes('/api/') ? Response.json(listing) : fetch(`${origin.url}m.gguf`, init)) };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('a model is read while it comes, once, and loading is spoken of when the last byte is here', async () => {
  const { open, reader, events } = await opening();
  let readBefore = 0;
  await open(undefined, ({ step, done, total }) => step === 'receive' && done < total && (readBefore = reader.loads[0]?.read.length ?? 0));
  expect(reader.loads).toHaveLength(1);
  expect(reader.bytes(0).equals(BYTES)).toBe(true);
  // Two of the three chunks had come, if the last came last.
  expect(readBefore).toBeGreaterThanOrEqual(16);
  const loading = events.findIndex(({ step }) => step === 'load');
  expect(events.slice(0, loading).at(-1)).toMatchObject({ step: 'receive', done: BYTES.length, total: BYTES.length });
  expect(events.slice(loading).every(({ step }) => step === 'load')).toBe(true);
  expect(events[loading]?.done).toBeGreaterThanOrEqual(readBefore * PIECE);
  expect(reader.loads[0]).toMatchObject({ outcome: 'loaded' });
});

test('a download that is paused ends its load, and one that goes on is loaded from its beginning', async () => {
  const { open, reader, session, store, address } = await opening();
  const paused = open(undefined, ({ done }) => void (done > 20 * PIECE && session.endOpening('pause')));
  await expect(paused).rejects.toMatchObject({ code: 'paused' });
  expect(reader.loads.map(({ outcome }) => outcome)).not.toContain('loaded');
  expect(reader.loads[0]?.signal?.aborted).toBe(true);
  expect(await store.get(address.kind === 'address' ? (address.urls[0] as string) : '')).toMatchObject({ complete: false });
  await open();
  expect(reader.loads).toHaveLength(2);
  expect(reader.bytes(1).equals(BYTES)).toBe(true);
});

test('a discarded download leaves neither rows nor readers', async () => {
  const { open, reader, session, rows } = await opening();
  await expect(open(undefined, ({ done }) => void (done > 20 * PIECE && session.endOpening('discard')))).rejects.toMatchObject({ code: 'discarded' });
  expect(reader.loads[0]?.outcome).toBe('read');
  expect(await rows()).toBe(0);
});

test('where the network breaks for good, the download says so, and who waits for chunks is let go', async () => {
  class Breaking extends Origin {
    broken = false;
    protected override serve(request: IncomingMessage, response: ServerResponse): void {
      if (this.broken) return void request.socket.destroy();
      super.serve(request, response);
    }
  }
  const origin = new Breaking();
  const { open, reader } = await opening(origin);
  // The first chunk is there, and the others are yet to be asked for.
  reader.fault = async (load) => void (origin.broken = load === 1);
  await expect(open()).rejects.toMatchObject({ code: 'interrupted' });
  expect(reader.loads.map(({ outcome }) => outcome)).toEqual(['read']);
  origin.broken = false;
  await open();
  expect(reader.bytes(1).equals(BYTES)).toBe(true);
});

test('a disk that fills up half way ends the load with the download', async () => {
  const { open, reader } = await opening();
  let free: (() => void) | undefined;
  const full = open(undefined, ({ done }) => {
    if (done > 17 * PIECE) free ??= fillDisk('chunks');
  });
  await expect(full.finally(() => free?.())).rejects.toMatchObject({ code: 'no-room-left' });
  expect(reader.loads[0]?.outcome).toBe('read');
});

test('a file that is not the listed one is not opened, though it was loaded', async () => {
  const origin = new Origin();
  const { open, reader, rows } = await opening(origin, hub(origin, sha256(new Uint8Array(1))));
  await expect(open(HUB)).rejects.toMatchObject({ code: 'wrong-bytes' });
  expect(reader.loads.map(({ outcome }) => outcome)).not.toContain('loaded');
  expect(await rows()).toBe(0);
});

test('a chunk that was damaged on its way is mended, and what was loaded of it is loaded again', async () => {
  const damaged = Buffer.from(BYTES);
  damaged[20 * PIECE] = 0xff ^ (damaged[20 * PIECE] as number);
  const origin = new Origin();
  const { open, reader, events } = await opening(origin, hub(origin, sha256(BYTES)));
  origin.files.set('/m.gguf', damaged);
  await open(HUB, ({ phase }) => phase === 'repair' && origin.files.set('/m.gguf', Buffer.from(BYTES)));
  expect(events.map(({ phase }) => phase)).toContain('repair');
  expect(reader.loads.map(({ outcome }) => outcome)).toEqual(['freed', 'loaded']);
  expect(reader.bytes(0).equals(damaged)).toBe(true);
  expect(reader.bytes(1).equals(BYTES)).toBe(true);
});

test('a file that changes on its server is loaded anew, and the load of the former is ended', async () => {
  const { open, reader, origin } = await opening();
  const newer = Buffer.from(ggufBytes(41 * PIECE, 1));
  reader.fault = async (load) => void (load === 1 && origin.files.set('/m.gguf', newer));
  await open();
  expect(reader.loads.map(({ outcome }) => outcome)).toEqual(['read', 'loaded']);
  expect(reader.bytes(1).equals(newer)).toBe(true);
});

test.each(['device-lost', 'out-of-memory', 'gpu'])('a load that fails with %s while the download runs is made again from the store', async (code) => {
  const { open, reader } = await opening();
  const fails = vi.fn(async (load: number) => {
    if (load === 1) throw new MambaError({ code, message: 'lost', remedy: '', detail: '' } as never);
  });
  reader.fault = fails;
  await open();
  expect(reader.loads.map(({ outcome }) => outcome)).toEqual([code, 'loaded']);
  expect(reader.bytes(1).equals(BYTES)).toBe(true);
});

test('a load that hangs before its first weights holds up no download', async () => {
  const { open, reader, store, address } = await opening();
  reader.fault = () => new Promise(() => undefined);
  const url = address.kind === 'address' ? (address.urls[0] as string) : '';
  const opened = open();
  await vi.waitFor(async () => expect(await store.get(url)).toMatchObject({ complete: true }), 20_000);
  expect(reader.loads).toHaveLength(1);
  void opened.catch(() => undefined);
});

test('of a split set the first chunk of every part comes first, and the parts are loaded while they come', async () => {
  const { open, reader, origin } = await opening();
  const parts = [1, 2, 3].map((part) => Buffer.from(ggufBytes(17 * PIECE, part)));
  parts.forEach((bytes, index) => origin.files.set(`/m-0000${index + 1}-of-00003.gguf`, bytes));
  const urls = [1, 2, 3].map((part) => `${origin.url}m-0000${part}-of-00003.gguf`);
  let readBefore = 0;
  await open({ kind: 'address', name: 'm', urls }, ({ step, done, total }) => step === 'receive' && done < total && (readBefore = reader.loads[0]?.read.length ?? 0));
  expect(origin.requests.slice(0, 3)).toEqual([1, 2, 3].map((part) => `GET /m-0000${part}-of-00003.gguf bytes=0-${CHUNK - 1}`));
  expect(reader.loads).toHaveLength(1);
  expect(readBefore).toBeGreaterThanOrEqual(33);
  expect(reader.bytes(0).equals(Buffer.concat(parts))).toBe(true);
});
