/** The model that is chosen: opens it, asks for its licence first, pauses and discards its download. */
import { fileAddress, sourceKey, type EngineWorker, type ModelInfo, type OpenedState, type OpenModel, type OpenProgress } from 'web-mamba';
import { toFailure, type MambaError } from '../base/failure';
import { fill } from '../base/format';
import type { PageAddress } from '../base/page-address';
import { askToPersist } from './ask-to-persist';
import { catalogue } from './catalogue';
import type { Choice } from './choice';
import { Consent } from './consent';
import { asReplaced, keptVersion, requireKept } from './earlier-version';
import type { Fits } from './fits';
import { declined, LinkConsent, type Agreed } from './link-consent';
import { modelStrings } from './model-strings';
import type { ModelStatus, ModelsView, TunedState } from './models-data';
import { offerOf, refusal } from './offer';
import type { StorageTasks } from './storage-tasks';
import { Transfer } from './transfer';

/** Trained context of a model that the catalogue does not know: no file says it, and this is the least of published ones. */
const UNKNOWN_CONTEXT = 2048;

export interface LoaderListener {
  changed(): void;
  failed(failure: MambaError | undefined): void;
  /** Bytes per second of a download. */
  downloads?(rate: number): void;
  /** A saved state is open, and conversations may begin from what was said in it. */
  stateOpened(state: OpenedState): void;
}

export class ModelLoader {
  choice: Choice | undefined;
  /** Key of the open model in the store; empty until it is known. */
  url = '';
  status: ModelStatus = { kind: 'failed' };
  /** What new conversations begin from, where that is not zeros. */
  tuned: TunedState | undefined;
  /** Settles when the model last asked for, and the state that the address names, are open; false when the model could not be opened. */
  opening: Promise<boolean> = Promise.resolve(false);
  /** Why the model that was last asked for is not open, so that it can be said again. */
  obstacle: MambaError | undefined;
  readonly #consent: Consent;
  readonly #link: LinkConsent;

  constructor(
    private readonly engine: EngineWorker,
    private readonly page: Pick<ModelsView, 'permit'>,
    private readonly address: PageAddress,
    private readonly storage: StorageTasks,
    private readonly fits: Pick<Fits, 'situation'>,
    private readonly listener: LoaderListener,
    agreed: Agreed = new Set(),
  ) {
    this.#consent = new Consent(engine, (entry, bytes) => this.#set({ kind: 'licence', entry, ...(bytes === undefined ? {} : { bytes }) }));
    this.#link = new LinkConsent(engine, agreed, (question) => this.#set({ kind: 'link', question }));
  }

  get info(): ModelInfo | undefined {
    return this.status.kind === 'ready' ? this.status.info : undefined;
  }

  /** Tokens that the model was trained on at once. */
  get context(): number {
    return this.choice?.entry?.context ?? UNKNOWN_CONTEXT;
  }

  /** Whether the open model can think before it answers. */
  get canThink(): boolean {
    return this.status.kind === 'ready' && this.status.info.canThink;
  }

  open(choice: Choice): void {
    // A saved state belongs to the version that the address asks for.
    this.opening = choice.earlier && this.address.state === null ? this.#openKept(choice) : this.#open(choice);
  }

  /** What runs the model was lost in the middle of an answer and is set up again, or has been, which may be elsewhere. */
  rebuilding(rebuilding: boolean, model?: OpenModel): void {
    if (this.status.kind === 'ready') this.status = { ...this.status, rebuilding, ...(model ? { info: infoOf(model) } : {}) };
  }

  /** The model that was open is so no more. One that is being opened fails by itself. */
  crashed(fault: MambaError): void {
    if (this.status.kind !== 'ready') return;
    this.url = '';
    this.tuned = undefined;
    this.obstacle = fault;
    this.opening = Promise.resolve(false);
    this.status = { kind: 'failed' };
    this.listener.failed(fault);
  }

  answerLicence(accepted: boolean): void {
    this.#consent.answer(accepted);
  }

  answerLink(accepted: boolean): void {
    this.#link.answer(accepted);
  }

  /** Ends a download, with what has arrived kept or given up. */
  end(how: 'pause' | 'discard'): void {
    this.engine.endOpening(how).catch((thrown: unknown) => this.listener.failed(toFailure(thrown)));
  }

  discard(): void {
    if (this.status.kind !== 'paused') return this.end('discard');
    const { choice } = this;
    this.#set({ kind: 'failed' });
    const kept = choice && this.storage.models.find(({ url }) => url === sourceKey(choice.source));
    if (kept) void this.storage.remove(kept);
  }

  /** Opens an earlier version in place of the choice where that is what is kept. */
  async #openKept(choice: Choice): Promise<boolean> {
    this.choice = choice;
    this.#set({ kind: 'opening', origin: choice.source.kind });
    // Where the store cannot be read, the opening itself says why.
    const stored = await this.engine.stored().catch(() => []);
    return this.choice === choice ? this.#open(keptVersion(choice, stored)) : false;
  }

  async #open(choice: Choice): Promise<boolean> {
    const { source, param } = choice;
    this.answerLicence(false);
    this.answerLink(false);
    this.choice = choice;
    this.url = '';
    this.tuned = undefined;
    this.obstacle = undefined;
    this.#set({ kind: 'opening', origin: source.kind });
    if (source.kind !== 'files') this.address.model = param;
    try {
      await this.#judge(choice);
      if (this.choice !== choice || !(await this.#allowed(choice)) || !(await this.#accepted(choice))) return false;
      void askToPersist();
      if (source.kind === 'stored') await this.page.permit(await this.engine.handles(source.url));
      const model = await this.#receive(choice);
      // A newer choice has taken over: its own outcome is the one to show.
      if (this.choice !== choice) return false;
      if (source.kind === 'files') this.address.model = model.url;
      this.url = model.url;
      const info = infoOf(model);
      this.#set({ kind: 'ready', info, ...(this.address.state === null ? {} : { beginning: true }) });
      await this.#openState(choice);
      if (this.choice !== choice || this.status.kind !== 'ready') return false;
      this.#set({ kind: 'ready', info });
      return true;
    } catch (thrown) {
      if (this.choice === choice) this.#fail(asReplaced(choice, toFailure(thrown)));
      return false;
    } finally {
      await this.storage.list();
      this.#showKept(choice);
    }
  }

  /** Begins from the state that the address names. Without it, the conversation begins as any other. */
  async #openState(choice: Choice): Promise<void> {
    const { state, order, base } = this.address;
    if (state === null) return;
    try {
      const { href } = fileAddress(state, base);
      const opened = await this.engine.openState(href, ...(order ? [{ order }] : []));
      if (this.choice !== choice) return;
      // What has read nothing is no conversation: those that are new begin from it.
      if (opened.position === 0 && opened.beginning !== undefined) this.tuned = { beginning: opened.beginning, name: addressFile(href), order: opened.order };
      else this.listener.stateOpened(opened);
    } catch (thrown) {
      if (this.choice === choice && this.status.kind === 'ready') this.listener.failed(toFailure(thrown));
    }
  }

  /** What a paused download shows is what is kept: chunks that were on their way come again. */
  #showKept({ source }: Choice): void {
    if (this.status.kind !== 'paused' || !this.status.progress) return;
    const kept = this.storage.models.find(({ url }) => url === sourceKey(source));
    this.#set({ kind: 'paused', progress: { ...this.status.progress, done: kept?.stored ?? 0 } });
  }

  /** Takes the reports of an opening, with how fast it goes. */
  #follow(choice: Choice): (progress: OpenProgress) => void {
    const transfer = new Transfer();
    return (progress) => {
      const figures = transfer.update(progress);
      if (progress.step === 'receive' && progress.phase === 'download' && choice.source.kind !== 'files') this.listener.downloads?.(figures.rate);
      if (this.choice === choice) this.#set({ kind: 'opening', origin: choice.source.kind, progress, figures });
    };
  }

  /** What this device cannot hold is refused before its licence is asked for and its first byte comes. What is kept here may be tried. */
  async #judge(choice: Choice): Promise<void> {
    const { entry } = choice;
    if (!entry || entry === catalogue[0]) return;
    const stored = await this.engine.stored();
    requireKept(choice, stored);
    const situation = await this.fits.situation();
    // Where the engine cannot judge it, opening the model says why.
    if (!situation) return;
    const judged = offerOf(entry, situation, stored, this.address.base);
    if (judged.verdict.kind === 'refused' && !judged.kept) throw refusal(judged);
  }

  /** Whether the model may be fetched, of what a link names; a saved state that may not be is left out. Throws where the visitor has declined. */
  async #allowed(choice: Choice): Promise<boolean> {
    const { state, base } = this.address;
    const refused = await this.#link.refused({ choice, state, base }, () => this.choice === choice);
    if (this.choice !== choice) return false;
    this.#goOn(choice);
    const model = refused.find(({ what }) => what === 'model');
    if (model) throw declined(model.url);
    if (refused.length > 0) this.address.state = null;
    return true;
  }

  async #receive(choice: Choice): Promise<OpenModel> {
    const open = (onProgress: (progress: OpenProgress) => void) => {
      this.#goOn(choice);
      return this.engine.open(choice.source, this.address.device, onProgress);
    };
    return this.#link.opened({ choice, base: this.address.base }, open, this.#follow(choice), () => this.choice === choice);
  }

  /** The visitor has answered, and no dialog is open any more. */
  #goOn(choice: Choice): void {
    if (this.choice === choice && this.status.kind === 'link') this.#set({ kind: 'opening', origin: choice.source.kind });
  }

  async #accepted(choice: Choice): Promise<boolean> {
    const accepted = await this.#consent.given(choice, () => this.choice === choice);
    if (this.choice === choice && this.status.kind === 'licence') this.#set(accepted ? { kind: 'opening', origin: choice.source.kind } : { kind: 'failed' });
    return accepted;
  }

  /** A download that its visitor ended is no error. */
  #fail(fault: MambaError): void {
    const progress = this.status.kind === 'opening' ? this.status.progress : undefined;
    this.obstacle = fault.code === 'discarded' ? undefined : fault;
    this.status = fault.code === 'paused' ? { kind: 'paused', progress } : { kind: 'failed' };
    this.listener.failed(fault.code === 'paused' || fault.code === 'discarded' ? undefined : fault);
  }

  #set(status: ModelStatus): void {
    this.status = status;
    this.listener.changed();
  }
}

/** Where a model is on the CPU because it broke the engine on the GPU, the engine itself knows nothing of that. */
function infoOf({ info, gpuProblem }: OpenModel): ModelInfo {
  return gpuProblem === undefined ? info : { ...info, reason: fill(modelStrings.gpuFailed, { problem: gpuProblem }) };
}

/** The name of the file at an address. */
function addressFile(href: string): string {
  const name = new URL(href).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
