/** The page's side of the extraction worker, which lives as long as one file. */
import { proxy, wrap } from 'comlink';
import { abortable } from '../app/abortable';
import { failure, toFailure } from '../app/failure';
import type { ExtractWorker } from './extract.worker';
import type { DocumentKind, Extracted } from './records';

/** `signal` gives the file up, with its worker. */
export type Extract = (file: Blob, kind: DocumentKind, onPage: (done: number, total: number) => void, signal: AbortSignal) => Promise<Extracted>;

export const extractInWorker: Extract = async (file, kind, onPage, signal) => {
  const worker = new Worker(new URL('./extract.worker.ts', import.meta.url), { type: 'module', name: 'extract' });
  const broken = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => reject(failure('extract', {}, event.message ?? '')));
  });
  try {
    return await abortable(Promise.race([wrap<ExtractWorker>(worker).extract(file, kind, proxy(onPage)), broken]), signal);
  } catch (thrown) {
    throw toFailure(thrown);
  } finally {
    worker.terminate();
  }
};
