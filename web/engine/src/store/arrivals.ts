/** Which chunks of a download are in the store, for a reader who waits for them. */
import { failure } from '../base/failure.ts';
import { chunkCount, hasChunk, type ModelRecord } from './model-record.ts';

export class Arrivals {
  readonly #stored: Set<number>[];
  readonly #ended = new AbortController();
  /** Called at every chunk that is stored, and at the end. */
  readonly #waiting = new Set<() => void>();

  constructor({ parts, chunkBytes }: ModelRecord) {
    // Of its own: a record says of a chunk that it is there before the store has it.
    this.#stored = parts.map((part) => new Set(Array.from({ length: chunkCount(part, chunkBytes) }, (_, index) => index).filter((index) => hasChunk(part, index))));
  }

  /** Aborts when the download has failed, and when a chunk that may have been read was replaced: then what was read is of no use. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  stored(part: number, index: number): void {
    this.#stored[part]?.add(index);
    this.#wake();
  }

  end(): void {
    this.#ended.abort();
    this.#wake();
  }

  /** Resolves when the chunk is in the store. */
  async chunk(part: number, index: number): Promise<void> {
    while (!this.#stored[part]?.has(index)) {
      if (this.signal.aborted) throw failure('read', {}, 'the download has ended');
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
