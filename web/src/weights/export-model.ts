/** Writes a kept model into files of this computer, chunk by chunk. */
import { failure } from '../app/failure';
import type { Progress } from './download-job';
import { modelBytes, type PartRecord } from './model-record';
import type { ModelStore } from './model-store';
import { storedChunks } from './stored-file';

/** Where a part's bytes go: a file that the visitor chose, or one in the page's own file system that is then downloaded. */
export interface ExportTarget {
  createWritable(): Promise<{ write(data: Blob | Uint8Array<ArrayBuffer>): Promise<void>; close(): Promise<void>; abort(): Promise<void> }>;
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
  const total = (model.parts[part] as PartRecord).length ?? modelBytes(model);
  const writable = await target.createWritable();
  let done = 0;
  try {
    for await (const { index, chunk } of storedChunks(store, model, part)) {
      signal.throwIfAborted();
      if (!chunk) throw failure('read', {}, `chunk ${index} is missing`);
      await writable.write(chunk as Blob | Uint8Array<ArrayBuffer>);
      done += chunk instanceof Blob ? chunk.size : chunk.length;
      onProgress({ done, total });
    }
    await writable.close();
  } catch (thrown) {
    // The file keeps what it had before; nothing half-written is left.
    await writable.abort().catch(() => undefined);
    throw thrown;
  }
}
