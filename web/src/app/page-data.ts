/** What the controller gives the page to draw, and what the page tells the controller. */
import type { DeviceOptions, ModelInfo, ModelSource, OpenProgress, Room, StoredModel } from 'web-mamba';
import type { SummaryRecord, SummaryStyle } from '../documents/records';
import type { Device } from './capability';
import type { CatalogueEntry } from './catalogue';
import type { ChatsData } from './chats';
import type { AssistantMessage, Instructions, Message, UserMessage } from './conversation';
import type { TextFile } from './conversation-files';
import type { DocumentsData } from './document-desk';
import type { Failure, FailureCode } from './failure';
import type { LinkQuestion } from './link-consent';
import type { Offer } from './offer';
import type { SamplingChange, SamplingChoice } from './sampling';
import type { TransferFigures } from './transfer';

export type ModelStatus =
  | { kind: 'opening'; origin: ModelSource['kind']; progress?: OpenProgress; figures?: TransferFigures }
  /** The visitor paused the download; what has arrived is kept. */
  | { kind: 'paused'; progress: OpenProgress | undefined }
  /** The model's licence waits to be accepted. */
  | { kind: 'licence'; entry: CatalogueEntry }
  /** A link names something of another server, which waits to be agreed to. */
  | { kind: 'link'; question: LinkQuestion }
  /** `rebuilding`: its device was lost, and another is being filled. `beginning`: the state to begin from is still coming. */
  | { kind: 'ready'; info: ModelInfo; rebuilding?: boolean; beginning?: boolean }
  | { kind: 'failed' };

/** A verification or an export. */
export interface StorageTask {
  url: string;
  kind: 'verify' | 'export';
  done: number;
  total: number;
  ended?: boolean;
  /** Damaged chunks that the verification found. */
  bad?: number;
}

export type View = 'chat' | 'documents';

export interface PageData {
  view: View;
  /** Key of the open model in the store; empty until it is known. */
  url: string;
  /** The model's name; empty where none could be made out. */
  name: string;
  /** The catalogue's entry, when the model is one of its own. */
  entry: CatalogueEntry | undefined;
  status: ModelStatus;
  messages: readonly Message[];
  answering: boolean;
  failure: Failure | undefined;
  /** Why what is done here is not kept, for as long as it is so. */
  unkept: Failure | undefined;
  catalogue: readonly CatalogueEntry[];
  stored: readonly StoredModel[];
  room: Room | undefined;
  task: StorageTask | undefined;
  chats: ChatsData;
  documents: DocumentsData;
  /** What the visitor set, and what holds where nothing is set. */
  sampling: { chosen: SamplingChoice; usual: Required<SamplingChoice> };
  /** Tokens that the open model was trained on at once. */
  context: number;
  /** Undefined until it is known. */
  device: Device | undefined;
  /** What this device makes of a model of the catalogue; undefined until the device is known. */
  judged(entry: CatalogueEntry): Offer | undefined;
  /** Something else holds the engine: what was asked waits for it. */
  waitsFor: 'documents' | 'chat' | undefined;
  /** A newer version of the page is stored and waits for a reload. */
  newVersion: boolean;
  /** Address of the page, which relative addresses of the catalogue start from. */
  base: string;
}

export interface PageEvents {
  ask: string;
  stop: undefined;
  newChat: undefined;
  /** Saves the state of the conversation as a file. */
  shareState: undefined;
  showView: View;
  askInstead: { question: UserMessage; text: string };
  answerAgain: AssistantMessage;
  answerSeveral: AssistantMessage;
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
  resetSampling: undefined;
  addDocuments: File[];
  /** Leaves out the file that is being read, and those after it. */
  cancelAdding: undefined;
  addText: string;
  /** Null closes the open one. */
  openDocument: string | null;
  removeDocument: string;
  summarise: { style: SummaryStyle; instruction: string };
  pauseSummary: undefined;
  resumeSummary: SummaryRecord;
  removeSummary: SummaryRecord;
  askDocument: string;
  stopDocument: undefined;
  useNewVersion: undefined;
  openEntry: CatalogueEntry;
  openAddress: string;
  openFiles: ChosenFiles;
  openStored: StoredModel;
  /** The page could not do something that takes no engine. */
  failed: Failure;
  /** What may have failed before with this code has been done. */
  succeeded: FailureCode;
  pause: undefined;
  /** Gives the download up, and what has arrived of it. */
  discard: undefined;
  acceptLicence: undefined;
  declineLicence: undefined;
  /** Whether what a link names may be fetched. */
  answerLink: boolean;
  verify: StoredModel;
  export: StoredModel;
  endTask: undefined;
  remove: StoredModel;
  retry: undefined;
  dismiss: undefined;
}

/** Files of this computer; handles where the browser gives them, so that they can be read in place and opened again. */
export interface ChosenFiles {
  files: File[];
  handles?: FileSystemFileHandle[];
}

/** Where an export goes. */
export interface ExportFile {
  handle: FileSystemFileHandle;
  /** Hands the written file to the visitor, where it is not already in its place. */
  finish(): Promise<void>;
}

/** The page as the controller sees it. */
export interface PageView {
  update(data: PageData): void;
  on<Name extends keyof PageEvents>(name: Name, listener: (detail: PageEvents[Name]) => void): void;
  /** Puts text back into the message box, unless something is written there. */
  restoreDraft(text: string): void;
  /** Hands the visitor a file. */
  save(name: string, file: Blob): void;
  /** Hands a text to the visitor as a file. */
  saveText(file: TextFile): void;
  /** Asks where to export files of these names to; undefined when the visitor thinks better of it. */
  exportFiles(names: readonly string[]): Promise<ExportFile[] | undefined>;
  /** Asks for leave to read files in place; does nothing where it is given already. */
  permit(handles: readonly FileSystemFileHandle[]): Promise<void>;
}

/** What is shown, as the address says it. */
export interface Shown {
  /** `?view=`. */
  view: View;
  /** `?chat=`: the conversation that is shown. */
  chat: string | null;
  /** `?document=`. */
  shownDocument: string | null;
}

/** What the page's address asks for; the address is the one place where the choice of a model, and of what is shown, is kept. */
export interface PageAddress extends Shown {
  readonly base: string;
  readonly device: DeviceOptions;
  /** `?model=`: a catalogue id, an address, or the key of a stored model. */
  model: string | null;
  /** `?state=`: the address of a saved state to begin from. */
  state: string | null;
  /** Moves on to what is shown next, so that the browser's way back leads here again. Setting a value only corrects the address. */
  go(shown: Partial<Shown>): void;
  /** Calls back when the visitor went back or forth. */
  onReturn(listener: () => void): void;
}
