/** What the models' views show, and what they tell the page. */
import type { Listing, ModelInfo, ModelSource, OpenProgress, Room, StoredModel, TunedOrder } from 'web-mamba';
import type { ChosenFiles, ExportFile } from '../base/files';
import type { Device } from './capability';
import type { CatalogueEntry } from './catalogue';
import type { LinkQuestion } from './link-consent';
import type { Offer } from './offer';
import type { TransferFigures } from './transfer';

export type ModelStatus =
  | { kind: 'opening'; origin: ModelSource['kind']; progress?: OpenProgress; figures?: TransferFigures }
  /** The visitor paused the download; what has arrived is kept. */
  | { kind: 'paused'; progress: OpenProgress | undefined }
  /** The model's licence waits to be accepted. `bytes`: what the hub says that it has; absent where it could not be asked. */
  | { kind: 'licence'; entry: CatalogueEntry; bytes?: number }
  /** A link names something of another server, which waits to be agreed to. */
  | { kind: 'link'; question: LinkQuestion }
  /** `rebuilding`: its device was lost, and another is being filled. `beginning`: the state to begin from is still coming. */
  | { kind: 'ready'; info: ModelInfo; rebuilding?: boolean; beginning?: boolean }
  | { kind: 'failed' };

/** A tuned state that new conversations begin from. */
export interface TunedState {
  /** What answers ask for it by. */
  beginning: string;
  /** Of its file. */
  name: string;
  /** Of its numbers; none where this engine saved it. */
  order: TunedOrder | undefined;
}

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

/** What the visitor may be asked about a model, by a page that is doing something else the rest of the time. */
export type Question =
  | Extract<ModelStatus, { kind: 'licence' | 'link' }>
  | { kind: Exclude<ModelStatus['kind'], 'licence' | 'link'> | 'idle' | 'measuring' | 'done' };

export interface ModelsData {
  /** Key of the open model in the store; empty until it is known. */
  url: string;
  /** What new conversations begin from, where that is not zeros. */
  tuned: TunedState | undefined;
  /** The model's name; empty where none could be made out. */
  name: string;
  /** The catalogue's entry, when the model is one of its own. */
  entry: CatalogueEntry | undefined;
  status: ModelStatus;
  catalogue: readonly CatalogueEntry[];
  stored: readonly StoredModel[];
  room: Room | undefined;
  task: StorageTask | undefined;
  /** Tokens that the open model was trained on at once. */
  context: number;
  /** Undefined until it is known. */
  device: Device | undefined;
  /** What this device makes of a model of the catalogue; undefined until the device is known. */
  judged(entry: CatalogueEntry): Offer | undefined;
  /** What the hub says of a file that may not be there; undefined where it is not in question, or not known yet. */
  listing(entry: CatalogueEntry): Listing | undefined;
  /** Address of the page, which relative addresses of the catalogue start from. */
  base: string;
}

export interface ModelEvents {
  /** The choice of a model is shown: what is not confirmed is asked for. */
  askListings: undefined;
  openEntry: CatalogueEntry;
  openAddress: string;
  openFiles: ChosenFiles;
  openStored: StoredModel;
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
}

/** What the page does with files of models. */
export interface ModelsView {
  /** Asks where to export files of these names to; undefined when the visitor thinks better of it. */
  exportFiles(names: readonly string[]): Promise<ExportFile[] | undefined>;
  /** Asks for leave to read files in place; does nothing where it is given already. */
  permit(handles: readonly FileSystemFileHandle[]): Promise<void>;
}
