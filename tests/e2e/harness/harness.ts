/** What tests call in the browser, as `window.harness`. The app itself has no such handle. */
import { EngineClient } from '../../../web/src/engine/client';
import type { Backend, ModelInfo, GenerateOptions } from '../../../web/src/engine/protocol';
import { acquire } from '../../../web/src/weights/acquire';
import { openDatabase } from '../../../web/src/weights/database';
import { LIMITS, type Progress } from '../../../web/src/weights/download-job';
import { browserEnvironment } from '../../../web/src/weights/environment';
import { addressSource } from '../../../web/src/weights/model-source';
import { ModelStore } from '../../../web/src/weights/model-store';
import { sha256 } from '../../../web/src/weights/sha256';
import { storedFiles } from '../../../web/src/weights/stored-file';
import { renderMarkdown } from '../../../web/src/ui/markdown';

const engine = new EngineClient();
const store = openDatabase().then((database) => new ModelStore(database));

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

interface DownloadOptions {
  chunkBytes?: number;
  /** Trust no estimate, so that a full disk is met half way. */
  blind?: boolean;
  /** Pauses in a hundredth of their time. */
  hasty?: boolean;
}

export const harness = {
  async open(url: string, backend: Backend): Promise<ModelInfo> {
    const { info } = await engine.open({ kind: 'address', name: 'model', urls: [new URL(url, location.href).href] }, backend, () => undefined);
    return info;
  },
  async tokenize(text: string): Promise<number[]> {
    return [...(await engine.tokenize(text))];
  },
  async logits(tokens: number[]): Promise<number[]> {
    return [...(await engine.logits(Uint32Array.from(tokens)))];
  },
  /** The ids that the model gives after `tokens`. */
  async generate(tokens: number[], options: GenerateOptions): Promise<number[]> {
    const ids: number[] = [];
    await engine.generate(Uint32Array.from(tokens), options, (event) => {
      if (event.type === 'token') ids.push(event.id);
    });
    return ids;
  },
  /** Downloads into the real store, in this page; `progress` tells how far it is meanwhile. */
  progress: { done: 0, total: 0 } as Progress,
  async download(url: string, { chunkBytes, blind, hasty }: DownloadOptions = {}): Promise<DownloadResult> {
    const haste = hasty ? 50 : 1;
    const { stall, patience } = LIMITS;
    const begun = performance.now();
    const result: DownloadResult = { code: 'complete', message: '', remedy: '', milliseconds: 0, last: undefined, elsewhere: 0 };
    try {
      await acquire(await store, addressSource(url, location.href), {
        env: {
          ...browserEnvironment,
          sleep: (milliseconds, signal) => browserEnvironment.sleep(milliseconds / haste, signal),
          ...(blind ? { estimate: async () => ({}) } : {}),
        },
        limits: { ...LIMITS, stall: { ...stall, milliseconds: hasty ? 500 * haste : stall.milliseconds }, patience },
        signal: new AbortController().signal,
        onProgress: (progress) => (harness.progress = result.last = progress),
        onElsewhere: (progress) => {
          harness.progress = progress;
          result.elsewhere += 1;
        },
        ...(chunkBytes ? { chunkBytes } : {}),
      });
    } catch (thrown) {
      const { code = String(thrown), message = '', remedy = '' } = thrown as Partial<DownloadResult>;
      Object.assign(result, { code, message, remedy });
    }
    return Object.assign(result, { milliseconds: performance.now() - begun });
  },
  /** Chunks and completeness of what is stored. */
  async stored(): Promise<{ url: string; complete: boolean; verification: string | null; bytes: number }[]> {
    const models = await (await store).listAll();
    return models.map(({ url, complete, verification, parts }) => ({ url, complete, verification, bytes: parts.reduce((sum, { length }) => sum + (length ?? 0), 0) }));
  },
  async remove(url: string): Promise<void> {
    await (await store).remove(url);
  },
  /** SHA-256 of a stored model, read as the engine reads it: range by range, and how fast. */
  async read(url: string, rangeBytes: number): Promise<{ digests: string[]; bytes: number; milliseconds: number }> {
    const model = await (await store).find(url);
    if (!model) throw new Error('not stored');
    const begun = performance.now();
    const digests: string[] = [];
    let bytes = 0;
    for (const file of await storedFiles(await store, model)) {
      for (let offset = 0; offset < file.length; offset += rangeBytes) {
        const piece = (await file.read(offset, Math.min(rangeBytes, file.length - offset))) as Uint8Array<ArrayBuffer>;
        bytes += piece.length;
        digests.push([...(await sha256(piece))].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
      }
    }
    return { digests, bytes, milliseconds: performance.now() - begun };
  },
  renderMarkdown,
};

declare global {
  interface Window {
    harness: typeof harness;
  }
}
window.harness = harness;
