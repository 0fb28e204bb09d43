/** The store and its downloads in a worker, as the app has them, without the engine beside them. */
import { expose } from 'comlink';
import { acquire } from '../../../web/engine/src/store/acquire';
import { openDatabase } from '../../../web/engine/src/store/database';
import { LIMITS, type Progress } from '../../../web/engine/src/store/download-job';
import { browserEnvironment } from '../../../web/engine/src/store/environment';
import { IndexedChunkStore } from '../../../web/engine/src/store/indexed-chunk-store';
import { addressSource } from '../../../web/engine/src/store/model-source';
import { ModelStore } from '../../../web/engine/src/store/model-store';
import { sha256 } from '../../../web/engine/src/store/sha256';
import { storedFiles } from '../../../web/engine/src/store/stored-file';

export interface DownloadOptions {
  chunkBytes?: number;
  /** Trust no estimate, so that a full disk is met half way. */
  blind?: boolean;
  /** Pauses in a fiftieth of their time. */
  hasty?: boolean;
}

/** How a download went, as data. */
export interface DownloadResult {
  code: string;
  message: string;
  remedy: string;
  milliseconds: number;
  last: Progress | undefined;
  /** Reports that said that another tab downloads. */
  elsewhere: number;
}

const store = openDatabase().then((database) => new ModelStore(new IndexedChunkStore(database)));

const worker = {
  async download(url: string, { chunkBytes, blind, hasty }: DownloadOptions, onProgress: (progress: Progress) => void): Promise<DownloadResult> {
    const haste = hasty ? 50 : 1;
    const stall = hasty ? { ...LIMITS.stall, milliseconds: 500 * haste } : LIMITS.stall;
    const begun = performance.now();
    const result: DownloadResult = { code: 'complete', message: '', remedy: '', milliseconds: 0, last: undefined, elsewhere: 0 };
    try {
      await acquire(await store, addressSource(url, location.href), {
        env: {
          ...browserEnvironment,
          sleep: (milliseconds, signal) => browserEnvironment.sleep(milliseconds / haste, signal),
          rest: (milliseconds, signal) => browserEnvironment.rest(milliseconds / haste, signal),
          ...(blind ? { estimate: async () => ({}) } : {}),
        },
        limits: { ...LIMITS, stall },
        signal: new AbortController().signal,
        onProgress: (progress) => onProgress((result.last = progress)),
        onElsewhere: (progress) => {
          result.elsewhere += 1;
          onProgress(progress);
        },
        ...(chunkBytes ? { chunkBytes } : {}),
      });
    } catch (thrown) {
      const { code = String(thrown), message = '', remedy = '' } = thrown as Partial<DownloadResult>;
      Object.assign(result, { code, message, remedy });
    }
    return Object.assign(result, { milliseconds: performance.now() - begun });
  },
  async remove(url: string): Promise<void> {
    await (await store).remove(url);
  },
  /** A stored model range by range, as the engine reads it, with the SHA-256 of each range where asked. */
  async read(url: string, rangeBytes: number, hash: boolean): Promise<{ digests: string[]; bytes: number; milliseconds: number }> {
    const model = await (await store).find(url);
    if (!model) throw new Error('not stored');
    const begun = performance.now();
    const digests: string[] = [];
    let bytes = 0;
    for (const file of await storedFiles(await store, model)) {
      for (let offset = 0; offset < file.length; offset += rangeBytes) {
        const piece = (await file.read(offset, Math.min(rangeBytes, file.length - offset))) as Uint8Array<ArrayBuffer>;
        bytes += piece.length;
        if (hash) digests.push([...(await sha256(piece))].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
      }
    }
    return { digests, bytes, milliseconds: performance.now() - begun };
  },
};

export type WeightsWorker = typeof worker;
expose(worker);
