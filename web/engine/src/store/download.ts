/** Downloads a model: goes on where an earlier visit ended, and ends with a verified model or a failure that says what is kept. */
import { failure, toFailure } from '../base/failure.ts';
import type { Arrivals } from './arrivals.ts';
import { DownloadJob, type JobOptions } from './download-job.ts';
import { Changed } from './fault.ts';
import { bytesOf, FileHash } from './file-hash.ts';
import { MAGIC_BYTES } from './gguf-magic.ts';
import { CHUNK_BYTES, hasChunk, missingChunks, modelBytes, newModel, storedBytes, type ModelRecord, type PartPlan, type PartRecord, type Verification } from './model-record.ts';
import type { RemoteSource } from './model-source.ts';
import type { ModelStore } from './model-store.ts';
import { PartDownload } from './part-download.ts';
import { repairPart } from './repair.ts';
import { checkRoom } from './room.ts';

export interface DownloadPlan {
  /** Key of the model in the store. */
  url: string;
  name: string;
  origin: RemoteSource;
  parts: PartPlan[];
}

export interface DownloadOptions extends Omit<JobOptions, 'relist' | 'doubted'> {
  chunkBytes?: number;
  /**
   * Called once with the first chunk of the first part, which holds the GGUF header, and the size of the model, before the
   * bulk is fetched. What it throws ends the download, and where nothing else of the model is kept, that chunk goes too.
   */
  checkFits?: (header: Uint8Array, bytes: number) => Promise<void>;
  /**
   * Called when the header of every part is stored and chunks are still missing, so that the model can be read while it comes. The bulk
   * waits for it. Called again, of another record, where the download begins anew.
   */
  onHeaders?: (model: ModelRecord, arrivals: Arrivals) => Promise<void>;
  /** Reads the source's listing again, where it has one. */
  replan?: () => Promise<DownloadPlan>;
}

/** A file that changes more often than this while it is fetched is not one to wait for. */
const MOST_RESTARTS = 3;

export async function download(store: ModelStore, plan: DownloadPlan, options: DownloadOptions): Promise<ModelRecord> {
  let listed = plan;
  const relist = async () => {
    const before = listingOf(listed);
    listed = (await options.replan?.()) ?? listed;
    return listingOf(listed) !== before;
  };
  const doubted = new Set<string>();
  let { record, restarted } = await begin(store, plan, options);
  for (let restarts = 0; ; restarts += 1) {
    const job = new DownloadJob(store, record, { ...options, relist, doubted });
    job.restarted = restarted;
    try {
      return await run(job, options);
    } catch (thrown) {
      job.control.abort(thrown);
      job.arrivals.end();
      await job.quiet();
      options.signal.throwIfAborted();
      const changed = thrown instanceof Changed ? thrown : await unlisted(thrown, relist);
      if (!changed) throw await leave(job, thrown);
      if (restarts >= MOST_RESTARTS) {
        await store.remove(plan.url);
        throw failure('changing', { name: plan.name }, changed.detail);
      }
      [record, restarted] = [fresh(listed, options), true];
      await store.restart(record);
    } finally {
      job.control.abort();
    }
  }
}

/** Bytes that are not the listed ones are those of a newer file where the listing has changed meanwhile. */
async function unlisted(thrown: unknown, relist: () => Promise<boolean>): Promise<Changed | undefined> {
  if (toFailure(thrown).code !== 'wrong-bytes') return undefined;
  return (await relist().catch(() => false)) ? new Changed('the source lists another file now') : undefined;
}

function listingOf({ parts }: DownloadPlan): string {
  return JSON.stringify(parts.map(({ url, length, sha256, chunks }) => [url, length, sha256, chunks && String(chunks)]));
}

async function run(job: DownloadJob, options: DownloadOptions): Promise<ModelRecord> {
  const { model } = job;
  const firsts = new FirstChunks(job, options);
  // The header of every part first: with them the model can be read while the bulk comes.
  const extents = model.parts.length > 1 ? (['first chunk', 'all'] as const) : (['all'] as const);
  for (const extent of extents) {
    for (const index of model.parts.keys()) {
      for (const lost = new Set<number>(); !(await receive(job, index, extent, lost, firsts)););
    }
  }
  job.signal.throwIfAborted();
  Object.assign(model, { complete: true, verification: verification(model) });
  model.times = { ...model.times, stored: Date.now(), used: Date.now() };
  await job.saveRecord();
  job.report('download', true);
  return model;
}

/** What is asked once the first chunk of a part is stored: whether there is room, whether the model fits, and who reads it meanwhile. */
class FirstChunks {
  readonly #asked = new Set<number>();
  #told = false;

  constructor(
    private readonly job: DownloadJob,
    private readonly options: DownloadOptions,
  ) {}

  async stored(index: number): Promise<void> {
    const { model, arrivals, env } = this.job;
    if (!this.#asked.has(index)) {
      await checkRoom(env, modelBytes(model) - this.job.stored);
      if (index === 0) await this.options.checkFits?.(await storedChunk(this.job, 0, 0), modelBytes(model));
      this.#asked.add(index);
    }
    const whole = model.parts.every((part) => part.length !== null && hasChunk(part, 0));
    if (this.#told || !whole || !model.parts.some((part) => missingChunks(part, model.chunkBytes).length > 0)) return;
    this.#told = true;
    await this.options.onHeaders?.(model, arrivals);
  }
}

async function storedChunk({ store, model }: DownloadJob, part: number, chunk: number): Promise<Uint8Array<ArrayBuffer>> {
  const stored = await store.chunk([model.url, part, chunk]);
  if (!stored) throw new Lost(chunk, 'it is missing');
  return bytesOf(stored).catch((cause: unknown) => { throw new Lost(chunk, String(cause)); });
}

/** A chunk that its record has, and that the store cannot give: browsers keep Blobs in files of their own. */
class Lost extends Error {
  constructor(readonly index: number, readonly detail: string) {
    super(`chunk ${index} cannot be read: ${detail}`);
    this.name = 'Lost';
  }
}

/** Receives and verifies one part, or receives its first chunk; false where chunks turned out to be `lost` and have to come again. */
async function receive(job: DownloadJob, index: number, extent: 'first chunk' | 'all', lost: Set<number>, firsts: FirstChunks): Promise<boolean> {
  const part = job.part(index);
  const read = (chunk: number) => storedChunk(job, index, chunk);
  const hash = extent === 'all' && part.listedSha256 && !part.listedChunks ? await FileHash.of(part, read) : undefined;
  try {
    const receiving = new PartDownload(job, index, hash, () => firsts.stored(index));
    if (extent === 'first chunk') {
      await receiving.first();
      return true;
    }
    await receiving.run();
    if ((part.length ?? 0) < MAGIC_BYTES) throw failure('not-gguf', {}, `${part.name} has ${part.length} bytes`);
    if (hash) await verify(job, index, part, hash, read);
    return true;
  } catch (thrown) {
    // Nobody can tell which of its chunks are right. Other parts of the model are left alone.
    if (!part.listedChunks && toFailure(thrown).code === 'wrong-bytes') await job.dropPart(index);
    if (!(thrown instanceof Lost)) throw thrown;
    if (lost.has(thrown.index)) throw failure('read', {}, thrown.message);
    lost.add(thrown.index);
    // What was hashed before it need not be read again.
    if (hash) part.hash = hash.state();
    await job.forget(index, thrown.index);
    return false;
  }
}

/** Compares the part with its listed SHA-256; a damaged copy is mended chunk by chunk. */
async function verify(job: DownloadJob, index: number, part: PartRecord, hash: FileHash, read: (chunk: number) => Promise<Uint8Array>): Promise<void> {
  const report = (hashed: number) => job.report('verify', false, hashed * job.model.chunkBytes);
  await hash.catchUp(job.signal, () => report(hash.hashed));
  if (hash.digest() === part.listedSha256) return;
  part.hash = null;
  if (await job.relist().catch(() => false)) throw new Changed('the source lists another file now');
  await repairPart(job, index, async () => {
    const again = await FileHash.of({ ...part, hash: null }, read);
    await again.catchUp(job.signal, () => report(again.hashed));
    return again.digest() === part.listedSha256;
  });
}

function verification({ parts }: ModelRecord): Verification {
  if (parts.every((part) => part.listedChunks)) return 'chunks';
  return parts.every((part) => part.listedChunks ?? part.listedSha256) ? 'sha256' : 'received';
}

/** The record to go on with: the stored one where it is of the same files, else a fresh one. */
async function begin(store: ModelStore, plan: DownloadPlan, options: DownloadOptions): Promise<{ record: ModelRecord; restarted: boolean }> {
  const stored = await store.get(plan.url);
  const record = fresh(plan, options);
  if (!stored) return { record, restarted: false };
  const same =
    stored.chunkBytes === record.chunkBytes &&
    stored.parts.length === record.parts.length &&
    stored.parts.every((part, index) => storedBytes(part, stored.chunkBytes) === 0 || continues(part, record.parts[index] as PartRecord));
  if (!same) {
    await store.restart(record);
    return { record, restarted: true };
  }
  for (const [index, part] of stored.parts.entries()) {
    const listed = record.parts[index] as PartRecord;
    if (storedBytes(part, stored.chunkBytes) === 0) stored.parts[index] = listed;
    part.length ??= listed.length;
    part.listedSha256 ??= listed.listedSha256;
  }
  return { record: stored, restarted: false };
}

/** Whether a stored part can be of the file that the source lists now. */
function continues(stored: PartRecord, listed: PartRecord): boolean {
  const agree = <T>(a: T | null, b: T | null) => a === null || b === null || String(a) === String(b);
  // Chunks that came before a manifest was known were not compared with it.
  const compared = listed.listedChunks === null || stored.listedChunks !== null;
  return (
    compared && stored.url === listed.url && agree(stored.length, listed.length) &&
    agree(stored.listedSha256, listed.listedSha256) && agree(stored.listedChunks, listed.listedChunks)
  );
}

function fresh({ url, name, origin, parts }: DownloadPlan, { chunkBytes = CHUNK_BYTES }: DownloadOptions): ModelRecord {
  return newModel(url, name, origin, parts, Date.now(), chunkBytes);
}

/** Records without a chunk are not kept, nor a first chunk at which the rest was refused. Gives the failure to throw. */
async function leave(job: DownloadJob, thrown: unknown): Promise<Error> {
  const fault = toFailure(thrown);
  // More than that took its time to come, and what refuses it now may not do so tomorrow.
  const useless = REFUSED.has(fault.code) && job.stored <= job.model.chunkBytes;
  if (job.stored === 0 || useless) await job.store.remove(job.model.url);
  return fault;
}

/** What refuses a model at its first chunk, and not for a fault of the line. `checkFits` may throw the rest of the engine's codes. */
const REFUSED: ReadonlySet<string> = new Set(['no-room', 'not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'out-of-memory']);
