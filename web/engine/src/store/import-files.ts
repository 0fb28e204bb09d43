/** Copies files of this computer into the store, or notes where they are. */
import { failure } from '../base/failure.ts';
import { DownloadJob, type JobOptions } from './download-job.ts';
import { checkMagic, MAGIC_BYTES } from './gguf-magic.ts';
import { CHUNK_BYTES, chunkRange, missingChunks, modelBytes, newModel, type ModelRecord } from './model-record.ts';
import { fileKey, fileParts, modelName } from './model-source.ts';
import type { ModelStore } from './model-store.ts';
import { checkRoom } from './room.ts';
import { sha256 } from './sha256.ts';

export async function importFiles(store: ModelStore, chosen: readonly File[], options: JobOptions & { chunkBytes?: number }): Promise<ModelRecord> {
  const files = fileParts(chosen);
  const fresh = recordOf(files, options.chunkBytes ?? CHUNK_BYTES);
  const stored = await store.get(fresh.url);
  const job = new DownloadJob(store, stored?.chunkBytes === fresh.chunkBytes ? stored : fresh, options);
  const { model } = job;
  try {
    await checkRoom(job.env, modelBytes(model) - job.stored);
    for (const [part, file] of files.entries()) {
      checkMagic(await read(file, 0, MAGIC_BYTES));
      for (const index of missingChunks(job.part(part), model.chunkBytes)) {
        job.signal.throwIfAborted();
        const { start, length } = chunkRange(job.part(part), index, model.chunkBytes);
        const bytes = await read(file, start, length);
        await job.save(part, index, bytes, await sha256(bytes));
      }
    }
    Object.assign(model, { complete: true, verification: 'received' });
    model.times = { ...model.times, stored: Date.now(), used: Date.now() };
    await job.saveRecord();
    job.report('download', true);
    return model;
  } catch (thrown) {
    await job.quiet();
    // The file itself is still where it was: half of a copy helps nobody.
    await store.remove(model.url);
    throw thrown;
  } finally {
    job.control.abort();
  }
}

/** Notes the handles of files that stay where they are. */
export async function keepHandles(store: ModelStore, chosen: readonly File[], handles: readonly FileSystemFileHandle[]): Promise<ModelRecord> {
  const files = fileParts(chosen);
  for (const file of files) checkMagic(await read(file, 0, MAGIC_BYTES));
  const byName = new Map(handles.map((handle) => [handle.name, handle]));
  const model: ModelRecord = {
    ...recordOf(files, CHUNK_BYTES),
    complete: true,
    verification: 'received',
    handles: files.map((file) => byName.get(file.name) as FileSystemFileHandle),
  };
  await store.put(model);
  return model;
}

function recordOf(files: readonly File[], chunkBytes: number): ModelRecord {
  const first = files[0] as File;
  const parts = files.map((file) => ({ name: file.name, url: fileKey(file), length: file.size }));
  return newModel(fileKey(first), modelName(first.name), null, parts, Date.now(), chunkBytes);
}

async function read(file: File, start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await file.slice(start, start + length).arrayBuffer().catch((cause: unknown) => {
    throw failure('file-read', { name: file.name }, String(cause));
  });
  if (bytes.byteLength < Math.min(length, MAGIC_BYTES)) throw failure('not-gguf', {}, `${file.name} has ${file.size} bytes`);
  if (bytes.byteLength < length) throw failure('file-read', { name: file.name }, `${bytes.byteLength} of ${length} bytes at ${start}`);
  return new Uint8Array(bytes);
}
