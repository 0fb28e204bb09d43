/** The IndexedDB schema: one record per model, and its bytes in chunks. Chunk keys are [model url, part, index]. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { failure } from '../app/failure';

export const DATABASE_NAME = 'web-mamba';
const VERSION = 1;

/** One file of a model; a model that is not split has one. */
export interface PartRecord {
  name: string;
  url: string;
  /** Bytes. */
  length: number;
  etag: string | null;
  chunkCount: number;
}

export interface ModelRecord {
  /** The address of the first part, or `file:…` for a local file: the key. */
  url: string;
  name: string;
  /** Bytes of all parts. */
  length: number;
  /** Of the first part. */
  etag: string | null;
  chunkCount: number;
  /** Set in the transaction that stores the last chunk, and never before: only then does the model count. */
  complete: boolean;
  parts: PartRecord[];
  /** Milliseconds since 1970. */
  times: { stored: number; used: number };
}

export type ChunkKey = [url: string, part: number, index: number];

export interface Schema extends DBSchema {
  models: { key: string; value: ModelRecord };
  chunks: { key: ChunkKey; value: Uint8Array };
}

export type Database = IDBPDatabase<Schema>;

export async function openDatabase(name = DATABASE_NAME): Promise<Database> {
  try {
    return await openDB<Schema>(name, VERSION, {
      upgrade(database) {
        database.createObjectStore('models', { keyPath: 'url' });
        database.createObjectStore('chunks');
      },
      // Another tab wants a newer schema: give way at once rather than hold it up.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
  } catch (cause) {
    throw failure('storage', {}, String(cause));
  }
}
