/** What the documents' view tells the page. */
import type { SummaryRecord, SummaryStyle } from '../documents/records';

export interface DocumentEvents {
  addDocuments: File[];
  addText: string;
  openDocument: string | null;
  removeDocument: string;
  summarise: { style: SummaryStyle; instruction: string };
  pauseSummary: undefined;
  resumeSummary: SummaryRecord;
  removeSummary: SummaryRecord;
  askDocument: string;
  stopDocument: undefined;
  exportText: { name: string; text: string };
}

export type EmitDocument = <Name extends keyof DocumentEvents>(name: Name, ...detail: DocumentEvents[Name] extends undefined ? [] : [DocumentEvents[Name]]) => void;
