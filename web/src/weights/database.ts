/**
 * The IndexedDB schema: one record per model, and its bytes in chunks; one record per checkpoint, and its state file. Chunk keys
 * are [model url, part, index].
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { Failure, failure } from '../app/failure';
import type { CheckpointRecord } from '../state/state-store';
import type { ModelRecord } from './model-record';

export const DATABASE_NAME = 'web-mamba';
const VERSION = 3;

export type ChunkKey = [url: string, part: number, index: number];

/** A Blob where the browser received one as a whole: it is written and sliced without a copy in the page. */
export type Chunk = Uint8Array | Blob;

export interface Schema extends DBSchema {
  models: { key: string; value: ModelRecord };
  chunks: { key: ChunkKey; value: Chunk };
  checkpoints: { key: string; value: CheckpointRecord; indexes: { model: string; url: string } };
  states: { key: string; value: Uint8Array };
}

type Connection = IDBPDatabase<Schema>;

/** An older tab that does not give way for so long has to be closed by its visitor. */
const BLOCKED_MILLISECONDS = 10_000;

/** The open database. Browsers close it when they clear the site's data or run short of room; it is opened again by the next use. */
export class Database {
  #connection: Promise<Connection> | undefined;

  constructor(
    private readonly name: string,
    private readonly patience: number,
  ) {}

  /** Runs `work`, which may be run twice where the first connection turns out to be closed. What the database throws becomes `storage` or `no-room-left`. */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const connecting = (this.#connection ??= this.#connect());
      try {
        return await work(await connecting);
      } catch (thrown) {
        const { name } = thrown as Error;
        if (this.#connection === connecting && (thrown instanceof Failure || name === 'InvalidStateError')) this.#connection = undefined;
        if (name === 'InvalidStateError' && tries === 1) continue;
        if (name === 'QuotaExceededError') throw failure('no-room-left', { missing: '' }, String(thrown));
        // A transaction that the browser aborts is no wish of the visitor's.
        throw name === 'InvalidStateError' || name === 'AbortError' ? failure('storage', {}, String(thrown)) : thrown;
      }
    }
  }

  readonly get: Connection['get'] = (...args) => this.use((connection) => connection.get(...args));
  readonly getAll: Connection['getAll'] = (...args) => this.use((connection) => connection.getAll(...args));
  readonly getAllFromIndex: Connection['getAllFromIndex'] = (...args) => this.use((connection) => connection.getAllFromIndex(...args));
  readonly put: Connection['put'] = (...args) => this.use((connection) => connection.put(...args));
  readonly count: Connection['count'] = (...args) => this.use((connection) => connection.count(...args));

  async #connect(): Promise<Connection> {
    let blocked: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const opening = openDB<Schema>(this.name, VERSION, {
          upgrade,
          blocked: () => (blocked = setTimeout(() => {
            reject(failure('blocked'));
            // It may open later, when nobody waits for it any more.
            void opening.then((late) => late.close());
          }, this.patience)),
          // Another tab wants a newer schema: give way at once rather than hold it up.
          blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
          terminated: () => (this.#connection = undefined),
        });
        opening.then(resolve, reject);
      });
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      throw failure((cause as Error).name === 'VersionError' ? 'older-page' : 'storage', {}, String(cause));
    } finally {
      clearTimeout(blocked);
    }
  }
}

export async function openDatabase(name = DATABASE_NAME, patience = BLOCKED_MILLISECONDS): Promise<Database> {
  const database = new Database(name, patience);
  await database.use(async () => undefined);
  return database;
}

function upgrade(database: Connection, oldVersion: number): void {
  // Version 1 was never released, and its records do not say which chunks are there.
  if (oldVersion === 1) for (const store of [...database.objectStoreNames]) database.deleteObjectStore(store);
  if (oldVersion < 2) {
    database.createObjectStore('models', { keyPath: 'url' });
    database.createObjectStore('chunks');
  }
  if (oldVersion < 3) {
    const checkpoints = database.createObjectStore('checkpoints', { keyPath: 'id' });
    checkpoints.createIndex('model', 'model');
    checkpoints.createIndex('url', 'url');
    database.createObjectStore('states');
  }
}
