/** The worker's entry: extraction, offered through comlink. */
import { expose } from 'comlink';
import { setMessages } from 'web-mamba';
import { engineMessages } from '../../base/engine-messages';
import { toFailure } from '../../base/failure';
import type { DocumentKind, Extracted } from '../../data/document-records';
import { extract, type OnProgress } from './extract';

export interface ExtractWorker {
  extract(file: Blob, named: DocumentKind | undefined, onProgress: OnProgress, password?: string): Promise<Extracted>;
}

/** The page draws each report; a book may have thousands of chapters a second. */
const REPORT_MS = 100;

const calls: ExtractWorker = {
  async extract(file, named, onProgress, password) {
    let reported = 0;
    const seldom: OnProgress = (done, total) => {
      const now = performance.now();
      if (now < reported + REPORT_MS) return;
      reported = now;
      onProgress(done, total);
    };
    try {
      return await extract(new Uint8Array(await file.arrayBuffer()), named, seldom, password);
    } catch (thrown) {
      throw toFailure(thrown).report();
    }
  },
};
setMessages(engineMessages);
expose(calls);
