/** Which chunks of a download are in the store, for a reader who waits for them. */
import { failure } from '../base/failure.ts';
import type { Chunk } from './chunk-store.ts';
import { chunkCount, hasChunk, type ModelRecord } from './model-record.ts';

/**
 * Chunks that are handed on as they come, beside the one that is waited for: to read one back from a store that is being written to takes
 * long, and has the writers wait. Several come at about the same time, in any order.
 */
const MOST_AHEAD = 3;

export class Arrivals {
  readonly #stored: Set<number>[];
  readonly #ended = new AbortController();
  /** Stored chunks that may be asked for next, by part and index. */
  readonly #ahead = new Map<string, Chunk>();
  /** The chunk that was asked for last. */
  #next: { part: number; index: number } | undefined;
  /** Called at every chunk that is stored, and at the end. */
  readonly #waiting = new Set<() => void>();

  constructor({ parts, chunkBytes }: ModelRecord) {
    // Of its own: a record says of a chunk that it is there before the store has it.
    this.#stored = parts.map((part) => new Set(Array.from({ length: chunkCount(part, chunkBytes) }, (_, index) => index).filter((index) => hasChunk(part, index))));
  }

  /** Aborts when the download or its reader has failed, and when a chunk that may have been read was replaced: then what was read is of no use. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Only where someone reads are chunks held. */
  stored(part: number, index: number, chunk: Chunk): void {
    this.#stored[part]?.add(index);
    const isNext = this.#next?.part === part && this.#next.index === index;
    if (this.#next && !this.signal.aborted && (isNext || this.#ahead.size < MOST_AHEAD)) this.#ahead.set(`${part} ${index}`, chunk);
    this.#wake();
  }

  end(): void {
    this.#ended.abort();
    this.#ahead.clear();
    this.#wake();
  }

  /** Resolves when the chunk is in the store; with it where it came just now. */
  async chunk(part: number, index: number): Promise<Chunk | undefined> {
    this.#next = { part, index };
    while (!this.#stored[part]?.has(index)) {
      if (this.signal.aborted) throw failure('read', {}, 'the download has ended');
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    const chunk = this.#ahead.get(`${part} ${index}`);
    this.#ahead.delete(`${part} ${index}`);
    return chunk;
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
