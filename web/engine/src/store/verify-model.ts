/** Reads a kept model again and compares each chunk with its digest: disks err, and browsers clear what they like. */
import type { Progress } from './download-job.ts';
import { bytesOf } from './file-hash.ts';
import { digestOf, markChunk, modelBytes } from './model-record.ts';
import type { ModelStore } from './model-store.ts';
import { equalBytes, sha256 } from './sha256.ts';
import { storedChunks } from './stored-file.ts';

/** What a verification found. */
export interface VerifyResult {
  /** Chunks that are damaged or gone. They no longer count as stored, so that opening the model fetches them again. */
  bad: number;
}

export async function verifyModel(store: ModelStore, url: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<VerifyResult> {
  const model = await store.get(url);
  if (!model || model.handles) return { bad: 0 };
  const total = modelBytes(model);
  let done = 0;
  let bad = 0;
  for (const [part, record] of model.parts.entries()) {
    const listed = record.listedChunks ?? record.digests;
    for await (const { index, chunk } of storedChunks(store, model, part)) {
      signal.throwIfAborted();
      const bytes = await (chunk ? bytesOf(chunk).catch(() => undefined) : undefined);
      done += bytes?.length ?? 0;
      onProgress({ done, total, phase: 'verify' });
      if (bytes && equalBytes(await sha256(bytes), digestOf(listed, index))) continue;
      bad += 1;
      markChunk(record, index, null);
      record.hash = null;
    }
  }
  // An imported model cannot be fetched again; it is left to be deleted and imported anew.
  if (bad > 0) await store.put({ ...model, complete: false, verification: null });
  return { bad };
}
