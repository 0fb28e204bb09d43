/** Fetches a part from a server without ranges: one stream from the first byte, cut into chunks. After a break it begins again, and keeps what is stored. */
import { HASH_TRIES, type FetchedChunk } from './chunk-fetch.ts';
import { checkCors } from './cors.ts';
import type { DownloadJob } from './download-job.ts';
import { Changed, Fault, givenUp, OtherVersion } from './fault.ts';
import { checkHead } from './gguf-magic.ts';
import { chunkRange, digestOf, hasChunk, type PartRecord } from './model-record.ts';
import { discard, requestRange, requestWhole, type RangeAnswer } from './range-request.ts';
import { equalBytes, sha256 } from './sha256.ts';
import { readBody, watched } from './watchdog.ts';

export class WholeFetch {
  /** The byte that any stream so far has reached. */
  #furthest = 0;
  #hashTries = 0;
  /** SHA-256 of a chunk that came otherwise than it is stored. */
  #differing: Uint8Array | undefined;

  constructor(
    private readonly job: DownloadJob,
    private readonly part: PartRecord,
    private readonly save: (chunk: FetchedChunk) => Promise<void>,
    private readonly onFirstAnswer: (answer: RangeAnswer, signal: AbortSignal) => Promise<void>,
    /** Whether ranges are worth asking for. */
    private readonly mayTurn: boolean,
  ) {}

  /** Ends when the part is complete, or when the server turns out to answer ranges after all: then `part.ranges` is true. */
  async run(): Promise<void> {
    const { job, part } = this;
    let tries = 0;
    for (;;) {
      const before = this.#furthest;
      try {
        await job.retries.open(job.signal);
        await watched(job.env, job.limits.stall, job.signal, (signal, came) => this.#attempt(signal, came));
        return;
      } catch (thrown) {
        job.fly(this, 0);
        if (!(thrown instanceof Fault)) throw thrown;
        const fault = thrown instanceof OtherVersion ? await job.versions.judge(part, thrown) : thrown;
        tries = this.#furthest > before ? 1 : tries + 1;
        if (!job.retries.reached(part.url)) await checkCors(job.env, part.url, fault, tries, job.signal);
        const within = fault.kind !== 'hash' || (this.#hashTries += 1) < HASH_TRIES;
        if (within && (await job.retries.network(job.signal))) tries = 0;
        else if (!within || !(await job.retries.again(fault, tries, job.signal))) {
          throw givenUp(fault, part.name, part.url, job.stored, job.retries.reached(part.url));
        }
      }
    }
  }

  async #attempt(signal: AbortSignal, came: (bytes: number) => void): Promise<void> {
    const { job, part } = this;
    const answer = await this.#ask(signal);
    if (!answer) return;
    came(job.limits.stall.bytes);
    job.announced = (answer.total ?? 0) * job.model.parts.length;
    // At once: how large it is may decide whether it is wanted.
    job.report('download', true);
    Object.assign(part, { etag: part.etag ?? answer.version.etag, modified: part.modified ?? answer.version.modified, ranges: false });
    job.retries.answered(part.url);
    const length = await this.#stream(answer, signal, came);
    // Only the end of a stream whose length nobody announced tells the file's length.
    part.length ??= length;
  }

  /** The whole file, or undefined where ranges will do. */
  async #ask(signal: AbortSignal): Promise<RangeAnswer | undefined> {
    const { env, retries, versions } = this.job;
    const { url, length } = this.part;
    const expected = versions.expected(this.part);
    if (!this.mayTurn) return requestWhole(env, url, expected, length, signal);
    const answer = await requestRange(env, { url, start: 0, end: null, expected, total: length }, signal);
    retries.answered(url);
    if (answer.kind === 'whole') return answer;
    discard(answer.response);
    // A range that does not show the file's length may be any part of it.
    if (answer.total === null) return requestWhole(env, url, expected, length, signal);
    await this.onFirstAnswer(answer, signal);
    return undefined;
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
    let bad: Fault | undefined;
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
        if (index === 0) checkHead(buffer.subarray(0, filled), part);
        if (filled === size) {
          // What follows a damaged chunk need not come again.
          bad = (await this.#store(index, buffer.slice(0, filled))) ?? bad;
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
    if (filled > 0) bad = (await this.#store(index, buffer.slice(0, filled))) ?? bad;
    if (bad) throw bad;
    return position;
  }

  /** Gives the fault of a chunk that is not the listed one. */
  async #store(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<Fault | undefined> {
    const { job, part } = this;
    const digest = await sha256(bytes);
    const right = part.listedChunks ? digestOf(part.listedChunks, index) : hasChunk(part, index) ? digestOf(part.digests, index) : digest;
    if (!equalBytes(digest, right)) {
      const fault = new Fault('hash', `chunk ${index} of ${part.name} has another SHA-256 than ${part.listedChunks ? 'listed' : 'the one that is stored'}`);
      if (part.listedChunks) return fault;
      // Once may be damage on the way; twice the same is another file.
      if (this.#differing && equalBytes(digest, this.#differing)) throw new Changed(fault.detail);
      this.#differing = digest;
      throw fault;
    }
    if (hasChunk(part, index)) return undefined;
    job.fly(this, 0);
    await this.save({ index, chunk: bytes, bytes, digest });
    return undefined;
  }
}
