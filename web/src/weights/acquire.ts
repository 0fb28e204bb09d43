/** Gives the stored model of a source, after receiving it when it is not there yet. */
import { failure } from '../app/failure';
import type { ModelRecord } from './database';
import { fileKey, openFile } from './from-file';
import { openUrl } from './from-url';
import type { OpenPart } from './incoming';
import { fileParts, modelName, type ModelSource } from './model-source';
import type { ModelStore } from './model-store';
import { receive, type Progress } from './receive';

const LOCK = 'web-mamba weights';

export async function acquire(
  store: ModelStore,
  source: ModelSource,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<ModelRecord> {
  const { url, name, parts } = plan(source);
  const present = await store.find(url);
  if (present) return present;
  if (parts.length === 0) throw failure('not-stored');
  return exclusively(signal, async () => {
    // Another tab may have received it while this one waited.
    const arrived = await store.find(url);
    if (arrived) return arrived;
    await store.removeIncomplete();
    return receive(store, { url, name, parts, onProgress, signal });
  });
}

/** The store's key of a source, and how to open its parts; none where only the store can have it. */
function plan(source: ModelSource): { url: string; name: string; parts: OpenPart[] } {
  switch (source.kind) {
    case 'stored':
      return { url: source.url, name: source.url, parts: [] };
    case 'address':
      return {
        url: source.urls[0] ?? '',
        name: source.name,
        parts: source.urls.map((url) => (signal) => openUrl(url, signal)),
      };
    case 'files': {
      const files = fileParts(source.files);
      const first = files[0] as File;
      return { url: fileKey(first), name: modelName(first.name), parts: files.map((file) => async () => openFile(file)) };
    }
  }
}

/** One download at a time over all tabs, so that two never fetch the same bytes. */
async function exclusively<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (!navigator.locks) return work();
  return navigator.locks.request(LOCK, { signal }, work) as Promise<T>;
}
