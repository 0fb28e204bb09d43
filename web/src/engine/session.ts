/** The worker's calls over one store and one engine; holds the one open model. No comlink and no wasm in here, so that tests can run it. */
import { failure, toFailure } from '../app/failure';
import { acquire } from '../weights/acquire';
import { CHUNK_BYTES } from '../weights/chunk-writer';
import type { ModelRecord } from '../weights/database';
import type { ModelSource } from '../weights/model-source';
import type { ModelStore } from '../weights/model-store';
import { storedFiles } from '../weights/stored-file';
import { Generation } from './generation';
import type {
  BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions, EngineWorker, GenerateEvent, GenerateOptions, OpenModel, OpenProgress, StoredModel,
} from './protocol';
import type { EngineModel, WasmEngine } from './wasm-engine';

/** Codes that blame the file: such a model is of no use here, so it is not kept. */
const FILE_FAULTS: ReadonlySet<string> = new Set([
  'not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'split', 'tokenizer',
]);

export class Session implements EngineWorker {
  #model: EngineModel | undefined;
  #generation: Generation | undefined;
  #opening = new AbortController();
  #started: Promise<unknown> | undefined;

  constructor(
    private readonly engine: WasmEngine,
    private readonly store: Promise<ModelStore>,
  ) {
    // Awaited by every call; this keeps a failure before the first call from counting as unhandled.
    store.catch(() => undefined);
  }

  async open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void): Promise<OpenModel> {
    this.#opening.abort();
    const opening = (this.#opening = new AbortController());
    await this.stop();
    this.#model?.free();
    this.#model = undefined;
    await this.#start();
    const store = await this.store;
    const record = await acquire(store, source, (progress) => onProgress({ step: 'receive', ...progress }), opening.signal);
    const model = await this.#load(store, record, device, onProgress);
    if (opening.signal.aborted) {
      model.free();
      throw failure('cancelled');
    }
    this.#model = model;
    await store.touch(record);
    return { url: record.url, name: record.name, info: model.info() };
  }

  async generate(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void> {
    if (this.#generation) throw failure('busy');
    const generation = (this.#generation = new Generation(this.#openModel()));
    try {
      await generation.run(prompt, options, onEvent);
    } finally {
      this.#generation = undefined;
    }
  }

  async stop(): Promise<void> {
    await this.#generation?.stop();
  }

  async stored(): Promise<StoredModel[]> {
    const models = await (await this.store).list();
    return models.map(({ url, name, length }) => ({ url, name, bytes: length }));
  }

  async remove(url: string): Promise<void> {
    await (await this.store).remove(url);
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

  async #load(store: ModelStore, record: ModelRecord, device: DeviceOptions, onProgress: (progress: OpenProgress) => void): Promise<EngineModel> {
    try {
      return await this.engine.loadModel(storedFiles(store, record, CHUNK_BYTES), {
        ...device,
        onProgress: (progress) => onProgress({ step: 'load', ...progress }),
      });
    } catch (thrown) {
      const fault = toFailure(thrown);
      if (FILE_FAULTS.has(fault.code)) await store.remove(record.url);
      throw fault;
    }
  }
}
