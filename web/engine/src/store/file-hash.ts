/** SHA-256 of a whole part while its chunks arrive in any order: hashes what has no gap before it, and reads the rest from the store. */
import type { Chunk } from './chunk-store.ts';
import { hasChunk, type PartRecord } from './model-record.ts';
import { StreamedSha256 } from './sha256.ts';

export async function bytesOf(chunk: Chunk): Promise<Uint8Array<ArrayBuffer>> {
  return chunk instanceof Blob ? new Uint8Array(await chunk.arrayBuffer()) : (chunk as Uint8Array<ArrayBuffer>);
}

export class FileHash {
  #running: Promise<void> | undefined;
  #ended = false;

  private constructor(
    private hasher: StreamedSha256,
    private chunks: number,
    private readonly part: PartRecord,
    private readonly read: (index: number) => Promise<Uint8Array>,
  ) {}

  /** Goes on where the record's state ends. */
  static async of(part: PartRecord, read: (index: number) => Promise<Uint8Array>): Promise<FileHash> {
    const kept = part.hash ? await StreamedSha256.resume(part.hash.state) : undefined;
    return new FileHash(kept ?? (await StreamedSha256.start()), kept ? (part.hash?.chunks ?? 0) : 0, part, read);
  }

  /** Null once the digest was taken. */
  state(): PartRecord['hash'] {
    return this.#ended ? null : { chunks: this.chunks, state: this.hasher.save() };
  }

  get hashed(): number {
    return this.chunks;
  }

  /** Takes a chunk that arrived just now, if it is the next one; else it will be read from the store later. */
  offer(index: number, bytes: Uint8Array): void {
    if (this.#running || index !== this.chunks) return;
    this.hasher.update(bytes);
    this.chunks += 1;
  }

  /** Hashes on through the store as far as there is no gap. */
  async catchUp(signal: AbortSignal, onChunk: () => void = () => undefined): Promise<void> {
    await (this.#running ??= this.#run(signal, onChunk).finally(() => (this.#running = undefined)));
  }

  /** The digest in hexadecimal, when every chunk has been hashed. */
  digest(): string {
    this.#ended = true;
    return this.hasher.digest();
  }

  async #run(signal: AbortSignal, onChunk: () => void): Promise<void> {
    while (hasChunk(this.part, this.chunks)) {
      signal.throwIfAborted();
      const bytes = await this.read(this.chunks);
      this.hasher.update(bytes);
      this.chunks += 1;
      onChunk();
    }
  }
}
