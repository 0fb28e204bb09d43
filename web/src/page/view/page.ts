/** Puts the components together, passes each its data, and hands their events on as its own. */
import { Emitter } from '../../base/emitter';
import { failure, toFailure } from '../../base/failure';
import type { ExportFile, TextFile } from '../../base/files';
import { fill } from '../../base/format';
import { strings } from '../../base/strings';
import { keepFocus } from '../../base/view/focus-keeper';
import { leaveKeysToInputMethods } from '../../base/view/input-method';
import { exportFiles, forgetCopies, permit, saveFile, saveText } from '../../base/view/local-files';
import { fileName } from '../../chat/conversation-files';
import { isOwnSystem, presets } from '../../chat/presets';
import { ChatLog } from '../../chat/view/chat-log';
import { Composer } from '../../chat/view/composer';
import { FiguresPanel } from '../../chat/view/figures-panel';
import { SettingsDialog } from '../../chat/view/settings-dialog';
import { Sidebar } from '../../chat/view/sidebar';
import type { PresetId } from '../../data/conversation-record';
import { DOCUMENT_ENDINGS } from '../../documents/extract/kinds';
import { BesidePanel } from '../../documents/view/beside-panel';
import { DocumentsView } from '../../documents/view/documents-view';
import { loadMarkdown } from '../../markdown/view/prose';
import { LicenceDialog } from '../../models/view/licence-dialog';
import { LinkDialog } from '../../models/view/link-dialog';
import { ModelCard } from '../../models/view/model-card';
import { ModelDialog } from '../../models/view/model-dialog';
import { StatusLine } from '../../models/view/status-line';
import type { PageData, PageEvents, PageView } from '../page-data';
import { pageStrings } from '../page-strings';
import type { Command } from '../palette-items';
import type { Shortcut } from '../shortcuts';
import { DropTarget } from './drop-target';
import { ErrorCard } from './error-card';
import { Header } from './header';
import { LazyPart } from './lazy-part';
import { Notices } from './notices';
import { onShortcut } from './shortcut-keys';

export class Page extends Emitter<PageEvents> implements PageView {
  readonly #header = new Header(element('header'));
  readonly #sidebar = new Sidebar(element('sidebar'), element('backdrop'));
  readonly #log = new ChatLog(element('log'));
  readonly #documents = new DocumentsView(element('documents'), DOCUMENT_ENDINGS);
  readonly #error = new ErrorCard(element('error-slot'), [...document.querySelectorAll('dialog'), element('sidebar')]);
  readonly #notices = new Notices(element('notices'));
  readonly #composer = new Composer(element('composer'), DOCUMENT_ENDINGS);
  readonly #beside = new BesidePanel(element('beside') as HTMLDialogElement);
  readonly #figures = new FiguresPanel(element('figures') as HTMLDetailsElement);
  readonly #status = new StatusLine(element('status'));
  readonly #dialog = new ModelDialog(element('model-dialog') as HTMLDialogElement);
  readonly #settings = new SettingsDialog(element('settings-dialog') as HTMLDialogElement);
  readonly #card = new ModelCard(element('model-card') as HTMLDialogElement);
  readonly #licence = new LicenceDialog(element('licence-dialog') as HTMLDialogElement);
  readonly #link = new LinkDialog(element('link-dialog') as HTMLDialogElement);
  readonly #drop = new DropTarget(document.body);
  readonly #palette = new LazyPart(async () => {
    const { Palette } = await import('./palette');
    const palette = new Palette(element('palette-dialog') as HTMLDialogElement);
    palette.on('command', (command) => this.#run(command));
    return palette;
  });
  readonly #shortcuts = new LazyPart(async () => {
    const { ShortcutSheet } = await import('./shortcut-sheet');
    return new ShortcutSheet(element('shortcuts-dialog') as HTMLDialogElement);
  });
  readonly #kept = new LazyPart(async () => {
    const { KeptDialog } = await import('./kept-dialog');
    const kept = new KeptDialog(element('kept-dialog') as HTMLDialogElement);
    this.#pass(kept, 'forgetAll', 'exportChats');
    return kept;
  });
  readonly #prompts = new LazyPart(async () => {
    const { PromptsDialog } = await import('../../chat/view/prompts-dialog');
    const prompts = new PromptsDialog(element('prompts-dialog') as HTMLDialogElement);
    this.#pass(prompts, 'setPrompts');
    prompts.on('use', (text) => {
      this.emit('showView', 'chat');
      this.#composer.insert(text);
    });
    return prompts;
  });
  #data: PageData | undefined;
  #drawing = false;
  /** Parts that could not be drawn. */
  readonly #failed = new Set<unknown>();

  constructor() {
    super();
    this.#pass(this.#sidebar, 'showView', 'openChat', 'renameChat', 'pinChat', 'removeChat', 'exportChat', 'exportChats', 'importChats', 'searchChats');
    this.#pass(this.#log, 'showBranch', 'showSource');
    this.#pass(this.#beside, 'showBeside');
    for (const name of ['askInstead', 'answerAgain', 'answerBatch', 'carryOn', 'openEntry', 'ask'] as const) {
      this.#log.on(name, (detail) => this.#thenWrite(() => (this.emit as (name: string, detail: unknown) => void).call(this, name, detail)));
    }
    this.#pass(this.#documents, 'addDocuments', 'cancelAdding', 'unlockDocument', 'leaveLocked', 'addText', 'openDocument', 'removeDocument', 'summarise', 'pauseSummary', 'resumeSummary', 'removeSummary', 'askDocument', 'stopDocument');
    this.#pass(this.#composer, 'stop', 'setThinks', 'attach', 'attachText', 'detach', 'unlockAttached', 'putBack', 'showAttached');
    this.#pass(this.#error, 'retry', 'openEntry', 'dismiss');
    this.#dialog.on('shown', () => this.emit('askListings'));
    this.#pass(this.#dialog, 'openEntry', 'openAddress', 'openFiles', 'openStored', 'failed', 'succeeded', 'verify', 'export', 'endTask', 'remove');
    this.#pass(this.#settings, 'instruct', 'setSampling', 'resetSampling', 'setEffort');
    this.#pass(this.#status, 'pause', 'discard');
    this.#pass(this.#notices, 'useNewVersion', 'install', 'declineInstall');
    this.#pass(this.#card, 'failed', 'succeeded');
    this.#pass(this.#drop, 'failed');
    this.#sidebar.on('showPrompts', () => void this.#prompts.show());
    this.#sidebar.on('showKept', () => void this.#kept.show());
    this.#header.on('openMenu', () => this.#sidebar.open());
    this.#header.on('chooseModel', () => this.#dialog.show());
    this.#header.on('openSettings', () => this.#settings.show());
    for (const part of [this.#header, this.#sidebar, this.#notices] as Emitter<{ newChat: undefined }>[]) {
      part.on('newChat', () => this.#thenWrite(() => this.emit('newChat')));
    }
    this.#header.on('shareState', () => this.emit('shareState'));
    this.#log.on('showCard', (card) => void this.#card.show(card));
    this.#log.on('openSettings', () => this.#settings.show());
    this.#log.on('chooseModel', () => this.#dialog.show());
    this.#documents.on('chooseModel', () => this.#dialog.show());
    this.#documents.on('exportText', ({ name, text }) => saveText({ name: `${fileName(name)}.md`, type: 'text/markdown', text }));
    this.#composer.on('send', (text) => this.emit('ask', text));
    this.#licence.on('accept', () => this.emit('acceptLicence'));
    this.#licence.on('decline', () => this.emit('declineLicence'));
    this.#link.on('accept', () => this.emit('answerLink', true));
    this.#link.on('decline', () => this.emit('answerLink', false));
    this.#status.on('resume', () => this.emit('retry'));
    this.#drop.on('models', (chosen) => this.emit('openFiles', chosen));
    this.#drop.on('documents', (files) => this.emit(this.#data?.view === 'documents' ? 'addDocuments' : 'attach', files));
    void forgetCopies();
    // What nobody has caught is said all the same.
    addEventListener('unhandledrejection', ({ reason }) => this.emit('failed', toFailure(reason)));
    addEventListener('error', ({ error }) => error && this.emit('failed', toFailure(error)));
    document.addEventListener('keydown', (event) => {
      // In a dialog, Escape closes the dialog; in the sidebar's fields it is theirs.
      const elsewhere = document.querySelector('dialog:modal') ?? (event.target as Element).closest('#sidebar input');
      if (event.key === 'Escape' && !elsewhere) this.emit('stop');
    });
    onShortcut(document, (shortcut) => this.#press(shortcut));
    // An error that was shown in a dialog moves out of it.
    for (const dialog of document.querySelectorAll('dialog')) dialog.addEventListener('close', () => this.#data && this.update(this.#data));
    this.#label();
    leaveKeysToInputMethods(document);
    keepFocus(document.body);
    // After the first paint, and before the first answer.
    requestAnimationFrame(() => setTimeout(() => void loadMarkdown()));
  }

  /** What `index.html` has no words for. */
  #label(): void {
    element('sidebar').ariaLabel = pageStrings.navigation;
    const skip = element('skip');
    skip.textContent = pageStrings.skip;
    skip.addEventListener('click', (event) => {
      event.preventDefault();
      element(this.#data?.view === 'documents' ? 'documents' : 'chat-input').focus();
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

  saveText(file: TextFile): void {
    saveText(file);
  }

  exportFiles(names: readonly string[]): Promise<ExportFile[] | undefined> {
    return exportFiles(names);
  }

  permit(handles: readonly FileSystemFileHandle[]): Promise<void> {
    return permit(handles);
  }

  #draw(data: PageData): void {
    const chat = data.view === 'chat';
    const shown = chat ? data.chats.title : data.documents.open?.record.name;
    document.title = shown ? fill(pageStrings.titled, { title: shown }) : strings.product;
    element('log').hidden = !chat;
    element('composer').hidden = !chat;
    element('figures').hidden = !chat;
    element('documents').hidden = chat;
    const parts = [
      this.#header, this.#sidebar, ...(chat ? [this.#log] : []), this.#documents, this.#error, this.#notices, this.#composer, this.#figures, this.#status, this.#dialog,
      this.#settings, this.#licence, this.#link, this.#beside, this.#palette, this.#shortcuts, this.#kept, this.#prompts,
    ];
    for (const part of parts) this.#drawPart(part, data);
  }

  /** One that fails takes no other with it, and says so once. */
  #drawPart(part: { update(data: PageData): void }, data: PageData): void {
    try {
      part.update(data);
    } catch (thrown) {
      if (!this.#failed.has(part)) reportError(failure('not-drawn', {}, String(thrown)));
      this.#failed.add(part);
    }
  }

  #press(shortcut: Shortcut): void {
    if (shortcut === 'palette') void this.#palette.show();
    else if (shortcut === 'sheet') void this.#shortcuts.show();
    else if (shortcut === 'newChat') this.#run({ kind: 'newChat' });
    else {
      this.emit('showView', 'chat');
      this.#composer.focus();
    }
  }

  #run(command: Command): void {
    switch (command.kind) {
      case 'newChat': return this.#thenWrite(() => this.emit('newChat'));
      case 'openChat': return this.#thenWrite(() => this.emit('openChat', command.id));
      case 'view': return this.emit('showView', command.view);
      case 'role': return this.#setRole(command.preset);
      case 'model': return this.emit('openStored', command.model);
      case 'models': return this.#dialog.show();
      case 'settings': return this.#settings.show();
      case 'exportChats': return this.emit('exportChats');
      case 'prompts': return void this.#prompts.show();
      case 'kept': return void this.#kept.show();
      case 'shortcuts': return void this.#shortcuts.show();
      case 'how': return void open(`how.html${location.search}`, '_blank', 'noopener');
    }
  }

  /** A system prompt of the visitor's own is not replaced unseen: the settings show it, and bring it back. */
  #setRole(preset: PresetId): void {
    if (this.#data && isOwnSystem(this.#data.chats.instructions)) this.#settings.show();
    else this.emit('instruct', { preset, system: presets[preset].instructions.system });
  }

  /** What a component says under one of these names, the page says too. */
  #pass<Events, Name extends keyof Events & keyof PageEvents>(part: Emitter<Events>, ...names: Name[]): void {
    for (const name of names) part.on(name, (detail) => (this.emit as (name: Name, detail: unknown) => void).call(this, name, detail));
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
