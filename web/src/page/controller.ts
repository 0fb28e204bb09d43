/** Wires the page to the engine: the only place that knows both. Holds what the page shows and redraws it after every change. */
import type { EngineWorker } from 'web-mamba';
import { toFailure, type MambaError, type Tell } from '../base/failure';
import type { PageAddress, Shown } from '../base/page-address';
import { Turns } from '../base/turns';
import { chatStrings } from '../chat/chat-strings';
import { BATCH_SIZE, Chats } from '../chat/chats';
import { ConversationStore } from '../chat/conversation-store';
import { presets } from '../chat/presets';
import { defaultSampling } from '../chat/sampling';
import { SettingsStore } from '../chat/settings-store';
import type { AppDatabase } from '../data/app-database';
import { DocumentStore } from '../documents/document-store';
import { DocumentsController } from '../documents/documents-controller';
import type { Extract } from '../documents/extract/extractor';
import { inspectDevice, type Device } from '../models/capability';
import { dutyCycleFor, type Situation, type WatchSituation } from '../models/effort';
import { Fits } from '../models/fits';
import { Listings } from '../models/listings';
import { catalogue } from '../models/catalogue';
import { chooseAddress, chooseEntry, chooseFiles, chooseParam, chooseStored, type Choice } from '../models/choice';
import type { Agreed } from '../models/link-consent';
import { ModelLoader } from '../models/model-loader';
import { DownloadSpeed } from '../models/download-speed';
import { offerOf, type Measured } from '../models/offer';
import { rateOf } from '../models/rate-estimate';
import { SpeedEstimates } from '../models/speed-estimates';
import { StorageTasks } from '../models/storage-tasks';
import { keptHere } from './kept';
import { Attaching } from './attaching';
import type { PageView } from './page-data';
import { pageStrings } from './page-strings';

/** Tells when a newer version of the page is stored, and moves on to it. */
export interface Updates {
  readonly waiting: boolean;
  onChange(listener: () => void): void;
  use(): void;
}

/** The browser's offer to install the page as an app. */
export interface InstallOffer {
  readonly isOffered: boolean;
  onChange(listener: () => void): void;
  ask(): void;
}

export interface Surroundings {
  database: AppDatabase;
  extract: Extract;
  updates: Updates;
  inspect?: () => Promise<Device>;
  watchSituation?: WatchSituation;
  /** Addresses of links that the visitor has agreed to. */
  agreed?: Agreed;
  install?: InstallOffer;
  /** Sizes of the page's own files that are kept. */
  files?: () => Promise<number[]>;
  /** Deletes all that is kept, and begins anew. */
  eraseAll?: () => void;
  /** What came of that, where the page has just begun anew. */
  erased?: 'all' | 'partly' | undefined;
}

export class Controller {
  #failure: MambaError | undefined;
  /** What was being done when it came. */
  #failedAbout: string | undefined;
  #device: Device | undefined;
  #situation: Situation = { hidden: false, onBattery: false };
  #dutyCycle = 1;
  /** The visitor is being told, in this visit and never again, that the page can be installed. */
  #installHint = false;
  readonly #fits: Fits;
  readonly #downloads: DownloadSpeed;
  readonly #listings: Listings;
  readonly #turns = new Turns();
  readonly #settings: SettingsStore;
  readonly #storage: StorageTasks;
  readonly #loader: ModelLoader;
  readonly #chats: Chats;
  readonly #documents: DocumentsController;
  readonly #attaching: Attaching;
  readonly #speeds: SpeedEstimates;
  readonly #measured: Measured = {
    seconds: (bytes) => this.#downloads.seconds(bytes),
    rate: (entry, backend) => rateOf(entry, backend, this.#speeds, this.address.base),
  };

  constructor(
    private readonly page: PageView,
    private readonly engine: EngineWorker,
    private readonly address: PageAddress,
    private readonly surroundings: Surroundings,
  ) {
    const { database, extract, updates } = surroundings;
    const changed = () => this.#update();
    const failed: Tell = (failure, about) => this.#fail(failure, about);
    const turns = this.#turns;
    const speeds = (this.#speeds = new SpeedEstimates(database, () => `${this.#loader.url} ${this.#loader.info?.backend ?? ''}`));
    const device = (surroundings.inspect ?? inspectDevice)();
    void device.then((known) => {
      this.#device = known;
      this.#update();
    });
    this.#downloads = new DownloadSpeed(database);
    this.#fits = new Fits(engine, device, changed);
    this.#listings = new Listings(engine, address.base, changed);
    void this.#fits.situation();
    this.#settings = new SettingsStore(database);
    this.#storage = new StorageTasks(engine, page, changed, failed);
    const loader = (this.#loader = new ModelLoader(engine, page, address, this.#storage, this.#fits, { changed, failed, stateOpened: (state) => this.#chats.begin(state), downloads: (rate) => this.#downloads.take(rate) }, surroundings.agreed));
    this.#attaching = new Attaching({
      intake: () => this.#documents.intake(),
      attach: (chat, attachment) => this.#chats.attach(chat, attachment),
      changed,
    });
    this.#chats = new Chats({
      readings: {
        arrived: (chat) => this.#attaching.arrived(chat),
        choose: (...asked) => this.#documents.readings.choose(...asked),
        prompt: (...asked) => this.#documents.readings.prompt(...asked),
        sources: (...asked) => this.#documents.readings.sources(...asked),
      },
      cited: ({ documentId, start, end }) => void this.#documents.follow(documentId, { start, end }),
      engine, loader, turns, speeds, changed, failed, settings: this.#settings, store: new ConversationStore(database),
      restoreDraft: (text) => page.restoreDraft(text),
      located: (id) => (address.chat = id),
    });
    this.#documents = new DocumentsController({
      engine, extract, loader, turns, speeds, changed, failed, store: new DocumentStore(database),
      located: (id) => (address.shownDocument = id),
    });
    updates.onChange(changed);
    surroundings.install?.onChange(changed);
    page.on('install', () => {
      this.#installHint = false;
      surroundings.install?.ask();
    });
    page.on('declineInstall', () => {
      this.#installHint = false;
      this.#update();
    });
    surroundings.watchSituation?.((situation) => {
      this.#situation = situation;
      this.#takeItsShare();
    });
    this.#listenToModels();
    this.#listenToChats();
    this.#listenToDocuments();
    address.onReturn(() => void this.#return());
    page.on('showView', (view) => this.#go({ view }));
    page.on('useNewVersion', () => updates.use());
    page.on('failed', (fault) => this.#fail(fault, fault.code));
    page.on('succeeded', (code) => this.#fail(undefined, code));
    database.onUnkept((unkept) => this.#fail(unkept, 'unkept'));
    database.onClosed(() => void this.#readAgain());
    page.on('dismiss', () => this.#fail(undefined));
    page.on('forgetAll', () => surroundings.eraseAll?.());
  }

  /** The engine broke, and the model that was open in it is open no more. */
  engineCrashed(fault: MambaError): void {
    this.#loader.crashed(fault);
  }

  start(): void {
    this.#open(() => chooseParam(this.address.model, this.address.base));
    void this.#restore();
  }

  /** The site's data may be gone: the lists show what is there; the conversations read theirs again by themselves. What is open stays. */
  async #readAgain(): Promise<void> {
    await Promise.all([this.#documents.list(), this.#storage.list()]);
  }

  /** What the address names, as it was left. */
  async #restore(): Promise<void> {
    const { chat, shownDocument } = this.address;
    await this.#guarded('settings', () => this.#settings.read());
    this.#takeItsShare();
    await Promise.all([this.#chats.list(), this.#documents.list(), this.#downloads.read()]);
    if (chat !== null) await this.#chats.open(chat);
    if (shownDocument !== null) await this.#documents.open(shownDocument);
  }

  /** The visitor went back or forth: what the address names now is shown; the model that is open stays. */
  async #return(): Promise<void> {
    const { chat, shownDocument } = this.address;
    const { source, param } = this.#loader.choice ?? {};
    if (source && source.kind !== 'files') this.address.model = param ?? null;
    if (chat === null && this.#chats.messages.length > 0) this.#chats.newChat();
    else if (chat !== null && chat !== this.#chats.data.current) await this.#chats.open(chat);
    if (shownDocument !== (this.#documents.data.open?.record.id ?? null)) await this.#documents.open(shownDocument);
    this.#update();
  }

  #listenToModels(): void {
    const { page } = this;
    const { base } = this.address;
    page.on('askListings', () => void this.#listings.ask());
    page.on('openEntry', (entry) => this.#openOther(() => chooseEntry(entry, base)));
    page.on('openAddress', (typed) => this.#openOther(() => chooseAddress(typed, base)));
    page.on('openFiles', ({ files, handles }) => this.#openOther(() => chooseFiles(files, handles)));
    page.on('openStored', ({ url, name }) => this.#openOther(() => chooseStored(url, name, base)));
    page.on('retry', () => this.#open(() => this.#loader.choice ?? chooseParam(this.address.model, base)));
    page.on('pause', () => this.#loader.end('pause'));
    page.on('discard', () => this.#loader.discard());
    page.on('acceptLicence', () => this.#loader.answerLicence(true));
    page.on('declineLicence', () => this.#loader.answerLicence(false));
    page.on('answerLink', (accepted) => this.#loader.answerLink(accepted));
    page.on('verify', (model) => void this.#storage.verify(model));
    page.on('export', (model) => void this.#storage.export(model));
    page.on('endTask', () => void this.#storage.end());
    page.on('remove', (model) => void this.#storage.remove(model));
  }

  #listenToChats(): void {
    const { page } = this;
    const chats = this.#chats;
    const speakers = { user: chatStrings.you, assistant: chatStrings.model };
    page.on('ask', (text) => {
      this.#attaching.forgetPasted();
      void chats.ask(text);
    });
    page.on('askInstead', ({ question, text }) => void chats.askInstead(question, text));
    page.on('answerAgain', (answer) => void chats.answerAgain(answer));
    page.on('answerBatch', (answer) => void chats.answerAgain(answer, BATCH_SIZE));
    page.on('carryOn', (answer) => void chats.carryOn(answer));
    page.on('showBranch', (id) => chats.showBranch(id));
    page.on('stop', () => {
      chats.stop();
      this.#documents.stopAnswer();
    });
    page.on('newChat', () => {
      this.#go({ view: 'chat', chat: null });
      chats.newChat();
    });
    page.on('openChat', (id) => {
      this.#go({ view: 'chat', chat: id });
      void chats.open(id);
    });
    page.on('renameChat', ({ id, title }) => void chats.rename(id, title));
    page.on('pinChat', ({ id, pinned }) => void chats.pin(id, pinned));
    page.on('removeChat', (id) => void chats.remove(id));
    page.on('searchChats', (query) => void chats.list(query));
    page.on('importChats', (file) => void chats.import(file));
    page.on('exportChat', ({ id, as }) => void this.#guarded('export', async () => {
      const file = await chats.exported(id, as, speakers);
      if (file) page.saveText(file);
    }));
    page.on('exportChats', () => void this.#guarded('export', async () => page.saveText(await chats.exportedAll(pageStrings.allChats))));
    page.on('shareState', () => void this.#guarded('share', async () => page.save(`${this.#loader.choice?.name ?? 'conversation'}.state`, await chats.state())));
    page.on('attach', (files) => this.#attaching.addFiles(chats.data.current, files));
    page.on('attachText', (text) => this.#attaching.addText(chats.data.current, text));
    page.on('detach', (key) => {
      if (!this.#attaching.end(key)) void chats.detach(key);
    });
    page.on('unlockAttached', ({ key, password }) => this.#attaching.unlock(key, password));
    page.on('putBack', (id) => {
      this.#attaching.forgetPasted(id);
      void chats.detach(id).then(() => this.#removeDocument(id));
    });
    page.on('showSource', ({ documentId, start, end }) => void this.#documents.showBeside(documentId, { start, end }));
    page.on('showAttached', (id) => void this.#documents.showBeside(id));
    page.on('instruct', (instructions) => chats.instruct(instructions));
    page.on('setSampling', (change) => void this.#guarded('settings', () => this.#settings.set(change)));
    page.on('setThinks', (thinks) => void this.#guarded('settings', () => this.#settings.setThinks(thinks)));
    page.on('setPrompts', (prompts) => void this.#guarded('settings', () => this.#settings.setPrompts(prompts)));
    page.on('setEffort', (effort) => {
      void this.#guarded('settings', () => this.#settings.setEffort(effort));
      this.#takeItsShare();
    });
    page.on('resetSampling', () => void this.#guarded('settings', () => this.#settings.reset()));
  }

  #listenToDocuments(): void {
    const { page } = this;
    const documents = this.#documents;
    page.on('addDocuments', (files) => {
      this.#go({ view: 'documents' });
      void documents.addFiles(files);
    });
    page.on('cancelAdding', () => documents.cancelAdding());
    page.on('unlockDocument', ({ file, password }) => void documents.unlock(file, password));
    page.on('leaveLocked', (file) => documents.leaveLocked(file));
    page.on('addText', (text) => void documents.addText(text));
    page.on('openDocument', (id) => {
      this.#go({ shownDocument: id });
      void documents.open(id);
    });
    page.on('removeDocument', (id) => void this.#removeDocument(id));
    page.on('showBeside', (id) => void documents.showBeside(id));
    page.on('summarise', ({ style, instruction }) => void documents.summarise(style, instruction));
    page.on('pauseSummary', () => documents.pause());
    page.on('resumeSummary', (record) => void documents.resume(record));
    page.on('removeSummary', (record) => void documents.removeSummary(record));
    page.on('askDocument', (question) => void documents.ask(question));
    page.on('stopDocument', () => documents.stopAnswer());
  }

  /** With what chats keep of having read it. */
  async #removeDocument(id: string): Promise<void> {
    await this.#documents.remove(id);
    await this.#guarded('forget states', () => this.#chats.forgetDocument(id));
  }

  /** A saved state belongs to the model that it came with. */
  #openOther(choose: () => Choice): void {
    this.address.state = null;
    this.#open(choose);
  }

  /** An address that is none changes nothing but the message; the model that is open stays. */
  #open(choose: () => Choice): void {
    let choice: Choice;
    try {
      choice = choose();
    } catch (thrown) {
      this.#fail(toFailure(thrown), 'open');
      return;
    }
    this.#chats.stop();
    this.#documents.pause();
    this.#documents.stopAnswer();
    this.#failure = undefined;
    this.#loader.open(choice);
    void this.#loader.opening.then(() => this.#downloads.keep());
    void this.#documents.count();
  }

  #go(shown: Partial<Shown>): void {
    this.address.go(shown);
    this.#update();
  }

  /** Has the engine work as hard as it was set to, where that has changed. */
  #takeItsShare(): void {
    const dutyCycle = dutyCycleFor(this.#settings.effort, this.#situation);
    if (dutyCycle === this.#dutyCycle) return;
    this.#dutyCycle = dutyCycle;
    // An engine that broke has been told all the same: the next one begins with it.
    void this.engine.setDutyCycle(dutyCycle).catch(() => undefined);
  }

  async #guarded(about: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#fail(undefined, about);
    } catch (thrown) {
      this.#fail(toFailure(thrown), about);
    }
  }

  #fail(failure: MambaError | undefined, about?: string): void {
    const other = failure === undefined && about !== undefined && about !== this.#failedAbout;
    if (!other) [this.#failure, this.#failedAbout] = [failure, about];
    this.#update();
  }

  /** Once it has been of use, and once for all. */
  #hintAtInstalling(): boolean {
    const { install } = this.surroundings;
    const answered = !this.#chats.answering && this.#chats.messages.some(({ role, text }) => role === 'assistant' && text !== '');
    if (install?.isOffered && answered && this.#settings.isRead && !this.#settings.installHinted) {
      this.#installHint = true;
      void this.#settings.setInstallHinted();
    }
    return this.#installHint && (install?.isOffered ?? false);
  }

  #update(): void {
    const { choice, url, status, context, tuned } = this.#loader;
    const [chats, documents] = [this.#chats.data, this.#documents.data];
    const { holder } = this.#turns;
    const waiting = (holder === 'documents' && this.#chats.answering) || (holder === 'chat' && documents.running !== undefined);
    this.page.update({
      view: this.address.view,
      url,
      name: choice?.name ?? '',
      entry: choice?.entry,
      status,
      tuned,
      messages: this.#chats.messages,
      answering: this.#chats.answering,
      failure: this.#failure,
      unkept: this.surroundings.database.unkept,
      catalogue,
      stored: this.#storage.models,
      room: this.#storage.room,
      task: this.#storage.task,
      chats,
      attached: this.#attaching.states(chats.current, chats.attachments, (id) => documents.list.some((each) => each.id === id)),
      documents,
      sampling: { chosen: this.#settings.sampling, usual: defaultSampling(choice?.entry?.sampling, presets[chats.instructions.preset].sampling) },
      thinks: this.#settings.thinks,
      prompts: this.#settings.prompts,
      effort: this.#settings.effort,
      context,
      device: this.#device,
      judged: (entry) => this.#device && offerOf(entry, { device: this.#device, fits: this.#fits.known }, this.#storage.models, this.address.base, this.#measured),
      listing: (entry) => this.#listings.of(entry),
      waitsFor: waiting ? holder : undefined,
      newVersion: this.surroundings.updates.waiting,
      installHint: this.#hintAtInstalling(),
      erased: this.surroundings.erased,
      kept: () => keptHere({ engine: this.engine, database: this.surroundings.database, files: this.surroundings.files ?? (async () => []) }),
      base: this.address.base,
    });
  }
}
