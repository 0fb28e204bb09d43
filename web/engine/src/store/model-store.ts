/** Models and their chunks in IndexedDB. Knows nothing of networks or files. */
import type { IDBPObjectStore } from 'idb';
import type { Failure } from '../base/failure';
import type { Chunk, ChunkKey, Database, Schema } from './database';
import type { ModelRecord } from './model-record';

export class ModelStore {
  readonly #database: Database;
  /** Whether this browser has refused to store a Blob; bytes always work. */
  #blobsRefused = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Every model, complete or not, the one used last first. */
  async list(): Promise<ModelRecord[]> {
    const models = await this.#database.getAll('models');
    return models.sort((a, b) => b.times.used - a.times.used);
  }

  /** The model, or undefined when it is absent or incomplete. */
  async find(url: string): Promise<ModelRecord | undefined> {
    const model = await this.get(url);
    return model?.complete ? model : undefined;
  }

  /** The model, complete or not. */
  async get(url: string): Promise<ModelRecord | undefined> {
    return this.#database.get('models', url);
  }

  async put(model: ModelRecord): Promise<void> {
    await this.#database.put('models', model);
  }

  /** Notes that the model was opened now. */
  async touch(url: string): Promise<void> {
    await this.#database.transact(['models'], async (transaction) => {
      const models = transaction.objectStore('models');
      const model = await models.get(url);
      if (model) await models.put({ ...model, times: { ...model.times, used: Date.now() } });
    });
  }

  /** Stores one chunk, and in the same transaction the record that says so. */
  async putChunk(key: ChunkKey, chunk: Chunk, model: ModelRecord): Promise<void> {
    if (!(chunk instanceof Blob)) return this.#write(key, chunk, model);
    if (!this.#blobsRefused) {
      try {
        return await this.#write(key, chunk, model);
      } catch (thrown) {
        // Some browsers store no Blobs in private windows. A full disk is another matter.
        if ((thrown as Failure).code === 'no-room-left') throw thrown;
        this.#blobsRefused = true;
      }
    }
    return this.#write(key, new Uint8Array(await chunk.arrayBuffer()), model);
  }

  async chunk(key: ChunkKey): Promise<Chunk | undefined> {
    return this.#database.get('chunks', key);
  }

  /** Deletes everything of one model. */
  async remove(url: string): Promise<void> {
    await this.#change((models, chunks) => [models.delete(url), chunks.delete(chunksOf(url))]);
  }

  /** Deletes the model's chunks and puts a fresh record in place of the old, in one transaction. */
  async restart(model: ModelRecord): Promise<void> {
    await this.#change((models, chunks) => [models.put(model), chunks.delete(chunksOf(model.url))]);
  }

  /** Deletes the chunks of one part; the record says that they are gone. */
  async dropPart(model: ModelRecord, part: number): Promise<void> {
    await this.#change((models, chunks) => [models.put(model), chunks.delete(IDBKeyRange.bound([model.url, part], [model.url, part, []]))]);
  }

  async #write(key: ChunkKey, chunk: Chunk, model: ModelRecord): Promise<void> {
    await this.#change((models, chunks) => [chunks.put(chunk, key), models.put(model)]);
  }

  /** Both stores in one transaction. */
  async #change(requests: (models: Store<'models'>, chunks: Store<'chunks'>) => Promise<unknown>[]): Promise<void> {
    await this.#database.transact(['models', 'chunks'], (transaction) =>
      Promise.all(requests(transaction.objectStore('models'), transaction.objectStore('chunks'))));
  }
}

type Store<Name extends 'models' | 'chunks'> = IDBPObjectStore<Schema, ('models' | 'chunks')[], Name, 'readwrite'>;

/** All chunk keys of one model: an array sorts after every number, so `[url, []]` is above `[url, part, index]`. */
function chunksOf(url: string): IDBKeyRange {
  return IDBKeyRange.bound([url], [url, []]);
}
