/** The worker's calls over one store and one engine; holds the one open model. No comlink and no wasm in here, so that tests can run it. */
import { Failure, failure, toFailure } from '../base/failure';
import { messages } from '../base/messages';
import type { DeviceLimits, EngineModel, FitVerdict, ModelRequirements, WasmEngine } from '../base/wasm-engine';
import type { EngineWorker } from '../protocol/calls';
import type {
  AnswerEvent, AnswerOptions, BatchAnswerOptions, BatchEvent, BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions, OpenedState,
  OpenModel, OpenProgress, OpenStateOptions, StateOptions,
} from '../protocol/protocol';
import { DurableCheckpoints } from '../state/durable-checkpoints';
import type { StateStore } from '../state/state-store';
import { acquire } from '../store/acquire';
import { LIMITS, type DownloadLimits } from '../store/download-job';
import { browserEnvironment, type Environment } from '../store/environment';
import { listingOf, type Listing } from '../store/listing-of';
import type { ModelRecord } from '../store/model-record';
import { sourceKey, type ModelSource, type RemoteSource } from '../store/model-source';
import type { ModelStore } from '../store/model-store';
import { reading, undisturbed } from '../store/neighbours';
import { storedFiles } from '../store/stored-file';
import { verifyModel } from '../store/verify-model';
import type { CheckFits } from './check-fits';
import { Generation, withoutIndex } from './generation';
import { beginFrom, openState, saveConversation } from './session-states';
import { StoredModels } from './stored-models';

/** Codes that blame the file, or how it is stored. */
const FILE_FAULTS: ReadonlySet<string> = new Set([
  'not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'split', 'tokenizer', 'read',
]);

export interface SessionOptions {
  env?: Environment;
  limits?: DownloadLimits;
  /** Judges a model by its header before the bulk of it is fetched; what it throws ends the download. */
  checkFits?: CheckFits;
  /** Where checkpoints outlive the page. */
  states?: Promise<StateStore>;
}

/** What an answer is about, and what it begins from. */
interface Asked {
  about: string | undefined;
  beginning: string | undefined;
}

/** The open model, and what it takes to open it again. */
interface Opened {
  model: EngineModel;
  record: ModelRecord;
  device: DeviceOptions;
}

export class Session extends StoredModels implements EngineWorker {
  #opened: Opened | undefined;
  #generation: Generation | undefined;
  /** Of the opening that runs: it ends the download, the load, or the wait for another tab. */
  #opening = new AbortController();
  #started: Promise<unknown> | undefined;

  constructor(
    private readonly engine: WasmEngine,
    store: Promise<ModelStore>,
    private readonly options: SessionOptions = {},
  ) {
    super(store);
    // Awaited by every call; this keeps a failure before the first call from counting as unhandled.
    store.catch(() => undefined);
    options.states?.catch(() => undefined);
  }

  async open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void): Promise<OpenModel> {
    this.#opening.abort();
    const { signal } = (this.#opening = new AbortController());
    await this.stop();
    const before = this.#opened;
    this.#opened = undefined;
    before?.model.free();
    await this.#start();
    const store = await this.store;
    const arrived = (await store.find(sourceKey(source))) === undefined;
    let record = await this.#acquire(store, source, device, signal, onProgress);
    const model = await this.#load(store, record, device, signal, onProgress).catch(async (thrown: unknown) => {
      const sound = await this.#examine(store, record, toFailure(thrown), arrived, signal, onProgress);
      if (sound) throw sound;
      // The chunks that were damaged here come again.
      record = await this.#acquire(store, { kind: 'stored', url: record.url }, device, signal, onProgress);
      return this.#load(store, record, device, signal, onProgress);
    });
    if (signal.aborted) {
      model.free();
      throw toFailure(signal.reason);
    }
    this.#opened = { model, record, device };
    // Only the order of the list depends on it, and a full disk does not keep a loaded model from answering.
    await store.touch(record.url).catch(() => undefined);
    return { url: record.url, name: record.name, info: model.info() };
  }

  async endOpening(how: 'pause' | 'discard'): Promise<void> {
    this.#opening.abort(failure(how === 'pause' ? 'paused' : 'discarded'));
  }

  async generate(prompt: ChatMessage[] | Uint32Array, { about, written, beginning, ...options }: AnswerOptions, onEvent: (event: AnswerEvent) => void): Promise<void> {
    const one = { ...options, sequences: 1 };
    await this.#answering({ about, beginning }, (generation) => generation.run([prompt], one, (event) => onEvent(withoutIndex(event)), written));
  }

  async generateBatch(prompts: (ChatMessage[] | Uint32Array)[], { about, beginning, ...options }: BatchAnswerOptions, onEvent: (event: BatchEvent) => void): Promise<void> {
    await this.#answering({ about, beginning }, (generation) => generation.run(prompts, options, onEvent));
  }

  async stop(): Promise<void> {
    await this.#generation?.stop();
  }

  async judgeFits(models: readonly ModelRequirements[], limits: DeviceLimits): Promise<FitVerdict[]> {
    await this.#start();
    return Promise.all(models.map((model) => this.engine.judgeFit(model, limits)));
  }

  async listings(sources: readonly RemoteSource[]): Promise<Listing[]> {
    const { env = browserEnvironment, limits = LIMITS } = this.options;
    return Promise.all(sources.map((source) => listingOf(env, limits, source)));
  }

  async logits(tokens: Uint32Array): Promise<Float32Array> {
    const model = this.#openModel();
    if (this.#generation) throw failure('busy');
    await model.beginFrom(undefined);
    return model.logits(tokens);
  }

  async tokenize(text: string): Promise<Uint32Array> {
    return this.#openModel().tokenize(text);
  }

  async bench(options: BenchOptions, onProgress: (progress: BenchProgress) => void): Promise<BenchReport> {
    return this.#openModel().bench({ ...options, onProgress });
  }

  async saveState(messages: ChatMessage[], options: StateOptions): Promise<Blob> {
    if (this.#generation) throw failure('busy');
    const { checkpoints } = await this.#checkpoints();
    await beginFrom(this.#openModel(), await this.#states(), options.beginning);
    return saveConversation(this.#openModel(), checkpoints, messages, options);
  }

  async openState(file: Blob | string, options?: OpenStateOptions): Promise<OpenedState> {
    const model = this.#openModel();
    return openState(model, await this.#states(), this.#opened?.record.url ?? '', file, options);
  }

  async forgetStates(about: string): Promise<void> {
    await (await this.options.states)?.forgetAbout(about);
  }

  override async remove(url: string): Promise<void> {
    await super.remove(url);
    await (await this.options.states)?.forget(url);
  }

  async #answering({ about, beginning }: Asked, run: (generation: Generation) => Promise<void>): Promise<void> {
    if (this.#generation) throw failure('busy');
    const help = { ...(await this.#checkpoints(about)), rebuild: () => this.#rebuild() };
    if (this.#generation) throw failure('busy');
    const model = this.#openModel();
    const generation = (this.#generation = new Generation(model, help));
    try {
      await beginFrom(model, await this.#states(), beginning);
      await run(generation);
    } finally {
      this.#generation = undefined;
    }
  }

  #openModel(): EngineModel {
    if (!this.#opened) throw failure('not-stored');
    return this.#opened.model;
  }

  async #checkpoints(about?: string): Promise<{ checkpoints?: DurableCheckpoints }> {
    const store = await this.#states();
    const url = this.#opened?.record.url ?? '';
    return store ? { checkpoints: new DurableCheckpoints(this.#openModel(), store, url, about) } : {};
  }

  /** Without a store, nothing outlives the page. */
  async #states(): Promise<StateStore | undefined> {
    return this.options.states?.catch(() => undefined);
  }

  /** Loads the open model again, from the store, after its device or one of its workers was lost. */
  async #rebuild(): Promise<OpenModel> {
    if (!this.#opened) throw failure('not-stored');
    const { model, record, device } = this.#opened;
    const store = await this.store;
    const { signal } = this.#opening;
    await reading(record.url, signal, () => undefined, async () => model.reload(await storedFiles(store, record, signal), { ...device, signal }));
    return { url: record.url, name: record.name, info: model.info() };
  }

  async #start(): Promise<void> {
    try {
      await (this.#started ??= this.engine.start());
    } catch (cause) {
      this.#started = undefined;
      throw failure('engine-start', {}, String(cause));
    }
  }

  async #acquire(
    store: ModelStore, source: ModelSource, device: DeviceOptions, signal: AbortSignal, onProgress: (progress: OpenProgress) => void,
  ): Promise<ModelRecord> {
    const { env = browserEnvironment, limits, checkFits } = this.options;
    try {
      return await acquire(store, source, {
        env,
        signal,
        ...(limits ? { limits } : {}),
        ...(checkFits ? { checkFits: (header: Uint8Array, bytes: number) => checkFits(header, bytes, device) } : {}),
        onProgress: (progress) => onProgress({ step: 'receive', ...progress }),
        onElsewhere: (progress) => onProgress({ step: 'receive', ...progress, elsewhere: true }),
      });
    } catch (thrown) {
      const fault = toFailure(thrown);
      // Also when it was another tab that discarded it: its chunks may only be deleted by whoever held them.
      if (fault.code === 'discarded') await this.remove(sourceKey(source)).catch(() => undefined);
      throw fault;
    }
  }

  async #load(
    store: ModelStore, record: ModelRecord, device: DeviceOptions, signal: AbortSignal, onProgress: (progress: OpenProgress) => void,
  ): Promise<EngineModel> {
    try {
      const onSilence = () => onProgress({ step: 'receive', done: 0, total: 0, elsewhere: true, silent: true });
      return await reading(record.url, signal, onSilence, async () =>
        this.engine.loadModel(await storedFiles(store, record, signal), {
          ...device,
          signal,
          onProgress: (progress) => onProgress({ step: 'load', ...progress }),
        }));
    } catch (thrown) {
      // A read that was ended reaches the engine as one that failed.
      throw toFailure(signal.aborted ? signal.reason : thrown);
    }
  }

  /**
   * What to do about a model that could not be loaded: nothing where its copy here turns out to be damaged and can be mended, else the
   * failure to throw. What is kept is only removed where it came just now and nobody vouches for it.
   */
  async #examine(
    store: ModelStore, record: ModelRecord, fault: Failure, arrived: boolean, signal: AbortSignal, onProgress: (progress: OpenProgress) => void,
  ): Promise<Failure | undefined> {
    const { url, name, handles, origin, verification } = record;
    if (!FILE_FAULTS.has(fault.code) || handles) return fault;
    const verify = () => verifyModel(store, url, (progress) => onProgress({ step: 'receive', ...progress }), signal);
    // Another tab that reads it at the same time may be served well enough: nothing of it is taken away.
    const verified = await undisturbed(url, verify).catch(() => {
      if (signal.aborted) throw toFailure(signal.reason);
      return undefined;
    });
    if (verified && verified.bad > 0) return origin ? undefined : failure('damaged', { name }, fault.detail);
    if (!verified || fault.code === 'read') return fault;
    if (arrived && verification === 'received') {
      await this.remove(url);
      return fault;
    }
    return new Failure({ ...fault.report(), remedy: messages().soundRemedy });
  }
}
