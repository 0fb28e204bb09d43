/** Wires the benchmark page to the engine. */
import type { BenchProgress, BenchReport, DeviceOptions, EngineWorker, OpenProgress } from 'web-mamba';
import { toFailure, type MambaError } from '../base/failure';
import type { CatalogueEntry } from '../models/catalogue';
import { chooseParam, type Choice } from '../models/choice';
import { Consent } from '../models/consent';
import { asReplaced, requireKept } from '../models/earlier-version';
import { LinkConsent, type Agreed, type LinkQuestion } from '../models/link-consent';

/** Few enough that a slow device ends within minutes. */
const DEFAULTS = { prompt: 256, answer: 64, runs: 5 };

export type BenchStatus =
  | { kind: 'idle' }
  /** The model's licence waits to be accepted. */
  | { kind: 'licence'; entry: CatalogueEntry; bytes?: number }
  /** A link names a model of another server, which waits to be agreed to. */
  | { kind: 'link'; question: LinkQuestion }
  | { kind: 'opening'; progress?: OpenProgress }
  | { kind: 'measuring'; progress?: BenchProgress }
  | { kind: 'failed'; failure: MambaError }
  | { kind: 'done'; report: BenchReport; loadSeconds: number };

export interface BenchData {
  name: string;
  promptTokens: number;
  genTokens: number;
  runs: number;
  status: BenchStatus;
}

export interface BenchView {
  update(data: BenchData): void;
  on(name: 'measure' | 'accept' | 'decline', listener: () => void): void;
}

export interface BenchAddress {
  readonly base: string;
  readonly model: string | null;
  readonly device: DeviceOptions;
  count(name: string, otherwise: number): number;
}

export class BenchController {
  #status: BenchStatus = { kind: 'idle' };
  #name = '';
  readonly #consent: Consent;
  readonly #link: LinkConsent;

  constructor(
    private readonly page: BenchView,
    private readonly engine: Pick<EngineWorker, 'open' | 'bench' | 'stored' | 'listings' | 'endOpening'>,
    private readonly address: BenchAddress,
    agreed: Agreed = new Set(),
  ) {
    this.#consent = new Consent(engine, (entry, bytes) => this.#update({ kind: 'licence', entry, ...(bytes === undefined ? {} : { bytes }) }));
    this.#link = new LinkConsent(engine, agreed, (question) => this.#update({ kind: 'link', question }));
    page.on('measure', () => void this.#measure());
    page.on('accept', () => this.#answer(true));
    page.on('decline', () => this.#answer(false));
  }

  start(): void {
    try {
      this.#name = chooseParam(this.address.model, this.address.base).name;
      this.#update({ kind: 'idle' });
    } catch (thrown) {
      this.#update({ kind: 'failed', failure: toFailure(thrown) });
    }
  }

  /** Of the two dialogs, one is open at a time. */
  #answer(accepted: boolean): void {
    this.#link.answer(accepted);
    this.#consent.answer(accepted);
  }

  async #measure(): Promise<void> {
    let choice: Choice | undefined;
    try {
      this.#update({ kind: 'opening' });
      choice = chooseParam(this.address.model, this.address.base);
      requireKept(choice, await this.engine.stored());
      const { base } = this.address;
      if ((await this.#link.refused({ choice, state: null, base }, () => true)).length > 0) return this.#update({ kind: 'idle' });
      if (!(await this.#consent.given(choice, () => true))) return this.#update({ kind: 'idle' });
      const loadSeconds = await this.#load(choice);
      this.#update({ kind: 'measuring' });
      const { promptTokens, genTokens, runs } = this.#counts();
      const report = await this.engine.bench({ promptTokens, genTokens, runs, stages: true }, (progress) =>
        this.#update({ kind: 'measuring', progress }));
      this.#update({ kind: 'done', report, loadSeconds });
    } catch (thrown) {
      const fault = toFailure(thrown);
      // Whoever says no knows what became of it.
      if (fault.code === 'declined') return this.#update({ kind: 'idle' });
      this.#update({ kind: 'failed', failure: choice ? asReplaced(choice, fault) : fault });
    }
  }

  /** Opens the model; gives how long the engine took over what had arrived. */
  async #load(choice: Choice): Promise<number> {
    // What is downloaded is no part of loading: the clock starts anew with each byte that arrives.
    let arrived = 0;
    const open = (onProgress: (progress: OpenProgress) => void) => {
      arrived = performance.now();
      this.#update({ kind: 'opening' });
      return this.engine.open(choice.source, this.address.device, onProgress);
    };
    await this.#link.opened({ choice, base: this.address.base }, open, (progress) => {
      if (progress.step === 'receive') arrived = performance.now();
      this.#update({ kind: 'opening', progress });
    }, () => true);
    return (performance.now() - arrived) / 1000;
  }

  #counts(): { promptTokens: number; genTokens: number; runs: number } {
    return {
      promptTokens: this.address.count('prompt', DEFAULTS.prompt),
      genTokens: this.address.count('answer', DEFAULTS.answer),
      runs: this.address.count('runs', DEFAULTS.runs),
    };
  }

  #update(status: BenchStatus): void {
    this.#status = status;
    this.page.update({ name: this.#name, ...this.#counts(), status: this.#status });
  }
}
