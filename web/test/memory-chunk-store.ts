/** Records and chunks in the memory of the test, as another storage than IndexedDB would keep them. */
import type { Change, Chunk, ChunkKey, ChunkStore } from '../engine/src/store/chunk-store';
import type { ModelRecord } from '../engine/src/store/model-record';

export class MemoryChunkStore implements ChunkStore {
  readonly #records = new Map<string, ModelRecord>();
  readonly #chunks = new Map<string, { key: ChunkKey; chunk: Chunk }>();

  get rows(): number {
    return this.#records.size + this.#chunks.size;
  }

  async records(): Promise<ModelRecord[]> {
    return structuredClone([...this.#records.values()]);
  }

  async record(url: string): Promise<ModelRecord | undefined> {
    return structuredClone(this.#records.get(url));
  }

  async chunk(key: ChunkKey): Promise<Chunk | undefined> {
    return structuredClone(this.#chunks.get(JSON.stringify(key))?.chunk);
  }

  async change(changes: readonly Change[]): Promise<void> {
    // Copied before anything is changed: what cannot be copied changes nothing.
    for (const change of structuredClone(changes)) this.#apply(change);
  }

  async edit(url: string, edit: (record: ModelRecord) => ModelRecord): Promise<void> {
    const record = this.#records.get(url);
    if (record) await this.change([{ put: 'record', record: edit(structuredClone(record)) }]);
  }

  #apply(change: Change): void {
    if ('put' in change) {
      if (change.put === 'record') this.#records.set(change.record.url, change.record);
      else this.#chunks.set(JSON.stringify(change.key), { key: change.key, chunk: change.chunk });
    } else if (change.delete === 'record') {
      this.#records.delete(change.url);
    } else {
      const { url, part } = change;
      const gone = [...this.#chunks].filter(([, { key }]) => key[0] === url && (part === undefined || key[1] === part));
      for (const [name] of gone) this.#chunks.delete(name);
    }
  }
}
