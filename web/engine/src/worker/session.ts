/** The worker's calls over one store and one engine; holds the one open model. No comlink and no wasm in here, so that tests can run it. */
import { MambaError, failure, toFailure } from '../base/failure.ts';
import { messages } from '../base/messages.ts';
import type { ChatTemplateOptions, ConstraintOption, ConstraintOptions, DeviceLimits, EmbedOptions, EngineModel, FitVerdict, ModelRequirements, Score, ScoreOptions, WasmEngine } from '../base/wasm-engine.ts';
import type { EngineWorker } from '../protocol/calls.ts';
import type {
  AnswerEvent, AnswerForm, AnswerOptions, Availability, BatchAnswerOptions, BatchEvent, BeginningOptions, BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions,
  GenerateOptions, OpenedState, OpenModel, OpenProgress, OpenStateOptions, Prompt, SavedState, StateFileOptions, StateOptions,
} from '../protocol/protocol.ts';
import { DurableCheckpoints } from '../state/durable-checkpoints.ts';
import type { StateStore } from '../state/state-store.ts';
import { acquire } from '../store/acquire.ts';
import type { Arrivals } from '../store/arrivals.ts';
import { LIMITS, type DownloadLimits } from '../store/download-job.ts';
import { browserEnvironment, type Environment } from '../store/environment.ts';
import { listingOf, type Listing } from '../store/listing-of.ts';
import type { ModelRecord } from '../store/model-record.ts';
import { sourceKey, type ModelSource, type RemoteSource } from '../store/model-source.ts';
import type { ModelStore } from '../store/model-store.ts';
import { reading, undisturbed } from '../store/neighbours.ts';
import { storedFiles } from '../store/stored-file.ts';
import { verifyModel } from '../store/verify-model.ts';
import { availabilityOf } from './availability.ts';
import type { CheckFits } from './check-fits.ts';
import type { ConstrainedAnswers } from './constrained.ts';
import { DutyCycle } from './duty-cycle.ts';
import { EarlyLoad, type WeightsProgress } from './early-load.ts';
import { Generation, withoutIndex } from './generation.ts';
import { tokensOf } from './prompt-tokens.ts';
import { beginFrom, openState, readState, restoreState, saveConversation, stateFile, takeState } from './session-states.ts';
import { StoredModels } from './stored-models.ts';
import { TextReading } from './text-reading.ts';

/** Codes that blame the file, or how it is stored. */
const FILE_FAULTS: ReadonlySet<string> = new Set([
  'not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'split', 'tokenizer', 'read',
]);

export interface SessionOptions {
  env?: Environment;
  limits?: DownloadLimits;
  /** Of the store's chunks; tests have small ones. */
  chunkBytes?: number;
  /** Judges a model by its header before the bulk of it is fetched; what it throws ends the download. */
  checkFits?: CheckFits;
  /** Where checkpoints outlive the page. */
  states?: Promise<StateStore>;
  /** Holds answers to forms. */
  constrained?: ConstrainedAnswers;
}

/** What an answer is about, and what it begins from. */
interface Asked {
  about: string | undefined;
  beginning: string | undefined;
  /** It goes on from where the model is, or from this state. */
  resume: boolean | undefined;
  form: AnswerForm | undefined;
  /** Tokens of it that another engine has given out. */
  written?: number | undefined;
  state: Blob | undefined;
}

/** Whether a load begins with a trial of workers, as far as is known before it. */
function triesWorkers({ backend, workers }: DeviceOptions): boolean {
  const isOnCpu = backend === 'cpu' || (backend !== 'webgpu' && !globalThis.navigator?.gpu);
  return isOnCpu && workers?.count === undefined;
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
  readonly #reading = new TextReading(() => this.#idleModel());
  readonly #dutyCycle = new DutyCycle();
  /** Calls of `stop` so far: one may come while an answer waits for the store. */
  #stops = 0;
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
    // Before anything is downloaded for it.
    if (device.chatTemplate !== undefined) await this.engine.checkChatTemplate(device.chatTemplate);
    const store = await this.store;
    const arrived = (await store.find(sourceKey(source))) === undefined;
    const early = new EarlyLoad(this.options.env ?? browserEnvironment, signal, triesWorkers(device), (files, options) => this.engine.loadModel(files, { ...device, ...options }));
    let record = await this.#acquire(store, source, device, signal, onProgress, early);
    const model = await this.#load(store, record, device, signal, onProgress, early).catch(async (thrown: unknown) => {
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

  async generate(prompt: Prompt, { about, written, beginning, state, form, ...options }: AnswerOptions, onEvent: (event: AnswerEvent) => void): Promise<void> {
    const one = { ...options, ...(state ? { resume: true } : {}), sequences: 1 };
    const asked = { about, beginning, state, resume: one.resume, form, written: written?.length };
    await this.#answering(asked, (generation, held) => generation.run([prompt], { ...one, ...held }, (event) => onEvent(withoutIndex(event)), written));
  }

  async generateBatch(prompts: Prompt[], { about, beginning, form, ...options }: BatchAnswerOptions, onEvent: (event: BatchEvent) => void): Promise<void> {
    const asked = { about, beginning, state: undefined, resume: options.resume, form };
    await this.#answering(asked, (generation, held) => generation.run(prompts, { ...options, ...held }, onEvent));
  }

  async stop(): Promise<void> {
    this.#stops += 1;
    this.#reading.stop();
    await this.#generation?.stop();
  }

  async setDutyCycle(share: number): Promise<void> {
    this.#dutyCycle.set(share);
  }

  async judgeFits(models: readonly ModelRequirements[], limits: DeviceLimits): Promise<FitVerdict[]> {
    await this.#start();
    return Promise.all(models.map((model) => this.engine.judgeFit(model, limits)));
  }

  async availability(source: ModelSource, device: DeviceOptions): Promise<Availability> {
    await this.#start();
    const { env = browserEnvironment, limits = LIMITS } = this.options;
    return availabilityOf({ store: await this.store, engine: this.engine, env, limits }, source, device);
  }

  async listings(sources: readonly RemoteSource[]): Promise<Listing[]> {
    const { env = browserEnvironment, limits = LIMITS } = this.options;
    return Promise.all(sources.map((source) => listingOf(env, limits, source)));
  }

  async logits(tokens: Uint32Array, { beginning }: BeginningOptions = {}): Promise<Float32Array> {
    return this.#readFrom(beginning, (model) => model.logits(tokens));
  }

  async tokenize(text: string): Promise<Uint32Array> {
    return this.#openModel().tokenize(text);
  }

  async promptTokens(prompt: Prompt, options: Pick<GenerateOptions, 'thinking' | 'tools'>): Promise<Uint32Array> {
    return tokensOf(this.#openModel(), prompt, options);
  }

  async detokenize(tokens: Uint32Array): Promise<string> {
    return this.#openModel().detokenize(tokens);
  }

  async chatTemplate(): Promise<string | undefined> {
    return this.#openModel().chatTemplate();
  }

  async applyChatTemplate(messages: ChatMessage[], options: ChatTemplateOptions): Promise<string> {
    return this.#openModel().applyChatTemplate(messages, options);
  }

  async score(prompt: Prompt, continuation: string | Uint32Array, { beginning, ...options }: Pick<ScoreOptions, 'thinking'> & BeginningOptions): Promise<Score> {
    return this.#readFrom(beginning, () => this.#reading.score(prompt, continuation, options));
  }

  async perplexity(text: string, { beginning }: BeginningOptions = {}): Promise<number> {
    return this.#readFrom(beginning, () => this.#reading.perplexity(text));
  }

  async embed(texts: string[], { beginning, ...options }: Omit<EmbedOptions, 'signal'> & BeginningOptions): Promise<Float32Array[]> {
    return this.#readFrom(beginning, () => this.#reading.embed(texts, options));
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

  async read(prompt: Prompt, options: AnswerOptions, onEvent: (event: AnswerEvent) => void): Promise<SavedState> {
    let isRead = false;
    await this.generate(prompt, { ...options, maxTokens: 0 }, (event) => {
      if (event.type === 'end') isRead = event.stop !== 'cancelled';
      onEvent(event);
    });
    if (!isRead) throw failure('cancelled');
    return this.takeState();
  }

  async takeState(): Promise<SavedState> {
    return takeState(this.#idleModel());
  }

  async restoreState(file: Blob): Promise<void> {
    await restoreState(this.#idleModel(), file);
  }

  async readState(file: Blob, options?: OpenStateOptions): Promise<SavedState> {
    return readState(this.#openModel(), file, options);
  }

  async stateFile(file: Blob, options: StateFileOptions): Promise<Blob> {
    return stateFile(this.#openModel(), file, options);
  }

  async forgetStates(about: string): Promise<void> {
    await (await this.options.states)?.forgetAbout(about);
  }

  async keptStates(): Promise<{ count: number; bytes: number }> {
    return (await (await this.options.states)?.total()) ?? { count: 0, bytes: 0 };
  }

  override async remove(url: string): Promise<void> {
    await super.remove(url);
    await (await this.options.states)?.forget(url);
  }

  /** Reads as texts of this beginning are read. Where the model is at one of another, it is taken back to there. */
  async #readFrom<T>(beginning: string | undefined, read: (model: EngineModel) => Promise<T>): Promise<T> {
    const model = this.#idleModel();
    const before = model.beginning();
    if (before === beginning) return read(model);
    // Of what is unknown there is nothing to go back to.
    const left = await model.saveState().catch(() => undefined);
    try {
      await beginFrom(model, await this.#states(), beginning);
      return await read(model);
    } finally {
      await (left ? model.restoreState(left) : model.beginFrom(before));
      left?.free();
    }
  }

  async #answering(
    { about, beginning, resume, state, form, written = 0 }: Asked, run: (generation: Generation, held: ConstraintOptions) => Promise<void>,
  ): Promise<void> {
    if (this.#generation) throw failure('busy');
    const stops = this.#stops;
    const help = { ...(await this.#checkpoints(about)), rebuild: () => this.#rebuild(), dutyCycle: this.#dutyCycle };
    if (this.#generation) throw failure('busy');
    if (this.#stops > stops) return;
    const model = this.#openModel();
    const generation = (this.#generation = new Generation(model, help));
    try {
      if (state) await restoreState(model, state);
      else if (!resume) await beginFrom(model, await this.#states(), beginning);
      if (form) await this.#constrained(model, form, written, (constraint) => run(generation, { constraint }));
      else await run(generation, {});
    } finally {
      this.#generation = undefined;
    }
  }

  async #constrained(model: EngineModel, form: AnswerForm, written: number, run: (constraint: ConstraintOption) => Promise<void>): Promise<void> {
    if (!this.options.constrained) throw failure('grammar', { problem: 'there is no grammar engine' });
    await this.options.constrained.run(model, form, written, run);
  }

  #openModel(): EngineModel {
    if (!this.#opened) throw failure('not-stored');
    return this.#opened.model;
  }

  /** The open model, where no answer is being written. */
  #idleModel(): EngineModel {
    if (this.#generation) throw failure('busy');
    return this.#openModel();
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
      throw cause instanceof MambaError ? cause : failure('engine-start', {}, String(cause));
    }
  }

  async #acquire(
    store: ModelStore, source: ModelSource, device: DeviceOptions, signal: AbortSignal, onProgress: (progress: OpenProgress) => void, early?: EarlyLoad,
  ): Promise<ModelRecord> {
    const { env = browserEnvironment, limits, chunkBytes, checkFits } = this.options;
    try {
      return await acquire(store, source, {
        env,
        signal,
        ...(limits ? { limits } : {}),
        ...(chunkBytes ? { chunkBytes } : {}),
        ...(checkFits ? { checkFits: (header: Uint8Array, bytes: number) => checkFits(header, bytes, device) } : {}),
        ...(early ? { onHeaders: (model: ModelRecord, arrivals: Arrivals) => early.begin(store, model, arrivals) } : {}),
        onProgress: (progress) => onProgress({ step: 'receive', ...progress }),
        onElsewhere: (progress) => onProgress({ step: 'receive', ...progress, elsewhere: true }),
      });
    } catch (thrown) {
      await early?.end();
      const fault = toFailure(thrown);
      // Also when it was another tab that discarded it: its chunks may only be deleted by whoever held them.
      if (fault.code === 'discarded') await this.remove(sourceKey(source)).catch(() => undefined);
      throw fault;
    }
  }

  async #load(
    store: ModelStore, record: ModelRecord, device: DeviceOptions, signal: AbortSignal, onProgress: (progress: OpenProgress) => void, early?: EarlyLoad,
  ): Promise<EngineModel> {
    const onLoad = (progress: WeightsProgress) => onProgress({ step: 'load', ...progress });
    try {
      const onSilence = () => onProgress({ step: 'receive', done: 0, total: 0, elsewhere: true, silent: true });
      return await reading(record.url, signal, onSilence, async () =>
        (await early?.model(onLoad)) ?? this.engine.loadModel(await storedFiles(store, record, signal), { ...device, signal, onProgress: onLoad }));
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
    store: ModelStore, record: ModelRecord, fault: MambaError, arrived: boolean, signal: AbortSignal, onProgress: (progress: OpenProgress) => void,
  ): Promise<MambaError | undefined> {
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
    return new MambaError({ ...fault.report(), remedy: messages().soundRemedy });
  }
}
