/** Downloads a model: goes on where an earlier visit ended, and ends with a verified model or a failure that says what is kept. */
import { failure, toFailure } from '../app/failure';
import { DownloadJob, type JobOptions } from './download-job';
import { Changed } from './fault';
import { bytesOf, FileHash } from './file-hash';
import { MAGIC_BYTES } from './gguf-magic';
import { CHUNK_BYTES, modelBytes, newModel, type ModelRecord, type PartPlan, type PartRecord, type Verification } from './model-record';
import type { RemoteSource } from './model-source';
import type { ModelStore } from './model-store';
import { PartDownload } from './part-download';
import { repairPart } from './repair';
import { checkRoom } from './room';

export interface DownloadPlan {
  /** Key of the model in the store. */
  url: string;
  name: string;
  origin: RemoteSource;
  parts: PartPlan[];
}

export interface DownloadOptions extends JobOptions {
  chunkBytes?: number;
  /**
   * Called once with the first chunk of the first part, which holds the GGUF header, and the size of the model, before the
   * bulk is fetched. What it throws ends the download, and nothing of the model is kept.
   */
  checkFits?: (header: Uint8Array, bytes: number) => Promise<void>;
}

/** A file that changes more often than this while it is fetched is not one to wait for. */
const MOST_RESTARTS = 3;

export async function download(store: ModelStore, plan: DownloadPlan, options: DownloadOptions): Promise<ModelRecord> {
  let model = await begin(store, plan, options);
  let restarted = model.restarted;
  for (let restarts = 0; ; restarts += 1) {
    const job = new DownloadJob(store, model.record, options);
    job.restarted = restarted;
    try {
      return await run(job, options);
    } catch (thrown) {
      job.control.abort(thrown);
      await job.quiet();
      options.signal.throwIfAborted();
      if (!(thrown instanceof Changed)) throw await leave(job, thrown);
      if (restarts >= MOST_RESTARTS) {
        await store.remove(plan.url);
        throw failure('changing', { name: plan.name }, thrown.detail);
      }
      model = { record: fresh(plan, options), restarted: true };
      restarted = true;
      await store.restart(model.record);
    } finally {
      job.control.abort();
    }
  }
}

async function run(job: DownloadJob, options: DownloadOptions): Promise<ModelRecord> {
  const { model, store } = job;
  for (const [index, part] of model.parts.entries()) {
    const read = async (chunk: number) => {
      const stored = await store.chunk([model.url, index, chunk]);
      if (!stored) throw failure('read', {}, `chunk ${chunk} of ${part.name} is missing`);
      return bytesOf(stored);
    };
    const hash = part.listedSha256 && !part.listedChunks ? await FileHash.of(part, read) : undefined;
    await new PartDownload(job, index, hash, async () => {
      await checkRoom(job.env, modelBytes(model) - job.stored);
      if (index === 0) await options.checkFits?.(await read(0), modelBytes(model));
    }).run();
    if ((part.length ?? 0) < MAGIC_BYTES) throw failure('not-gguf', {}, `${part.name} has ${part.length} bytes`);
    if (hash) await verify(job, index, part, hash, read);
  }
  job.signal.throwIfAborted();
  Object.assign(model, { complete: true, verification: verification(model) });
  model.times = { ...model.times, stored: Date.now(), used: Date.now() };
  await job.saveRecord();
  job.report('download', true);
  return model;
}

/** Compares the part with its listed SHA-256; a damaged copy is mended chunk by chunk. */
async function verify(job: DownloadJob, index: number, part: PartRecord, hash: FileHash, read: (chunk: number) => Promise<Uint8Array>): Promise<void> {
  const report = (hashed: number) => job.report('verify', false, hashed * job.model.chunkBytes);
  await hash.catchUp(job.signal, () => report(hash.hashed));
  if (hash.digest() === part.listedSha256) return;
  part.hash = null;
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
    stored.parts.every((part, index) => continues(part, record.parts[index] as PartRecord));
  if (!same) {
    await store.restart(record);
    return { record, restarted: true };
  }
  for (const [index, part] of stored.parts.entries()) {
    const listed = record.parts[index] as PartRecord;
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

/** Files that are of no use, and records without a chunk, are not kept. Gives the failure to throw. */
async function leave(job: DownloadJob, thrown: unknown): Promise<Error> {
  const fault = toFailure(thrown);
  // Chunks that were compared with a manifest are right, whatever became of another one.
  const useless = REFUSED.has(fault.code) || (fault.code === 'wrong-bytes' && job.model.parts.some((part) => !part.listedChunks));
  if (job.stored === 0 || useless) await job.store.remove(job.model.url);
  return fault;
}

/** What no further download can mend. `checkFits` may throw the rest of the engine's codes. */
const REFUSED: ReadonlySet<string> = new Set(['not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'out-of-memory']);
