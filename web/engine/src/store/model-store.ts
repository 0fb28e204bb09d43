/** Models and their chunks, wherever these are kept. Knows nothing of networks or files. */
import type { Chunk, ChunkKey, ChunkStore } from './chunk-store.ts';
import type { ModelRecord } from './model-record.ts';

export class ModelStore {
  constructor(private readonly kept: ChunkStore) {}

  /** Every model, complete or not, the one used last first. */
  async list(): Promise<ModelRecord[]> {
    const models = await this.kept.records();
    return models.sort((a, b) => b.times.used - a.times.used);
  }

  /** The model, or undefined when it is absent or incomplete. */
  async find(url: string): Promise<ModelRecord | undefined> {
    const model = await this.get(url);
    return model?.complete ? model : undefined;
  }

  /** The model, complete or not. */
  async get(url: string): Promise<ModelRecord | undefined> {
    return this.kept.record(url);
  }

  async put(record: ModelRecord): Promise<void> {
    await this.kept.change([{ put: 'record', record }]);
  }

  /** Notes that the model was opened now. */
  async touch(url: string): Promise<void> {
    await this.kept.edit(url, (model) => ({ ...model, times: { ...model.times, used: Date.now() } }));
  }

  /** Stores one chunk, and together with it the record that says so. */
  async putChunk(key: ChunkKey, chunk: Chunk, record: ModelRecord): Promise<void> {
    await this.kept.change([{ put: 'chunk', key, chunk }, { put: 'record', record }]);
  }

  async chunk(key: ChunkKey): Promise<Chunk | undefined> {
    return this.kept.chunk(key);
  }

  /** Deletes everything of one model. */
  async remove(url: string): Promise<void> {
    await this.kept.change([{ delete: 'record', url }, { delete: 'chunks', url }]);
  }

  /** Deletes the model's chunks and puts a fresh record in place of the old, at once. */
  async restart(record: ModelRecord): Promise<void> {
    await this.kept.change([{ put: 'record', record }, { delete: 'chunks', url: record.url }]);
  }

  /** Deletes the chunks of one part; the record says that they are gone. */
  async dropPart(record: ModelRecord, part: number): Promise<void> {
    await this.kept.change([{ put: 'record', record }, { delete: 'chunks', url: record.url, part }]);
  }
}
