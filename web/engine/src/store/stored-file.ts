/** Reads byte ranges of one stored file: the engine's `ByteSource` over chunks, or over a file that is read in place. */
import { failure } from '../base/failure.ts';
import type { ByteSource } from '../base/wasm-engine.ts';
import type { Arrivals } from './arrivals.ts';
import type { Chunk } from './chunk-store.ts';
import { hasChunk, type ModelRecord, type PartRecord } from './model-record.ts';
import { fileKey } from './model-source.ts';
import type { ModelStore } from './model-store.ts';

/** Chunks that are kept until all of their bytes were read: several ranks read at several places, and each would fetch its chunk again. */
const MOST_KEPT = 4;

interface Kept {
  chunk: Promise<Chunk>;
  /** Bytes of it that were read so far. */
  read: number;
}

export class StoredFile implements ByteSource {
  readonly name: string;
  readonly length: number;
  /** Chunks of which some was read and some not, by index, the one asked for last at the end. */
  readonly #kept = new Map<number, Kept>();

  constructor(
    private readonly store: ModelStore,
    private readonly model: ModelRecord,
    private readonly part: number,
    record: PartRecord,
    /** Ends a load between two reads. */
    private readonly signal: AbortSignal | undefined,
    /** Of a model that is still being downloaded: reads wait until what they ask for is stored. */
    private readonly arrivals?: Arrivals,
  ) {
    this.name = record.name;
    this.length = record.length ?? 0;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.signal?.throwIfAborted();
    checkRange(this, offset, length);
    const first = await this.#piece(offset, length);
    // What lies in one chunk needs no copy.
    if (first.length === length) return first;
    const result = new Uint8Array(length);
    result.set(first);
    for (let done = first.length; done < length;) {
      const piece = await this.#piece(offset + done, length - done);
      result.set(piece, done);
      done += piece.length;
    }
    return result;
  }

  /** The bytes from `offset` on that lie in its chunk, at most `length`. */
  async #piece(offset: number, length: number): Promise<Uint8Array> {
    const { chunkBytes } = this.model;
    const index = Math.floor(offset / chunkBytes);
    const start = offset % chunkBytes;
    const kept = this.#chunk(index);
    kept.read += Math.min(length, chunkBytes - start);
    const chunk = await kept.chunk;
    const piece = await slice(chunk, start, start + length);
    // A reader goes forwards: what was read once is not asked for again.
    if (kept.read >= Math.min(chunkBytes, this.length - index * chunkBytes) && this.#kept.get(index) === kept) this.#kept.delete(index);
    if (piece.length === 0 && length > 0) throw failure('read', {}, `a chunk of ${this.name} is shorter than its record says`);
    return piece;
  }

  #chunk(index: number): Kept {
    const kept = this.#kept.get(index) ?? { chunk: this.#stored(index), read: 0 };
    this.#kept.delete(index);
    this.#kept.set(index, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
    return kept;
  }

  async #stored(index: number): Promise<Chunk> {
    const arrived = await this.arrivals?.chunk(this.part, index);
    this.signal?.throwIfAborted();
    if (arrived) return arrived;
    const chunk = await this.store.chunk([this.model.url, this.part, index]);
    if (!chunk) throw failure('read', {}, `chunk ${index} of ${this.name} is missing`);
    return chunk;
  }
}

/** A file of this computer that is read where it is. */
export class FileInPlace implements ByteSource {
  constructor(
    private readonly file: File,
    readonly length: number,
    private readonly signal?: AbortSignal,
  ) {}

  get name(): string {
    return this.file.name;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.signal?.throwIfAborted();
    checkRange(this, offset, length);
    const bytes = await this.file.slice(offset, offset + length).arrayBuffer().catch((cause: unknown) => {
      throw failure('file-read', { name: this.name }, String(cause));
    });
    if (bytes.byteLength !== length) throw failure('file-read', { name: this.name }, `${bytes.byteLength} of ${length} bytes`);
    return new Uint8Array(bytes);
  }
}

/** A source for each part of a model, in order; with `arrivals`, of one that is being downloaded, whose parts' lengths are known. */
export async function storedFiles(store: ModelStore, model: ModelRecord, signal?: AbortSignal, arrivals?: Arrivals): Promise<ByteSource[]> {
  const { handles } = model;
  if (!handles) return model.parts.map((record, part) => new StoredFile(store, model, part, record, signal, arrivals));
  return Promise.all(
    model.parts.map(async (record, part) => {
      const file = await handles[part]?.getFile().catch((cause: unknown) => {
        const refused = (cause as Error).name === 'NotAllowedError';
        throw failure(refused ? 'file-permission' : 'file-read', { name: record.name }, String(cause));
      });
      // Its key says name, size and date.
      if (!file || fileKey(file) !== record.url) throw failure('file-read', { name: record.name }, `it has ${file?.size} bytes, of ${file?.lastModified}`);
      return new FileInPlace(file, file.size, signal);
    }),
  );
}

/** Every chunk of a part in order, as it is stored: for verification and export. */
export async function* storedChunks(store: ModelStore, model: ModelRecord, part: number): AsyncGenerator<{ index: number; chunk: Chunk | undefined }> {
  const record = model.parts[part] as PartRecord;
  for (let index = 0; index * model.chunkBytes < (record.length ?? 0); index += 1) {
    yield { index, chunk: hasChunk(record, index) ? await store.chunk([model.url, part, index]) : undefined };
  }
}

function checkRange({ name, length: whole }: ByteSource, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > whole) {
    throw failure('read', {}, `bytes ${offset} to ${offset + length} of ${name}, which has ${whole}`);
  }
}

async function slice(chunk: Chunk, start: number, end: number): Promise<Uint8Array> {
  // Its own bytes, because readers may hand theirs on, and the chunk is kept.
  if (!(chunk instanceof Blob)) return chunk.slice(start, end);
  try {
    return new Uint8Array(await chunk.slice(start, end).arrayBuffer());
  } catch (cause) {
    throw failure('read', {}, String(cause));
  }
}
