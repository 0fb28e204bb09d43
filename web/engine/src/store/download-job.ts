/** What the steps of one download share: the record, its one writer, its retries, and how far everything is. */
import { failure, toFailure, type MambaError } from '../base/failure.ts';
import { fill, formatBytes } from '../base/format.ts';
import { messages } from '../base/messages.ts';
import { Arrivals } from './arrivals.ts';
import type { Chunk } from './chunk-store.ts';
import type { Environment } from './environment.ts';
import type { FileHash } from './file-hash.ts';
import { Lanes, LANES, type LaneLimits } from './lanes.ts';
import { hasChunk, markChunk, modelBytes, modelStoredBytes, type ModelRecord, type PartRecord } from './model-record.ts';
import type { ModelStore } from './model-store.ts';
import { Retries, RETRIES, type RetryLimits } from './retries.ts';
import { Versions } from './versions.ts';
import { STALL, type StallLimit } from './watchdog.ts';

/** What a download is doing; `wait` is the pause before another try, `offline` the one until there is a network. */
export type DownloadPhase = 'download' | 'wait' | 'offline' | 'verify' | 'repair';

/** How far a download, a verification or an import is, in bytes. */
export interface Progress {
  /** Bytes. */
  done: number;
  /** Bytes, or 0 while unknown. */
  total: number;
  /** While that is unknown, what the server announces, which of a compressed transfer is less. */
  announced?: number;
  phase?: DownloadPhase;
  /** The file on the server had changed, and the download began again. */
  restarted?: boolean;
  /** Another tab holds the model and has said nothing for long. */
  silent?: boolean;
}

export interface DownloadLimits {
  lanes: LaneLimits;
  retries: RetryLimits;
  stall: StallLimit;
  /** Bytes per millisecond of one request from which on chunks are received as a whole, outside of the page. */
  wholeRate: number;
}

/** At 8 MB/s a chunk comes in two seconds: soon enough to do without its bytes on the way. */
export const LIMITS: DownloadLimits = { lanes: LANES, retries: RETRIES, stall: STALL, wholeRate: 8000 };

export interface JobOptions {
  env: Environment;
  limits?: DownloadLimits;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  /** Reads the source's listing again; true where it lists other files now. */
  relist?: () => Promise<boolean>;
  /** Versions that this visit has left, which are not believed again. */
  doubted?: Set<string>;
}

/** Between two reports, so that a fast download does not flood the page with them. */
const REPORT_MILLISECONDS = 100;

export class DownloadJob {
  readonly env: Environment;
  readonly limits: DownloadLimits;
  /** Ends every request of this job: what its caller's signal does, and the first failure. */
  readonly control = new AbortController();
  readonly lanes: Lanes;
  readonly retries: Retries;
  readonly versions: Versions;
  readonly relist: () => Promise<boolean>;
  readonly arrivals: Arrivals;
  /** Rate of the chunk that came last, in bytes per millisecond. */
  rate = 0;
  restarted = false;
  /** Bytes of the model by the length that a server without ranges announces of one part; 0 where none does. */
  announced = 0;
  readonly #onProgress: (progress: Progress) => void;
  readonly #flying = new Map<object, number>();
  #writing: Promise<void> = Promise.resolve();
  #reported = -Infinity;

  constructor(
    readonly store: ModelStore,
    readonly model: ModelRecord,
    { env, limits = LIMITS, signal, onProgress, relist = async () => false, doubted = new Set() }: JobOptions,
  ) {
    const abort = () => this.control.abort(signal.reason);
    signal.addEventListener('abort', abort, { signal: this.control.signal });
    if (signal.aborted) abort();
    this.env = env;
    this.limits = limits;
    this.lanes = new Lanes(limits.lanes);
    this.retries = new Retries(env, limits.retries, (offline) => this.report(offline ? 'offline' : 'wait', true));
    if (this.stored > 0) this.retries.progress();
    this.versions = new Versions(this, doubted);
    this.relist = relist;
    this.arrivals = new Arrivals(model);
    this.#onProgress = onProgress;
  }

  get signal(): AbortSignal {
    return this.control.signal;
  }

  part(index: number): PartRecord {
    return this.model.parts[index] as PartRecord;
  }

  /** Bytes of the model that are in the store. */
  get stored(): number {
    return modelStoredBytes(this.model);
  }

  /** Bytes that one request has received of a chunk that is not stored yet. */
  fly(request: object, bytes: number): void {
    if (bytes > 0) this.#flying.set(request, bytes);
    else this.#flying.delete(request);
    this.report('download');
  }

  report(phase: DownloadPhase, now = false, done?: number): void {
    const time = this.env.now();
    if (!now && time - this.#reported < REPORT_MILLISECONDS) return;
    this.#reported = time;
    const flying = [...this.#flying.values()].reduce((sum, bytes) => sum + bytes, 0);
    const total = modelBytes(this.model);
    const received = done ?? modelStoredBytes(this.model) + flying;
    const { announced } = this;
    this.#onProgress({
      done: total > 0 ? Math.min(received, total) : received, total, phase,
      ...(this.restarted ? { restarted: true } : {}), ...(total === 0 && announced > 0 ? { announced } : {}),
    });
  }

  /** Stores a chunk and the record that says so. One write at a time, so that no record overtakes a newer one. */
  async save(part: number, index: number, chunk: Chunk, digest: Uint8Array, hash?: FileHash): Promise<void> {
    const write = this.#writing.then(async () => {
      this.signal.throwIfAborted();
      const record = this.part(part);
      const before = hasChunk(record, index);
      markChunk(record, index, digest);
      if (hash) record.hash = hash.state();
      try {
        await this.store.putChunk([this.model.url, part, index], chunk, this.model);
      } catch (thrown) {
        if (!before) markChunk(record, index, null);
        throw this.#storeFailure(thrown);
      }
      // What was read of the one before is not what is kept.
      if (before) this.arrivals.end();
      else this.arrivals.stored(part, index, chunk);
    });
    this.#writing = write.catch(() => undefined);
    await write;
    this.retries.progress();
    this.report('download');
  }

  /** A chunk that can no longer be read counts as missing. */
  async forget(part: number, chunk: number): Promise<void> {
    this.arrivals.end();
    markChunk(this.part(part), chunk, null);
    await this.saveRecord();
  }

  /** Deletes what has come of one part, and leaves the others. */
  async dropPart(part: number): Promise<void> {
    this.arrivals.end();
    Object.assign(this.part(part), { present: new Uint8Array(), digests: new Uint8Array(), hash: null });
    await this.#writing;
    await this.store.dropPart(this.model, part);
  }

  /** Stores the record alone. */
  async saveRecord(): Promise<void> {
    const write = this.#writing.then(() => this.store.put(this.model).catch((thrown: unknown) => { throw this.#storeFailure(thrown); }));
    this.#writing = write.catch(() => undefined);
    await write;
  }

  /** Settles when no write runs any more. */
  async quiet(): Promise<void> {
    await this.#writing;
  }

  #storeFailure(thrown: unknown): MambaError {
    const fault = toFailure(thrown);
    if (fault.code !== 'no-room-left') return fault;
    const missing = Math.max(0, modelBytes(this.model) - modelStoredBytes(this.model));
    return failure('no-room-left', { missing: fill(messages().stillMissing, { missing: formatBytes(missing) }) }, fault.detail);
  }
}
