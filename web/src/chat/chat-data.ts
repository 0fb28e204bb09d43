/** What the chat's views show, and what they tell the page. */
import type { MambaError } from '../base/failure';
import type { AssistantMessage, Instructions, Message, Source, UserMessage } from '../data/conversation-record';
import type { Effort } from '../models/effort';
import type { ModelsData } from '../models/models-data';
import type { ChatsData } from './chats';
import type { OwnPrompt } from './own-prompts';
import type { SamplingChange, SamplingChoice } from './sampling';

/** A document that a chat is answered from, or a file on its way to become one. */
export interface AttachmentState {
  /** The document's id, or a name of its own while there is none. */
  key: string;
  name: string;
  state:
    /** Pages of it; no total where that is unknown. */
    | { kind: 'arriving'; done: number; total: number }
    /** `locked`: it can be opened with its password. */
    | { kind: 'failed'; failure: MambaError; locked: boolean }
    /** `pasted`: the text that it was made of just now, and can be made again. */
    | { kind: 'here'; pasted?: string }
    | { kind: 'deleted' };
}

export interface ChatData extends ModelsData {
  /** Of the chat that is shown. */
  attached: readonly AttachmentState[];
  messages: readonly Message[];
  answering: boolean;
  chats: ChatsData;
  /** What the visitor set, and what holds where nothing is set. */
  sampling: { chosen: SamplingChoice; usual: Required<SamplingChoice> };
  /** Whether a model that can think does so before it answers. */
  thinks: boolean;
  /** How much of the machine's time a model takes. */
  effort: Effort;
  /** The visitor's own. */
  prompts: readonly OwnPrompt[];
  /** Something else holds the engine: what was asked waits for it. */
  waitsFor: 'documents' | 'chat' | undefined;
}

export interface ChatEvents {
  ask: string;
  stop: undefined;
  newChat: undefined;
  /** Saves the state of the conversation as a file. */
  shareState: undefined;
  askInstead: { question: UserMessage; text: string };
  answerAgain: AssistantMessage;
  answerBatch: AssistantMessage;
  carryOn: AssistantMessage;
  showBranch: number;
  openChat: string;
  renameChat: { id: string; title: string };
  removeChat: string;
  exportChat: { id: string; as: 'markdown' | 'json' };
  exportChats: undefined;
  importChats: File;
  searchChats: string;
  /** What is absent stays as it is. */
  instruct: Partial<Instructions>;
  /** Files become documents that the chat is answered from. */
  attach: File[];
  /** So does a long text. */
  attachText: string;
  /** The key of an attachment: the document itself stays, a file that is on its way is called off. */
  detach: string;
  /** The password of an attachment that failed for want of it. */
  unlockAttached: { key: string; password: string };
  /** The key of a text that was attached: it is no document any more. */
  putBack: string;
  showSource: Source;
  showAttached: string;
  setSampling: SamplingChange;
  setThinks: boolean;
  setPrompts: readonly OwnPrompt[];
  pinChat: { id: string; pinned: boolean };
  setEffort: Effort;
  resetSampling: undefined;
}
