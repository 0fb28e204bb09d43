/** Fetches a part from a server without ranges: one stream from the first byte, cut into chunks. After a break it begins again, and keeps what is stored. */
import type { FetchedChunk } from './chunk-fetch';
import type { DownloadJob } from './download-job';
import { Changed, Fault, givenUp } from './fault';
import { checkMagic, MAGIC_BYTES } from './gguf-magic';
import { chunkRange, digestOf, hasChunk, type PartRecord } from './model-record';
import { discard, requestRange, type RangeAnswer } from './range-request';
import { equalBytes, sha256 } from './sha256';
import { readBody, watched } from './watchdog';

export class WholeFetch {
  /** The byte that any stream so far has reached. */
  #furthest = 0;

  constructor(
    private readonly job: DownloadJob,
    private readonly part: PartRecord,
    private readonly save: (chunk: FetchedChunk) => Promise<void>,
    private readonly onFirstAnswer: (answer: RangeAnswer, signal: AbortSignal) => Promise<void>,
  ) {}

  /** Ends when the part is complete, or when the server turns out to answer ranges after all: then `part.ranges` is true. */
  async run(): Promise<void> {
    const { job } = this;
    let tries = 0;
    for (;;) {
      const before = this.#furthest;
      try {
        await job.patience.open(job.signal);
        await watched(job.env, job.limits.stall, job.signal, (signal, came) => this.#attempt(signal, came));
        return;
      } catch (thrown) {
        job.fly(this, 0);
        if (!(thrown instanceof Fault)) throw thrown;
        tries = this.#furthest > before ? 1 : tries + 1;
        if (!(await job.patience.again(thrown, tries, job.signal))) {
          throw givenUp(thrown, this.part.name, this.part.url, job.stored, job.patience.reached);
        }
      }
    }
  }

  async #attempt(signal: AbortSignal, came: (bytes: number) => void): Promise<void> {
    const { job, part } = this;
    const answer = await requestRange(job.env, { url: part.url, start: 0, end: null, version: part, total: part.length }, signal);
    came(job.limits.stall.bytes);
    if (answer.kind === 'range' && answer.total !== null) {
      discard(answer.response);
      await this.onFirstAnswer(answer, signal);
      return;
    }
    Object.assign(part, { etag: part.etag ?? answer.version.etag, modified: part.modified ?? answer.version.modified, ranges: false });
    job.patience.answered();
    const length = await this.#stream(answer, signal, came);
    // Only the end of a stream whose length nobody announced tells the file's length.
    part.length ??= length;
  }

  /** Cuts the body into chunks; gives its length. */
  async #stream(answer: RangeAnswer, signal: AbortSignal, came: (bytes: number) => void): Promise<number> {
    const { job, part } = this;
    const expected = part.length ?? answer.total;
    const buffer = new Uint8Array(job.model.chunkBytes);
    let index = 0;
    let filled = 0;
    let position = 0;
    let tooLong = false;
    await readBody(answer.response, signal, async (piece) => {
      came(piece.length);
      for (let taken = 0; taken < piece.length; ) {
        const size = chunkRange(part, index, buffer.length).length;
        tooLong = size <= 0;
        if (tooLong) return false;
        const bytes = piece.subarray(taken, taken + size - filled);
        buffer.set(bytes, filled);
        filled += bytes.length;
        taken += bytes.length;
        position += bytes.length;
        if (index === 0 && !part.listedChunks) checkMagic(buffer.subarray(0, Math.min(MAGIC_BYTES, filled)));
        if (filled === size) {
          await this.#store(index, buffer.slice(0, filled));
          index += 1;
          filled = 0;
        }
      }
      this.#furthest = Math.max(this.#furthest, position);
      job.fly(this, hasChunk(part, index) ? 0 : filled);
      return true;
    });
    if (tooLong) throw new Fault('wrong-range', `more than the listed ${part.length} bytes came`);
    // More than announced is no error: a compressed transfer announces its compressed length.
    if (expected !== null && position < expected) throw new Fault('connection', `the file ended after ${position} of ${expected} bytes`);
    job.fly(this, 0);
    if (filled > 0) await this.#store(index, buffer.slice(0, filled));
    return position;
  }

  async #store(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { job, part } = this;
    const digest = await sha256(bytes);
    if (hasChunk(part, index)) {
      if (!equalBytes(digest, digestOf(part.digests, index))) throw new Changed(`chunk ${index} of ${part.name} differs from the one that is stored`);
      return;
    }
    if (part.listedChunks && !equalBytes(digest, digestOf(part.listedChunks, index))) {
      throw new Fault('hash', `chunk ${index} of ${part.name} has another SHA-256 than listed`);
    }
    job.fly(this, 0);
    await this.save({ index, chunk: bytes, bytes, digest });
  }
}

