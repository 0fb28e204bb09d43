/** What the documents' views show, and what they tell the page. */
import type { View } from '../base/page-address';
import type { SummaryRecord, SummaryStyle } from '../data/document-records';
import type { ModelsData } from '../models/models-data';
import type { DocumentsData } from './documents-controller';

export interface DocumentsViewData extends ModelsData {
  view: View;
  documents: DocumentsData;
}

export interface DocumentEvents {
  addDocuments: File[];
  /** Leaves out the file that is being read, and those after it. */
  cancelAdding: undefined;
  unlockDocument: { file: File; password: string };
  /** A file that asks for its password is not wanted any more. */
  leaveLocked: File;
  addText: string;
  /** Null closes the open one. */
  openDocument: string | null;
  removeDocument: string;
  summarise: { style: SummaryStyle; instruction: string };
  pauseSummary: undefined;
  resumeSummary: SummaryRecord;
  removeSummary: SummaryRecord;
  /** Shows a document beside the chat; null closes it. */
  showBeside: string | null;
  askDocument: string;
  stopDocument: undefined;
}

/** What the documents' view tells beside that. */
export interface DocumentsViewEvents extends DocumentEvents {
  chooseModel: undefined;
  exportText: { name: string; text: string };
}

export type EmitDocument = <Name extends keyof DocumentsViewEvents>(name: Name, ...detail: DocumentsViewEvents[Name] extends undefined ? [] : [DocumentsViewEvents[Name]]) => void;
