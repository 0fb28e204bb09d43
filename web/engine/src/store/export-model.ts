/** Writes a kept model into files of this computer, chunk by chunk. */
import { failure } from '../base/failure.ts';
import type { Progress } from './download-job.ts';
import { bytesOf } from './file-hash.ts';
import { digestOf, modelBytes, type PartRecord } from './model-record.ts';
import type { ModelStore } from './model-store.ts';
import { equalBytes, sha256 } from './sha256.ts';
import { storedChunks } from './stored-file.ts';

/** Where a part's bytes go: a file that the visitor chose, or one in the page's own file system that is then downloaded. */
export interface ExportTarget {
  /** Begins the file. */
  createWritable(): Promise<ExportWritable>;
}

/** A file that is being written, as of the browser's file system. */
export interface ExportWritable {
  /** Adds bytes to its end. */
  write(data: Blob | Uint8Array<ArrayBuffer>): Promise<void>;
  /** Completes it. */
  close(): Promise<void>;
  /** Leaves nothing of it. */
  abort(): Promise<void>;
}

export async function exportPart(
  store: ModelStore,
  url: string,
  part: number,
  target: ExportTarget,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<void> {
  const model = await store.find(url);
  if (!model) throw failure('not-stored');
  const record = model.parts[part] as PartRecord;
  const total = record.length ?? modelBytes(model);
  const writable = await target.createWritable();
  let done = 0;
  try {
    for await (const { index, chunk } of storedChunks(store, model, part)) {
      signal.throwIfAborted();
      const bytes = chunk && (await bytesOf(chunk).catch(() => undefined));
      // A file that leaves this page is as right as one that is loaded here.
      const sound = bytes && equalBytes(await sha256(bytes), digestOf(record.listedChunks ?? record.digests, index));
      if (!sound) throw failure('damaged', { name: model.name }, `chunk ${index} of ${record.name}`);
      await writable.write(bytes);
      done += bytes.length;
      onProgress({ done, total });
    }
    await writable.close();
  } catch (thrown) {
    // The file keeps what it had before; nothing half-written is left.
    await writable.abort().catch(() => undefined);
    throw thrown;
  }
}
