/** The worker's calls over one store and one engine; holds the one open model. No comlink and no wasm in here, so that tests can run it. */
import { failure, toFailure } from '../app/failure';
import { acquire } from '../weights/acquire';
import type { DownloadLimits } from '../weights/download-job';
import { browserEnvironment, type Environment } from '../weights/environment';
import type { ModelRecord } from '../weights/model-record';
import { sourceKey, type ModelSource } from '../weights/model-source';
import type { ModelStore } from '../weights/model-store';
import { reading } from '../weights/neighbours';
import { storedFiles } from '../weights/stored-file';
import type { CheckFits } from './check-fits';
import { Generation } from './generation';
import type {
  BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions, EngineWorker, GenerateEvent, GenerateOptions, ManyEvent, ManyOptions, OpenModel,
  OpenProgress,
} from './protocol';
import { StoredModels } from './stored-models';
import type { EngineModel, WasmEngine } from './wasm-engine';

/** Codes that blame the file: such a model is of no use here, so it is not kept. */
const FILE_FAULTS: ReadonlySet<string> = new Set([
  'not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'split', 'tokenizer',
]);

export interface SessionOptions {
  env?: Environment;
  limits?: DownloadLimits;
  /** Judges a model by its header before the bulk of it is fetched; what it throws ends the download. */
  checkFits?: CheckFits;
}

export class Session extends StoredModels implements EngineWorker {
  #model: EngineModel | undefined;
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
  }

  async open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void): Promise<OpenModel> {
    this.#opening.abort();
    const { signal } = (this.#opening = new AbortController());
    await this.stop();
    this.#model?.free();
    this.#model = undefined;
    await this.#start();
    const store = await this.store;
    const record = await this.#acquire(store, source, device, signal, onProgress);
    const model = await this.#load(store, record, device, signal, onProgress);
    if (signal.aborted) {
      model.free();
      throw toFailure(signal.reason);
    }
    this.#model = model;
    await store.touch(record.url);
    return { url: record.url, name: record.name, info: model.info() };
  }

  async endOpening(how: 'pause' | 'discard'): Promise<void> {
    this.#opening.abort(failure(how === 'pause' ? 'paused' : 'discarded'));
  }

  async generate(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void> {
    await this.#answering((generation) => generation.run(prompt, options, onEvent));
  }

  async generateMany(prompts: ChatMessage[][], options: ManyOptions, onEvent: (event: ManyEvent) => void): Promise<void> {
    await this.#answering((generation) => generation.runMany(prompts, options, onEvent));
  }

  async stop(): Promise<void> {
    await this.#generation?.stop();
  }

  async logits(tokens: Uint32Array): Promise<Float32Array> {
    return this.#openModel().logits(tokens);
  }

  async tokenize(text: string): Promise<Uint32Array> {
    return this.#openModel().tokenize(text);
  }

  async bench(options: BenchOptions, onProgress: (progress: BenchProgress) => void): Promise<BenchReport> {
    return this.#openModel().bench({ ...options, onProgress });
  }

  async #answering(run: (generation: Generation) => Promise<void>): Promise<void> {
    if (this.#generation) throw failure('busy');
    const generation = (this.#generation = new Generation(this.#openModel()));
    try {
      await run(generation);
    } finally {
      this.#generation = undefined;
    }
  }

  #openModel(): EngineModel {
    if (!this.#model) throw failure('not-stored');
    return this.#model;
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
      return await reading(record.url, async () =>
        this.engine.loadModel(await storedFiles(store, record, signal), {
          ...device,
          onProgress: (progress) => onProgress({ step: 'load', ...progress }),
        }));
    } catch (thrown) {
      // A read that was ended reaches the engine as one that failed.
      if (signal.aborted) throw toFailure(signal.reason);
      const fault = toFailure(thrown);
      if (FILE_FAULTS.has(fault.code)) await store.remove(record.url);
      throw fault;
    }
  }
}
