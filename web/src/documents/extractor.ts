/** The page's side of the extraction worker, which lives as long as one file. */
import { proxy, wrap } from 'comlink';
import { failure, toFailure } from '../app/failure';
import type { ExtractWorker } from './extract.worker';
import type { DocumentKind, Extracted } from './records';

export type Extract = (file: Blob, kind: DocumentKind, onPage: (done: number, total: number) => void) => Promise<Extracted>;

export const extractInWorker: Extract = async (file, kind, onPage) => {
  const worker = new Worker(new URL('./extract.worker.ts', import.meta.url), { type: 'module', name: 'extract' });
  const broken = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => reject(failure('extract', {}, event.message ?? '')));
  });
  try {
    return await Promise.race([wrap<ExtractWorker>(worker).extract(file, kind, proxy(onPage)), broken]);
  } catch (thrown) {
    throw toFailure(thrown);
  } finally {
    worker.terminate();
  }
};
