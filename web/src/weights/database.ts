/**
 * The IndexedDB schema of what the engine keeps: one record per model, and its bytes in chunks; one record per checkpoint, and its state file. Chunk keys
 * are [model url, part, index].
 */
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { BLOCKED_MILLISECONDS, IndexedDatabase } from '../app/indexed-database';
import type { CheckpointRecord } from '../state/state-store';
import { tokenHash } from '../state/token-hash';
import type { ModelRecord } from './model-record';

export const DATABASE_NAME = 'web-mamba';
const VERSION = 4;

export type ChunkKey = [url: string, part: number, index: number];

/** A Blob where the browser received one as a whole: it is written and sliced without a copy in the page. */
export type Chunk = Uint8Array | Blob;

export interface Schema extends DBSchema {
  models: { key: string; value: ModelRecord };
  chunks: { key: ChunkKey; value: Chunk };
  checkpoints: { key: string; value: CheckpointRecord; indexes: { model: string; url: string } };
  states: { key: string; value: Uint8Array };
}

/** The open database. */
export type Database = IndexedDatabase<Schema>;

export async function openDatabase(name = DATABASE_NAME, patience = BLOCKED_MILLISECONDS): Promise<Database> {
  const codes = { closed: 'storage', silent: 'storage', newer: 'older-page', blocked: 'blocked', full: 'no-room-left' } as const;
  const database: Database = new IndexedDatabase<Schema>({ name, version: VERSION, upgrade, patience, codes });
  await database.use(async () => undefined);
  return database;
}

type Upgrade = IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>;

function upgrade(database: IDBPDatabase<Schema>, oldVersion: number, transaction: Upgrade): void | Promise<void> {
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
  if (oldVersion === 3) return withoutTokens(transaction);
}

/** Records of version 3 held every token, so that finding one read them all. */
async function withoutTokens(transaction: Upgrade): Promise<void> {
  for (let cursor = await transaction.objectStore('checkpoints').openCursor(); cursor; cursor = await cursor.continue()) {
    const { tokens, ...record } = cursor.value as CheckpointRecord & { tokens: Uint32Array };
    await cursor.update({ ...record, length: tokens.length, hash: tokenHash(tokens) });
  }
}
