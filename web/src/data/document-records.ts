/** What is kept of a document: its text with places, its summaries, its questions. */

export type DocumentKind = 'pdf' | 'docx' | 'epub' | 'rtf' | 'html' | 'markdown' | 'text';

/** A point in the text that readers know by name: a page, a chapter, a heading. */
export interface Place {
  /** Of its first character. */
  offset: number;
  label: string;
  /** Where it is a page. */
  page?: number;
}

/** What a reader should know of how a file was read. */
export type ExtractNote =
  /** Some of its pages are pictures. */
  | { kind: 'empty-pages'; empty: number; pages: number }
  /** The encoding that its bytes were taken to have, where they do not say so. */
  | { kind: 'encoding'; name: string };

/** What extraction gives. */
export interface Extracted {
  text: string;
  places: Place[];
  /** What its bytes say that it is. */
  kind?: DocumentKind;
  notes?: ExtractNote[];
}

export interface DocumentRecord {
  id: string;
  name: string;
  kind: DocumentKind;
  added: number;
  characters: number;
  notes?: ExtractNote[];
}

export interface DocumentText {
  id: string;
  text: string;
  places: Place[];
}

export type SummaryStyle = 'short' | 'detailed' | 'bullets' | 'facts' | 'custom';

/** A part of the text that is read at once. */
export interface Section {
  start: number;
  end: number;
  tokens: number;
}

export interface SectionSummary extends Section {
  /** Null until it is written. */
  summary: string | null;
  /** Who wrote it, where that is another model than the one that goes on. */
  modelName?: string;
}

/** Tokens of a prompt: those that were read for it, and those that were known from before. */
export interface ReadFigures {
  read: number;
  known: number;
}

export interface SummaryRecord {
  id: string;
  documentId: string;
  style: SummaryStyle;
  /** What the visitor asked for, where the style is `custom`. */
  instruction: string;
  /** Key and name of the model that writes it. */
  model: string;
  modelName: string;
  started: number;
  /** One for a document that is read in one pass; none until a model has cut the text. */
  sections: SectionSummary[];
  /** Of a document that was read in one pass. */
  figures?: ReadFigures;
  /** Null until it is written. */
  result: string | null;
}

/** A question about a document. */
export interface QuestionRecord {
  id: string;
  documentId: string;
  asked: number;
  question: string;
  answer: string;
  /** The parts of the text that were read for it; empty where all of it was. */
  passages: Section[];
  figures?: ReadFigures;
}
