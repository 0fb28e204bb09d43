/** Cuts one incoming file into chunks and stores each as it fills, so that one chunk at most is held here. */
import type { ModelRecord, PartRecord } from './database';
import type { ModelStore } from './model-store';

export const CHUNK_BYTES = 16 * 1024 * 1024;

export class ChunkWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #index = 0;
  #length = 0;

  constructor(
    private readonly store: ModelStore,
    private readonly url: string,
    private readonly part: number,
    private readonly chunkBytes = CHUNK_BYTES,
  ) {
    this.#buffer = new Uint8Array(chunkBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Chunks that the file has so far, the one being filled included. */
  get chunkCount(): number {
    return this.#index + (this.#filled > 0 ? 1 : 0);
  }

  /** A full chunk is kept until more bytes come, so that {@link finish} always has a last chunk to store. */
  async write(bytes: Uint8Array): Promise<void> {
    let taken = 0;
    while (taken < bytes.length) {
      if (this.#filled === this.chunkBytes) await this.#flush();
      const piece = bytes.subarray(taken, taken + this.chunkBytes - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      this.#length += piece.length;
      taken += piece.length;
    }
  }

  /** Stores the last chunk, and in its transaction the record that makes the model count, when one is given. */
  async finish(model?: ModelRecord): Promise<void> {
    await this.store.putChunk([this.url, this.part, this.#index], this.#buffer.slice(0, this.#filled), model);
  }

  /** The record of this file. */
  record(file: Pick<PartRecord, 'name' | 'url' | 'etag'>): PartRecord {
    return { ...file, length: this.#length, chunkCount: this.chunkCount };
  }

  async #flush(): Promise<void> {
    // Put copies the bytes, so the buffer can be filled again.
    await this.store.putChunk([this.url, this.part, this.#index], this.#buffer);
    this.#index += 1;
    this.#filled = 0;
  }
}
