/** Fetches one chunk by ranges, however often the connection breaks: bytes that came stay, and the next request asks for the rest. */
import type { Chunk } from './chunk-store.ts';
import { checkCors } from './cors.ts';
import type { DownloadJob } from './download-job.ts';
import { Fault, givenUp, OtherVersion } from './fault.ts';
import { checkHead } from './gguf-magic.ts';
import { chunkRange, digestOf, type PartRecord } from './model-record.ts';
import { discard, requestRange, type RangeAnswer } from './range-request.ts';
import { equalBytes, sha256 } from './sha256.ts';
import { readBody, watched } from './watchdog.ts';

/** A share of a chunk that counts as progress, after which tries are counted anew. */
const PROGRESS_SHARE = 1 / 16;
/** So often one chunk may differ from its listed hash before the server, and not the way, is to blame. */
export const HASH_TRIES = 3;
/** So many whole files in place of ranges, and the server is taken to have no ranges any more. */
const WHOLE_TRIES = 3;

export interface FetchedChunk {
  index: number;
  /** As it is to be stored. */
  chunk: Chunk;
  bytes: Uint8Array<ArrayBuffer>;
  digest: Uint8Array;
}

/** Thrown where the server sends the whole file instead of ranges. */
export class ServesWhole extends Error {
  constructor() {
    super('the server sends whole files only');
    this.name = 'ServesWhole';
  }
}

export class ChunkFetch {
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  #hashTries = 0;
  #wholeTries = 0;

  constructor(
    private readonly job: DownloadJob,
    private readonly part: PartRecord,
    private readonly index: number,
    /** Called with the first answer of a part whose length is not known; sets it. */
    private readonly onFirstAnswer: (answer: RangeAnswer, signal: AbortSignal) => Promise<void>,
  ) {}

  async run(): Promise<FetchedChunk> {
    const { job, part } = this;
    let tries = 0;
    let stored = job.stored;
    for (;;) {
      const before = this.#filled;
      try {
        await job.retries.open(job.signal);
        return await this.#attempt(tries);
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        const fault = thrown instanceof OtherVersion ? await job.versions.judge(part, thrown) : thrown;
        job.lanes.failed(fault.kind);
        const came = this.#filled - before;
        const progress = came > 0 && came >= PROGRESS_SHARE * this.#length;
        if (progress) job.retries.progress();
        // Where one of a host's servers is behind, others of them bring chunks, and this one will find them too.
        const luck = fault.kind === 'version' && job.stored > stored;
        stored = job.stored;
        tries = progress || luck ? 1 : tries + 1;
        if (!job.retries.reached(part.url)) await checkCors(job.env, part.url, fault, tries, job.signal);
        const within = this.#count(fault);
        if (within && (await job.retries.network(job.signal))) tries = 0;
        else if (!within || !(await job.retries.again(fault, tries, job.signal))) {
          throw givenUp(fault, part.name, part.url, job.stored, job.retries.reached(part.url));
        }
      } finally {
        if (this.#filled === 0) job.fly(this, 0);
      }
    }
  }

  get #length(): number {
    return chunkRange(this.part, this.index, this.job.model.chunkBytes).length;
  }

  /** False where this kind of fault has come too often on this chunk. */
  #count(fault: Fault): boolean {
    // What came may be wrong anywhere, so the chunk begins again.
    if (fault.kind === 'hash' || fault.kind === 'wrong-range') this.#filled = 0;
    if (fault.kind === 'hash') return (this.#hashTries += 1) < HASH_TRIES;
    return true;
  }

  async #attempt(tries: number): Promise<FetchedChunk> {
    const { job, part, index } = this;
    const asked = job.env.now();
    let answered = asked;
    const chunk = await watched(job.env, job.limits.stall, job.signal, async (signal, came) => {
      const answer = await this.#ask(signal);
      came(job.limits.stall.bytes);
      answered = job.env.now();
      const whole = tries === 0 && this.#filled === 0 && index > 0 && job.rate >= job.limits.wholeRate && !this.#short(answer);
      if (whole) return this.#receiveWhole(answer, signal);
      await this.#receive(answer, signal, came);
      // Servers may send less than they are asked for, and are asked for the rest.
      while (this.#filled < this.#length) await this.#receive(await this.#ask(signal), signal, came);
      return this.#buffer as Uint8Array<ArrayBuffer>;
    });
    const bytes = chunk instanceof Blob ? new Uint8Array(await chunk.arrayBuffer()) : chunk;
    const digest = await sha256(bytes);
    const listed = part.listedChunks ? digestOf(part.listedChunks, index) : undefined;
    if (listed && !equalBytes(digest, listed)) throw new Fault('hash', `chunk ${index} of ${part.name} has another SHA-256 than listed`);
    const took = Math.max(1, job.env.now() - asked);
    job.lanes.arrived(answered - asked, took);
    job.rate = bytes.length / took;
    job.fly(this, 0);
    this.#buffer = undefined;
    return { index, chunk, bytes, digest };
  }

  async #ask(signal: AbortSignal): Promise<RangeAnswer> {
    const { job, part, index } = this;
    const { start, length } = chunkRange(part, index, job.model.chunkBytes);
    const question = { url: part.url, start: start + this.#filled, end: start + length, expected: job.versions.expected(part), total: part.length };
    const answer = await requestRange(job.env, question, signal);
    job.retries.answered(part.url);
    if (answer.kind === 'range') {
      this.#wholeTries = 0;
      try {
        await this.onFirstAnswer(answer, signal);
      } catch (thrown) {
        discard(answer.response);
        throw thrown;
      }
      return answer;
    }
    discard(answer.response);
    // A server that has given ranges before may only have stumbled.
    if (part.ranges && (this.#wholeTries += 1) < WHOLE_TRIES) throw new Fault('whole', 'the whole file came in place of a range');
    throw new ServesWhole();
  }

  /** Whether the answer ends before the chunk does. */
  #short({ end }: RangeAnswer): boolean {
    const { start, length } = chunkRange(this.part, this.index, this.job.model.chunkBytes);
    return end !== null && end < start + length;
  }

  /** Reads the body into the chunk's buffer. */
  async #receive(answer: RangeAnswer, signal: AbortSignal, came: (bytes: number) => void): Promise<void> {
    const length = this.#length;
    const { start } = chunkRange(this.part, this.index, this.job.model.chunkBytes);
    const buffer = (this.#buffer ??= new Uint8Array(length));
    const due = Math.min(length, (answer.end ?? Infinity) - start);
    let tooLong = false;
    await readBody(answer.response, signal, (piece) => {
      came(piece.length);
      tooLong = piece.length > due - this.#filled;
      if (tooLong) return false;
      buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      if (this.index === 0) checkHead(buffer.subarray(0, this.#filled), this.part);
      this.job.fly(this, this.#filled);
      return true;
    });
    if (tooLong) throw new Fault('wrong-range', 'more bytes came than were asked for');
    if (this.#filled < due) throw new Fault('connection', `the answer ended after ${this.#filled} of ${due} bytes`);
  }

  /** On fast lines the browser gathers the body outside of the page, which is several times as fast. */
  async #receiveWhole({ response }: RangeAnswer, signal: AbortSignal): Promise<Blob> {
    const blob = await response.blob().catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new Fault('connection', String(cause));
    });
    if (blob.size !== this.#length) throw new Fault('connection', `the answer has ${blob.size} of ${this.#length} bytes`);
    return blob;
  }
}
