/** The few browser interfaces that the store uses and Node lacks, and files to fill it with. */
import { createHash } from 'node:crypto';
import 'fake-indexeddb/auto';
import { openDatabase } from '../engine/src/store/database';
import type { DownloadLimits } from '../engine/src/store/download-job';
import type { Environment } from '../engine/src/store/environment';
import { IndexedChunkStore } from '../engine/src/store/indexed-chunk-store';
import type { ModelRecord, PartPlan } from '../engine/src/store/model-record';
import { ModelStore } from '../engine/src/store/model-store';
import { storedFiles } from '../engine/src/store/stored-file';

// Older Node has none; a browser without quota, persistence and locks is one that the page must live with anyway.
globalThis.navigator ??= {} as Navigator;

/**
 * Lets happen what nobody waits for. The turns of the event loop beside the time: on a busy machine the time is over before the
 * database has had the turns that its answers take.
 */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 25));
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A browser that gives pages no database, until it is told to. */
export function refuseDatabases(name = 'SecurityError'): () => void {
  const { open } = indexedDB;
  indexedDB.open = () => {
    throw new DOMException('refused', name);
  };
  return () => void (indexedDB.open = open);
}

/** A disk that is full: nothing is written to these stores until the function is called. */
export function fillDisk(...stores: string[]): () => void {
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...args: Parameters<typeof put>) {
    if (stores.includes(this.name)) throw new DOMException('full', 'QuotaExceededError');
    return put.apply(this, args);
  };
  return () => void (IDBObjectStore.prototype.put = put);
}

let databases = 0;

/** A store of its own for each test, and a count of everything in it, for "nothing is left behind". */
export async function emptyStore(): Promise<{ store: ModelStore; rows: () => Promise<number> }> {
  databases += 1;
  const database = await openDatabase(`test-${databases}`);
  const rows = async () => (await database.getAll('models')).length + (await database.getAll('chunks')).length;
  return { store: new ModelStore(new IndexedChunkStore(database)), rows };
}

/** `length` bytes that begin as a GGUF file does; no two chunks of them are alike. */
export function ggufBytes(length: number, version = 0): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8) * 13 + version * 31) % 251);
  bytes.set(new TextEncoder().encode('GGUF').subarray(0, length));
  return bytes;
}

/** Chunks small enough that a test file has many. */
export const CHUNK = 4096;

/** How many test milliseconds one real one is: pauses of minutes pass in a blink. */
const HASTE = 100;

export const LIMITS: DownloadLimits = {
  lanes: { start: 4, most: 6 },
  retries: { firstTries: 4, tries: 9, base: 500, longest: 30_000 },
  // 300 real milliseconds, in which a busy machine must let one piece pass.
  stall: { milliseconds: 300 * HASTE, bytes: 256 },
  wholeRate: Infinity,
};

export function hastyEnvironment(changes: Partial<Environment> = {}): Environment {
  const env: Environment = {
    fetch: (url, init) => fetch(url, init),
    now: () => performance.now() * HASTE,
    random: () => 0.5,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        const abort = () => (clearTimeout(timer), reject(signal.reason as Error));
        const timer = setTimeout(() => (signal.removeEventListener('abort', abort), resolve()), milliseconds / HASTE);
        signal.addEventListener('abort', abort, { once: true });
        if (signal.aborted) abort();
      }),
    rest: (milliseconds, signal) => env.sleep(milliseconds, signal),
    offline: () => false,
    estimate: async () => ({}),
    crossOrigin: () => false,
    ...changes,
  };
  return env;
}

/** What a manifest lists of a file. */
export function listed(bytes: Uint8Array, chunkBytes = CHUNK): Required<Pick<PartPlan, 'length' | 'sha256' | 'chunks'>> {
  const digests = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) digests.push(createHash('sha256').update(bytes.subarray(at, at + chunkBytes)).digest());
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), chunks: new Uint8Array(Buffer.concat(digests)) };
}

/** All bytes of a stored model, part after part. */
export async function allBytes(store: ModelStore, model: ModelRecord): Promise<Uint8Array[]> {
  const files = await storedFiles(store, model);
  return Promise.all(files.map((file) => file.read(0, file.length)));
}
