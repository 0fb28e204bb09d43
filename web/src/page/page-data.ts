/** What the controller gives the page to draw, and what the page tells the controller. */
import type { MambaError, FailureCode } from '../base/failure';
import type { TextFile } from '../base/files';
import type { View } from '../base/page-address';
import type { ChatData, ChatEvents } from '../chat/chat-data';
import type { DocumentEvents, DocumentsViewData } from '../documents/documents-data';
import type { ModelEvents, ModelsView } from '../models/models-data';
import type { KeptRow } from './kept';

export interface PageData extends ChatData, DocumentsViewData {
  view: View;
  failure: MambaError | undefined;
  /** Why what is done here is not kept, for as long as it is so. */
  unkept: MambaError | undefined;
  /** A newer version of the page is stored and waits for a reload. */
  newVersion: boolean;
  /** Everything that was kept has just been deleted, or all but what another tab holds. */
  erased: 'all' | 'partly' | undefined;
  /** The visitor is told that the page can be installed. */
  installHint: boolean;
  /** What the page keeps on this device. */
  kept(): Promise<KeptRow[]>;
}

export interface PageEvents extends ModelEvents, ChatEvents, DocumentEvents {
  showView: View;
  useNewVersion: undefined;
  /** The page could not do something that takes no engine. */
  failed: MambaError;
  /** What may have failed before with this code has been done. */
  succeeded: FailureCode;
  dismiss: undefined;
  install: undefined;
  declineInstall: undefined;
  /** Deletes all that is kept here. */
  forgetAll: undefined;
}

/** The page as the controller sees it. */
export interface PageView extends ModelsView {
  update(data: PageData): void;
  on<Name extends keyof PageEvents>(name: Name, listener: (detail: PageEvents[Name]) => void): void;
  /** Puts text back into the message box, unless something is written there. */
  restoreDraft(text: string): void;
  /** Hands the visitor a file. */
  save(name: string, file: Blob): void;
  /** Hands a text to the visitor as a file. */
  saveText(file: TextFile): void;
}
