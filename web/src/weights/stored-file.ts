/** Reads byte ranges of one stored file: the engine's `ByteSource` over chunks. */
import { failure } from '../app/failure';
import type { ByteSource } from '../engine/protocol';
import type { ModelRecord, PartRecord } from './database';
import type { ModelStore } from './model-store';

export class StoredFile implements ByteSource {
  readonly name: string;
  readonly length: number;
  /** The chunk read last: a header is read in many small pieces, tensors in order. */
  #cached: { index: number; bytes: Uint8Array } | undefined;
  readonly #chunkBytes: number;

  constructor(
    private readonly store: ModelStore,
    private readonly url: string,
    private readonly part: number,
    record: PartRecord,
    chunkBytes: number,
  ) {
    this.name = record.name;
    this.length = record.length;
    this.#chunkBytes = chunkBytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.length) {
      throw failure('read', {}, `bytes ${offset} to ${offset + length} of ${this.name}, which has ${this.length}`);
    }
    const result = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const position = offset + done;
      const chunk = await this.#chunk(Math.floor(position / this.#chunkBytes));
      const start = position % this.#chunkBytes;
      const piece = chunk.subarray(start, start + length - done);
      if (piece.length === 0) throw failure('read', {}, `a chunk of ${this.name} is shorter than its record says`);
      result.set(piece, done);
      done += piece.length;
    }
    return result;
  }

  async #chunk(index: number): Promise<Uint8Array> {
    if (this.#cached?.index === index) return this.#cached.bytes;
    const bytes = await this.store.chunk([this.url, this.part, index]);
    if (!bytes) throw failure('read', {}, `chunk ${index} of ${this.name} is missing`);
    this.#cached = { index, bytes };
    return bytes;
  }
}

/** A source for each part of a stored model, in order. */
export function storedFiles(store: ModelStore, model: ModelRecord, chunkBytes: number): StoredFile[] {
  return model.parts.map((record, part) => new StoredFile(store, model.url, part, record, chunkBytes));
}
