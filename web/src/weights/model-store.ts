/** Models and their chunks in IndexedDB. Knows nothing of networks or files. */
import type { ChunkKey, Database, ModelRecord } from './database';

export class ModelStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The complete models, the one used last first. */
  async list(): Promise<ModelRecord[]> {
    const models = await this.#database.getAll('models');
    return models.filter((model) => model.complete).sort((a, b) => b.times.used - a.times.used);
  }

  /** The model, or undefined when it is absent or incomplete. */
  async find(url: string): Promise<ModelRecord | undefined> {
    const model = await this.#database.get('models', url);
    return model?.complete ? model : undefined;
  }

  /** Notes that the model was opened now. */
  async touch(model: ModelRecord): Promise<void> {
    await this.#database.put('models', { ...model, times: { ...model.times, used: Date.now() } });
  }

  /** Stores one chunk; with `model`, also its record, in the same transaction. */
  async putChunk(key: ChunkKey, bytes: Uint8Array, model?: ModelRecord): Promise<void> {
    const transaction = this.#database.transaction(['models', 'chunks'], 'readwrite');
    const writes: Promise<unknown>[] = [transaction.objectStore('chunks').put(bytes, key)];
    if (model) writes.push(transaction.objectStore('models').put(model));
    await Promise.all([...writes, transaction.done]);
  }

  async chunk(key: ChunkKey): Promise<Uint8Array | undefined> {
    return this.#database.get('chunks', key);
  }

  /** Deletes everything of one model. */
  async remove(url: string): Promise<void> {
    const transaction = this.#database.transaction(['models', 'chunks'], 'readwrite');
    await Promise.all([
      transaction.objectStore('models').delete(url),
      transaction.objectStore('chunks').delete(chunksOf(url)),
      transaction.done,
    ]);
  }

  /** Deletes what downloads that never ended left behind. Call only while no other download runs. */
  async removeIncomplete(): Promise<void> {
    const complete = new Set((await this.list()).map((model) => model.url));
    const keys = await this.#database.getAllKeys('chunks');
    const urls = new Set([...(await this.#database.getAllKeys('models')), ...keys.map(([url]) => url)]);
    for (const url of urls) if (!complete.has(url)) await this.remove(url);
  }
}

/** All chunk keys of one model: an array sorts after every number, so `[url, []]` is above `[url, part, index]`. */
function chunksOf(url: string): IDBKeyRange {
  return IDBKeyRange.bound([url], [url, []]);
}
