/** Brings every chunk of one part into the store, several at a time. */
import { ChunkFetch, ServesWhole, type FetchedChunk } from './chunk-fetch.ts';
import type { DownloadJob } from './download-job.ts';
import { Fault } from './fault.ts';
import type { FileHash } from './file-hash.ts';
import { isMagic, MAGIC_BYTES } from './gguf-magic.ts';
import { hasChunk, missingChunks, type PartRecord } from './model-record.ts';
import { beginningOf, differs, type RangeAnswer } from './range-request.ts';
import { WholeFetch } from './whole-fetch.ts';

export class PartDownload {
  constructor(
    private readonly job: DownloadJob,
    private readonly partIndex: number,
    private readonly hash: FileHash | undefined,
    /** Called when the first chunk is stored, before the bulk of the others; what it throws ends the download. */
    private readonly onBegun: () => Promise<void>,
  ) {}

  /** The first chunk alone: it tells the file's length, and whether the rest is wanted at all. Not where the server has no ranges. */
  async first(): Promise<void> {
    if (hasChunk(this.#part, 0)) await this.onBegun();
    else if (this.#part.ranges !== false) await this.#ranged([0]);
  }

  async run(): Promise<void> {
    await this.first();
    // A server may answer the first range and refuse the next for ever: it is asked for ranges again only where they brought something.
    let turned = -1;
    while (!this.#complete) {
      if (this.#part.ranges === false) {
        const mayTurn = this.job.stored > turned;
        turned = this.job.stored;
        await new WholeFetch(this.job, this.#part, this.#save, this.#learn, mayTurn).run();
      } else await this.#ranged(missingChunks(this.#part, this.job.model.chunkBytes));
    }
  }

  get #part(): PartRecord {
    return this.job.part(this.partIndex);
  }

  get #complete(): boolean {
    return this.#part.length !== null && missingChunks(this.#part, this.job.model.chunkBytes).length === 0;
  }

  /** Fetches these chunks by ranges. Where the server turns out to have none, notes that and ends early. */
  async #ranged(queue: number[]): Promise<void> {
    const { lanes, control } = this.job;
    const running = new Set<Promise<void>>();
    try {
      while (queue.length > 0 || running.size > 0) {
        while (queue.length > 0 && running.size < lanes.limit) {
          const lane = this.#fetch(queue.shift() as number);
          running.add(lane);
          void lane.then(() => running.delete(lane), () => undefined);
        }
        await Promise.race(running);
      }
    } catch (thrown) {
      const whole = thrown instanceof ServesWhole;
      if (!whole) control.abort(thrown);
      // Nothing of this download may still write once it has ended.
      await Promise.allSettled(running);
      if (!whole) throw thrown;
      this.#part.ranges = false;
    }
  }

  async #fetch(index: number): Promise<void> {
    await this.#save(await new ChunkFetch(this.job, this.#part, index, this.#learn).run());
  }

  readonly #save = async ({ index, chunk, bytes, digest }: FetchedChunk): Promise<void> => {
    await this.job.save(this.partIndex, index, chunk, digest, this.hash);
    this.hash?.offer(index, bytes);
    // What it finds wrong is found again when the part is verified.
    void this.hash?.catchUp(this.job.signal).catch(() => undefined);
    if (index === 0) await this.onBegun();
  };

  /** Notes what the first answer says of the file. */
  readonly #learn = async (answer: RangeAnswer, signal: AbortSignal): Promise<void> => {
    const part = this.#part;
    part.ranges = true;
    part.length ??= answer.total ?? (await this.#lengthOf(answer, signal));
    part.etag ??= answer.version.etag;
    part.modified ??= answer.version.modified;
  };

  /** Servers of other origins may hide the length of the whole file in answers with a range, which may also be shorter than asked for. */
  async #lengthOf({ version }: RangeAnswer, signal: AbortSignal): Promise<number> {
    const { env, limits } = this.job;
    const whole = await beginningOf(env, this.#part.url, MAGIC_BYTES, limits.stall, signal, true);
    if (!isMagic(whole.bytes)) throw new Fault('foreign', `${this.#part.name} came as something else than a model`);
    if (differs(version, whole.version)) throw new Fault('version', 'a range and the whole file are of two versions');
    if (whole.total === null) throw new ServesWhole();
    return whole.total;
  }
}
