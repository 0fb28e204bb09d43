/**
 * The IndexedDB schema of what the engine keeps: one record per model, and its bytes in chunks; one record per checkpoint, and its state file. Chunk keys
 * are [model url, part, index].
 */
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { failure } from '../base/failure.ts';
import { BLOCKED_MILLISECONDS, IndexedDatabase, type DatabaseProblem } from '../base/indexed-database.ts';
import { tokenHash } from '../base/token-hash.ts';
import type { CheckpointRecord } from './checkpoint-record.ts';
import type { Chunk, ChunkKey } from './chunk-store.ts';
import type { ModelRecord } from './model-record.ts';

export const DATABASE_NAME = 'web-mamba';
const VERSION = 4;

export interface Schema extends DBSchema {
  models: { key: string; value: ModelRecord };
  chunks: { key: ChunkKey; value: Chunk };
  checkpoints: { key: string; value: CheckpointRecord; indexes: { model: string; url: string } };
  states: { key: string; value: Uint8Array };
}

/** The open database. */
export type Database = IndexedDatabase<Schema>;

const CODES = { closed: 'storage', silent: 'storage', newer: 'older-page', blocked: 'blocked', full: 'no-room-left' } as const;

export async function openDatabase(name = DATABASE_NAME, blockedMilliseconds = BLOCKED_MILLISECONDS): Promise<Database> {
  const failureOf = (problem: DatabaseProblem, detail?: string) => failure(CODES[problem], { missing: '' }, detail);
  const database: Database = new IndexedDatabase<Schema>({ name, version: VERSION, upgrade, blockedMilliseconds, failure: failureOf });
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
