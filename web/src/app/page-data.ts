/** What the controller gives the page to draw, and what the page tells the controller. */
import type { DeviceOptions, ModelInfo, OpenProgress, StoredModel } from '../engine/protocol';
import type { CatalogueEntry } from './catalogue';
import type { Message } from './conversation';
import type { Failure } from './failure';

export type ModelStatus =
  | { kind: 'opening'; origin: 'address' | 'files' | 'stored'; progress?: OpenProgress }
  | { kind: 'ready'; info: ModelInfo }
  | { kind: 'failed' };

export interface PageData {
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
  catalogue: readonly CatalogueEntry[];
  stored: readonly StoredModel[];
  /** Address of the page, which relative addresses of the catalogue start from. */
  base: string;
}

export interface PageEvents {
  ask: string;
  stop: undefined;
  newChat: undefined;
  openEntry: CatalogueEntry;
  openAddress: string;
  openFiles: File[];
  openStored: StoredModel;
  remove: StoredModel;
  retry: undefined;
  dismiss: undefined;
}

/** The page as the controller sees it. */
export interface PageView {
  update(data: PageData): void;
  on<Name extends keyof PageEvents>(name: Name, listener: (detail: PageEvents[Name]) => void): void;
  /** Puts text back into the message box, unless something is written there. */
  restoreDraft(text: string): void;
}

/** What the page's address asks for; the address is the one place where the choice of a model is kept. */
export interface PageAddress {
  readonly base: string;
  readonly device: DeviceOptions;
  /** `?model=`: a catalogue id, an address, or the key of a stored model. */
  model: string | null;
}
