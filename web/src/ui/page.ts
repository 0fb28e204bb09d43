/** Puts the components together, passes each its data, and hands their events on as its own. */
import type { ExportFile, PageData, PageEvents, PageView } from '../app/page-data';
import { ChatLog } from './chat-log';
import { Composer } from './composer';
import { DropTarget } from './drop-target';
import { Emitter } from './emitter';
import { ErrorCard } from './error-card';
import { Header } from './header';
import { LicenceDialog } from './licence-dialog';
import { exportFile, permit, saveFile } from './local-files';
import { ModelCard } from './model-card';
import { ModelDialog } from './model-dialog';
import { StatusLine } from './status-line';

export class Page extends Emitter<PageEvents> implements PageView {
  readonly #header = new Header(element('header'));
  readonly #log = new ChatLog(element('log'));
  readonly #error = new ErrorCard(element('error-slot'));
  readonly #composer = new Composer(element('composer'));
  readonly #status = new StatusLine(element('status'));
  readonly #dialog = new ModelDialog(element('model-dialog') as HTMLDialogElement);
  readonly #card = new ModelCard(element('model-card') as HTMLDialogElement);
  readonly #licence = new LicenceDialog(element('licence-dialog') as HTMLDialogElement);
  readonly #drop = new DropTarget(document.body);
  #data: PageData | undefined;
  #drawing = false;

  constructor() {
    super();
    this.#header.on('chooseModel', () => this.#dialog.show());
    this.#header.on('newChat', () => this.#thenWrite(() => this.emit('newChat')));
    this.#header.on('shareState', () => this.emit('shareState'));
    this.#log.on('ask', (text) => this.#thenWrite(() => this.emit('ask', text)));
    this.#log.on('showCard', (card) => void this.#card.show(card));
    this.#composer.on('send', (text) => this.emit('ask', text));
    this.#composer.on('stop', () => this.emit('stop'));
    this.#error.on('retry', () => this.emit('retry'));
    this.#error.on('openEntry', (entry) => this.emit('openEntry', entry));
    this.#error.on('dismiss', () => this.emit('dismiss'));
    this.#dialog.on('openEntry', (entry) => this.emit('openEntry', entry));
    this.#dialog.on('openAddress', (typed) => this.emit('openAddress', typed));
    this.#dialog.on('openFiles', (files) => this.emit('openFiles', files));
    this.#dialog.on('openStored', (model) => this.emit('openStored', model));
    this.#dialog.on('verify', (model) => this.emit('verify', model));
    this.#dialog.on('export', (model) => this.emit('export', model));
    this.#dialog.on('endTask', () => this.emit('endTask'));
    this.#dialog.on('remove', (model) => this.emit('remove', model));
    this.#drop.on('drop', (chosen) => this.emit('openFiles', chosen));
    this.#licence.on('accept', () => this.emit('acceptLicence'));
    this.#licence.on('decline', () => this.emit('declineLicence'));
    this.#status.on('pause', () => this.emit('pause'));
    this.#status.on('resume', () => this.emit('retry'));
    this.#status.on('discard', () => this.emit('discard'));
    document.addEventListener('keydown', (event) => {
      // In a dialog, Escape closes the dialog.
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) this.emit('stop');
    });
  }

  /** Draws at most once a frame, however fast tokens come; a hidden page draws when it is seen again. */
  update(data: PageData): void {
    this.#data = data;
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      if (this.#data) this.#draw(this.#data);
    });
  }

  restoreDraft(text: string): void {
    this.#composer.restoreDraft(text);
  }

  save(name: string, file: Blob): void {
    saveFile(name, file);
  }

  exportFile(name: string): Promise<ExportFile | undefined> {
    return exportFile(name);
  }

  permit(handles: readonly FileSystemFileHandle[]): Promise<void> {
    return permit(handles);
  }

  #draw(data: PageData): void {
    this.#header.update(data);
    this.#log.update(data);
    this.#error.update(data);
    this.#composer.update(data);
    this.#status.update(data);
    this.#dialog.update(data);
    this.#licence.update(data);
  }

  /** The button that was pressed goes away: writing goes on in the message box. */
  #thenWrite(act: () => void): void {
    act();
    this.#composer.focus();
  }
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element #${id}`);
  return found;
}
