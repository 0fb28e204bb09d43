/** Gives the stored model of a source, after receiving it when it is not there yet. */
import { failure } from '../base/failure.ts';
import { download, type DownloadOptions, type DownloadPlan } from './download.ts';
import { LIMITS, type Progress } from './download-job.ts';
import { hubParts } from './hub.ts';
import { importFiles, keepHandles } from './import-files.ts';
import { manifestParts } from './manifest.ts';
import { CHUNK_BYTES, modelBytes, modelStoredBytes, type ModelRecord } from './model-record.ts';
import { fileName, sourceKey, sourceName, type ModelSource, type RemoteSource } from './model-source.ts';
import type { ModelStore } from './model-store.ts';
import { exclusively } from './neighbours.ts';

export interface AcquireOptions extends Pick<DownloadOptions, 'env' | 'limits' | 'signal' | 'onProgress' | 'checkFits' | 'onHeaders' | 'chunkBytes'> {
  onElsewhere?: (progress: Progress) => void;
  /** Where the hub is; tests bring their own. */
  hubBase?: string;
}

export async function acquire(store: ModelStore, source: ModelSource, options: AcquireOptions): Promise<ModelRecord> {
  const url = sourceKey(source);
  const present = await store.find(url);
  if (present) return present;
  if (source.kind === 'files' && source.handles) return keepHandles(store, source.files, source.handles);
  const remote = source.kind === 'stored' ? await originOf(store, url) : source;
  const { signal, onProgress, onElsewhere = onProgress } = options;
  return exclusively(url, { signal, onProgress, onElsewhere }, async (inner, report) => {
    // Another tab may have received it while this one waited.
    const arrived = await store.find(url);
    if (arrived) return arrived;
    const inside = { ...options, signal: inner, onProgress: report };
    if (remote.kind === 'files') return importFiles(store, remote.files, inside);
    const replan = remote.kind === 'address' ? {} : { replan: () => planOf(remote, url, inside) };
    const plan = await withNetwork(inside, await store.get(url), () => planOf(remote, url, inside));
    return download(store, plan, { ...inside, ...replan });
  });
}

/** Runs `work`, and waits for a network where there is none and some of the model is kept, as its download does. */
async function withNetwork<T>({ env, limits = LIMITS, signal, onProgress }: AcquireOptions, kept: ModelRecord | undefined, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      if (!kept || !env.offline() || signal.aborted) throw thrown;
      onProgress({ done: modelStoredBytes(kept), total: modelBytes(kept), phase: 'offline' });
      await env.rest(limits.retries.longest, signal);
    }
  }
}

/** Where a model that is stored in part came from. */
async function originOf(store: ModelStore, url: string): Promise<RemoteSource> {
  const origin = (await store.get(url))?.origin;
  if (!origin) throw failure('not-stored');
  return origin;
}

export type PlanOptions = Pick<AcquireOptions, 'env' | 'limits' | 'signal' | 'hubBase' | 'chunkBytes'>;

/** The parts of a source, with what is listed of each. */
export async function planOf(origin: RemoteSource, url: string, { env, limits = LIMITS, signal, hubBase, chunkBytes = CHUNK_BYTES }: PlanOptions): Promise<DownloadPlan> {
  switch (origin.kind) {
    case 'address':
      return { url, name: origin.name, origin, parts: origin.urls.map((part) => ({ name: fileName(part), url: part })) };
    case 'hub':
      return { url, name: sourceName(origin), origin, parts: await hubParts(env, limits, origin, signal, hubBase) };
    case 'manifest':
      return { url, origin, ...(await manifestParts(env, limits, origin.url, signal, chunkBytes)) };
  }
}
