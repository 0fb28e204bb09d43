/** The worker's entry: extraction, offered through comlink. */
import { expose } from 'comlink';
import { toFailure } from '../app/failure';
import { extract, type OnProgress } from './extract';
import type { DocumentKind, Extracted } from './records';

export interface ExtractWorker {
  extract(file: Blob, named: DocumentKind | undefined, onProgress: OnProgress): Promise<Extracted>;
}

const calls: ExtractWorker = {
  async extract(file, named, onProgress) {
    try {
      return await extract(new Uint8Array(await file.arrayBuffer()), named, onProgress);
    } catch (thrown) {
      throw toFailure(thrown).report();
    }
  },
};
expose(calls);
