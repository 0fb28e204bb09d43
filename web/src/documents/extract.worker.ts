/** The worker's entry: extraction, offered through comlink. */
import { expose } from 'comlink';
import { toFailure } from '../app/failure';
import { extract } from './extract';
import type { DocumentKind, Extracted } from './records';

export interface ExtractWorker {
  extract(file: Blob, kind: DocumentKind, onPage: (done: number, total: number) => void): Promise<Extracted>;
}

const calls: ExtractWorker = {
  async extract(file, kind, onPage) {
    try {
      return await extract(new Uint8Array(await file.arrayBuffer()), kind, onPage);
    } catch (thrown) {
      throw toFailure(thrown).report();
    }
  },
};
expose(calls);
