/**
 * The IndexedDB schema: one record per model, and its bytes in chunks; one record per checkpoint, and its state file. Chunk keys
 * are [model url, part, index].
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { failure } from '../app/failure';
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

export type Database = IDBPDatabase<Schema>;

export async function openDatabase(name = DATABASE_NAME): Promise<Database> {
  try {
    return await openDB<Schema>(name, VERSION, {
      upgrade(database, oldVersion) {
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
      },
      // Another tab wants a newer schema: give way at once rather than hold it up.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
  } catch (cause) {
    throw failure('storage', {}, String(cause));
  }
}
