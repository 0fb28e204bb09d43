/** Loads a model while it is downloaded. What comes of it counts once the download has ended well, and where it fails, the store is loaded as ever. */
import type { ByteSource, EngineModel, EngineOptions } from '../base/wasm-engine.ts';
import type { Arrivals } from '../store/arrivals.ts';
import type { Environment } from '../store/environment.ts';
import type { ModelRecord } from '../store/model-record.ts';
import type { ModelStore } from '../store/model-store.ts';
import { storedFiles } from '../store/stored-file.ts';

export interface WeightsProgress {
  done: number;
  total: number;
}

/** So long the bulk of a download waits for the trial of workers, which a busy machine would mislead. */
const QUIET_MILLISECONDS = 2000;

export class EarlyLoad {
  #control = new AbortController();
  #loading: Promise<EngineModel | undefined> = Promise.resolve(undefined);
  #progress: WeightsProgress | undefined;
  #follow: (progress: WeightsProgress) => void = () => undefined;

  constructor(
    private readonly env: Environment,
    /** Ends the opening that this load is of. */
    private readonly signal: AbortSignal,
    /** Whether the bulk of the download is to wait for the first weights. */
    private readonly quiet: boolean,
    private readonly load: (files: ByteSource[], options: Pick<EngineOptions, 'signal' | 'onProgress'>) => Promise<EngineModel>,
  ) {}

  /** Begins, in place of what had begun before. Resolves when the first weights are in, or when the download need wait no longer. */
  async begin(store: ModelStore, record: ModelRecord, arrivals: Arrivals): Promise<void> {
    await this.end();
    const control = (this.#control = new AbortController());
    // Without their reasons: a load that ends by one of these has no say in what is said.
    const abort = () => control.abort();
    for (const ending of [this.signal, arrivals.signal]) {
      ending.addEventListener('abort', abort, { signal: control.signal });
      if (ending.aborted) abort();
    }
    const weights = new Promise<void>((resolve) => {
      this.#loading = this.#load(store, record, arrivals, control.signal, resolve);
    });
    if (this.quiet) await Promise.race([weights, this.#loading, this.env.sleep(QUIET_MILLISECONDS, control.signal).catch(() => undefined)]);
  }

  /** The model, once the download has ended; undefined where it is to be loaded from the store. `onProgress` hears of what is left. */
  async model(onProgress: (progress: WeightsProgress) => void): Promise<EngineModel | undefined> {
    if (this.#progress) onProgress(this.#progress);
    this.#follow = onProgress;
    const { signal } = this.#control;
    const model = await this.#taken();
    if (!signal.aborted) return model;
    model?.free();
    return undefined;
  }

  /** Ends it, and frees what it has. */
  async end(): Promise<void> {
    this.#control.abort();
    (await this.#taken())?.free();
  }

  async #taken(): Promise<EngineModel | undefined> {
    const loading = this.#loading;
    this.#loading = Promise.resolve(undefined);
    return loading;
  }

  async #load(store: ModelStore, record: ModelRecord, arrivals: Arrivals, signal: AbortSignal, onWeights: () => void): Promise<EngineModel | undefined> {
    const onProgress = (progress: WeightsProgress) => {
      onWeights();
      this.#progress = progress;
      this.#follow(progress);
    };
    try {
      return await this.load(await storedFiles(store, record, signal, arrivals), { signal, onProgress });
    } catch {
      // Whatever it was is met again where the store is loaded, or was the download's own end.
      this.#progress = undefined;
      arrivals.end();
      return undefined;
    }
  }
}
