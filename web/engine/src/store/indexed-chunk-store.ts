/** Records and chunks in IndexedDB. */
import type { IDBPObjectStore } from 'idb';
import type { MambaError } from '../base/failure.ts';
import type { Change, Chunk, ChunkKey, ChunkStore } from './chunk-store.ts';
import type { Database, Schema } from './database.ts';
import type { ModelRecord } from './model-record.ts';

type Store<Name extends 'models' | 'chunks'> = IDBPObjectStore<Schema, ('models' | 'chunks')[], Name, 'readwrite'>;

export class IndexedChunkStore implements ChunkStore {
  /** Whether this browser has refused to store a Blob; bytes always work. */
  #blobsRefused = false;

  constructor(private readonly database: Database) {}

  records(): Promise<ModelRecord[]> {
    return this.database.getAll('models');
  }

  record(url: string): Promise<ModelRecord | undefined> {
    return this.database.get('models', url);
  }

  chunk(key: ChunkKey): Promise<Chunk | undefined> {
    return this.database.get('chunks', key);
  }

  async change(changes: readonly Change[]): Promise<void> {
    if (!changes.some(hasBlob)) return this.#write(changes);
    if (!this.#blobsRefused) {
      try {
        return await this.#write(changes);
      } catch (thrown) {
        // Some browsers store no Blobs in private windows. A full disk is another matter.
        if ((thrown as MambaError).code === 'no-room-left') throw thrown;
        this.#blobsRefused = true;
      }
    }
    return this.#write(await Promise.all(changes.map(withBytes)));
  }

  async edit(url: string, edit: (record: ModelRecord) => ModelRecord): Promise<void> {
    await this.database.transact(['models'], async (transaction) => {
      const models = transaction.objectStore('models');
      const record = await models.get(url);
      if (record) await models.put(edit(record));
    });
  }

  async #write(changes: readonly Change[]): Promise<void> {
    const names: ('models' | 'chunks')[] = changes.every(isOfRecord) ? ['models'] : ['models', 'chunks'];
    // Each is a promise from the start, so that all of them are heard where one throws at once.
    await this.database.transact(names, (transaction) =>
      Promise.all(changes.map(async (change): Promise<unknown> => {
        if (isOfRecord(change)) return writeRecord(transaction.objectStore('models'), change);
        return writeChunks(transaction.objectStore('chunks'), change);
      })));
  }
}

type RecordChange = Extract<Change, { put: 'record' } | { delete: 'record' }>;

function isOfRecord(change: Change): change is RecordChange {
  return ('put' in change ? change.put : change.delete) === 'record';
}

function writeRecord(models: Store<'models'>, change: RecordChange): Promise<unknown> {
  return 'put' in change ? models.put(change.record) : models.delete(change.url);
}

function writeChunks(chunks: Store<'chunks'>, change: Exclude<Change, RecordChange>): Promise<unknown> {
  return 'put' in change ? chunks.put(change.chunk, change.key) : chunks.delete(chunksOf(change));
}

function hasBlob(change: Change): boolean {
  return 'put' in change && change.put === 'chunk' && change.chunk instanceof Blob;
}

async function withBytes(change: Change): Promise<Change> {
  if (!('put' in change) || change.put !== 'chunk' || !(change.chunk instanceof Blob)) return change;
  return { ...change, chunk: new Uint8Array(await change.chunk.arrayBuffer()) };
}

/** All chunk keys of one model, or one part: an array sorts after every number, so `[url, []]` is above `[url, part, index]`. */
function chunksOf({ url, part }: { url: string; part?: number }): IDBKeyRange {
  const prefix = part === undefined ? [url] : [url, part];
  return IDBKeyRange.bound(prefix, [...prefix, []]);
}
