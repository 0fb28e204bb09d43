/** What is kept of a conversation: its messages as a tree, and the instructions of the model. Plain data. */
import type { StopReason } from 'web-mamba';

/** How an answer went, as its reader saw it. */
export interface AnswerStats {
  tokens: number;
  /** Seconds from the question to the first token. */
  firstToken: number;
  /** Tokens per second after the first; 0 for answers of one token. */
  rate: number;
  /** Tokens of prompt and answer, which is how far the model has read. */
  position?: number;
}

export type MessageState =
  /** No word yet. */
  | { kind: 'waiting'; prefill?: { done: number; total: number } }
  | { kind: 'streaming' }
  | { kind: 'done'; stop: StopReason; stats: AnswerStats }
  /** It was written elsewhere, and came with a saved state. */
  | { kind: 'imported' };

/** What earlier versions called `imported`, in what they stored and exported. */
export const EARLIER_IMPORTED = 'told';

interface Node {
  /** Unique within its conversation, ascending. */
  id: number;
  /** What it follows; null for a first question. */
  parent: number | null;
  text: string;
}

/** A document that a chat is answered from. It may have been deleted since. */
export interface Attachment {
  /** Of the document. */
  id: string;
  name: string;
}

/** A part of a document that was read for a question. */
export interface PartRead {
  /** Its id. */
  documentId: string;
  start: number;
  end: number;
  /** All of it: it stays before the questions that follow. A passage is read for its own question alone. */
  whole?: boolean;
}

/** A sentence of a document that an answer goes back to. */
export interface Source {
  documentId: string;
  name: string;
  start: number;
  end: number;
  quote: string;
  /** What readers call the place where it stands; empty where it has no name. */
  place: string;
}

export interface UserMessage extends Node {
  role: 'user';
  /** What was read for it of the documents that are attached; absent where nothing was. */
  read?: PartRead[];
}

export interface AssistantMessage extends Node {
  role: 'assistant';
  state: MessageState;
  /** Absent where no document was read for it; empty where no sentence there has its words. */
  sources?: Source[];
}

export type Message = UserMessage | AssistantMessage;

/** The roles that a conversation can begin with. */
export type PresetId = 'assistant' | 'translator' | 'service' | 'analyst' | 'writer';

/** The instructions of the model in one conversation. */
export interface Instructions {
  preset: PresetId;
  /** The system prompt; empty for none. */
  system: string;
  /** What the model may rely on, pasted by the visitor; only some presets use it. */
  knowledge: string;
}

/** A conversation as it is stored and exported. */
export interface ConversationRecord extends Instructions {
  id: string;
  title: string;
  /** Milliseconds since 1970. */
  created: number;
  updated: number;
  messages: Message[];
  /** The last message of the branch that is shown. */
  leaf: number | null;
  /** Documents that it is answered from. */
  attachments?: Attachment[];
  /** The tuned state that it began from, by the engine's name; absent for zeros. */
  beginning?: string;
  /** It stands above the others in the list. */
  pinned?: true;
  /** How often it was stored; another tab that stores it is noticed by this. */
  revision?: number;
}
