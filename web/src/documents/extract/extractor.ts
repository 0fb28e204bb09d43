/** The page's side of the extraction worker, which lives as long as one file, and no longer than that gets on. */
import { proxy, wrap } from 'comlink';
import { abortable } from '../../base/abortable';
import { failure, toFailure } from '../../base/failure';
import type { DocumentKind, Extracted } from '../../data/document-records';
import type { OnProgress } from './extract';
import type { ExtractWorker } from './extract.worker';

/** `named`: the kind by the file's name and type. `signal` gives the file up, with its worker. `password`: of a PDF that is locked. */
export type Extract = (file: Blob, named: DocumentKind | undefined, onProgress: OnProgress, signal: AbortSignal, password?: string) => Promise<Extracted>;

/** Between two signs of progress. The largest file that is read at once takes a quarter of it on a slow machine. */
const MOST_SECONDS = 60;

export const extractInWorker: Extract = async (file, named, onProgress, signal, password) => {
  const worker = new Worker(new URL('./extract.worker.ts', import.meta.url), { type: 'module', name: 'extract' });
  const broken = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => reject(failure('extract', {}, event.message ?? '')));
  });
  const watch = new StallWatch(MOST_SECONDS);
  const progress: OnProgress = (done, total) => {
    watch.reset();
    onProgress(done, total);
  };
  try {
    return await abortable(Promise.race([wrap<ExtractWorker>(worker).extract(file, named, proxy(progress), password), broken, watch.stalled]), signal);
  } catch (thrown) {
    throw toFailure(thrown);
  } finally {
    watch.end();
    worker.terminate();
  }
};

/** Counts seconds that the page was awake for: a machine that slept is not to blame on the file. */
export class StallWatch {
  /** Rejects with `too-long` once `most` seconds have gone without a reset. */
  readonly stalled: Promise<never>;
  #seconds = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(most: number) {
    this.stalled = new Promise((_, reject) => {
      this.#timer = setInterval(() => {
        this.#seconds += 1;
        if (this.#seconds >= most) reject(failure('too-long', {}, `no progress for ${most} s`));
      }, 1000);
    });
  }

  reset(): void {
    this.#seconds = 0;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
