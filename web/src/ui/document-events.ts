/** What the documents' view tells the page. */
import type { PageEvents } from '../app/page-data';

export interface DocumentEvents
  extends Pick<
    PageEvents,
    | 'addDocuments' | 'cancelAdding' | 'addText' | 'openDocument' | 'removeDocument' | 'summarise' | 'pauseSummary' | 'resumeSummary' | 'removeSummary'
    | 'askDocument' | 'stopDocument'
  > {
  chooseModel: undefined;
  exportText: { name: string; text: string };
}

export type EmitDocument = <Name extends keyof DocumentEvents>(name: Name, ...detail: DocumentEvents[Name] extends undefined ? [] : [DocumentEvents[Name]]) => void;
