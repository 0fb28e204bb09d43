/** What the chat's views show, and what they tell the page. */
import type { AssistantMessage, Instructions, Message, UserMessage } from '../data/conversation-record';
import type { Effort } from '../models/effort';
import type { ModelsData } from '../models/models-data';
import type { ChatsData } from './chats';
import type { OwnPrompt } from './own-prompts';
import type { SamplingChange, SamplingChoice } from './sampling';

export interface ChatData extends ModelsData {
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
  setSampling: SamplingChange;
  setThinks: boolean;
  setPrompts: readonly OwnPrompt[];
  pinChat: { id: string; pinned: boolean };
  setEffort: Effort;
  resetSampling: undefined;
}
