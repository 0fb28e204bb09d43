/** The page's side of the engine worker. */
import { proxy, wrap, type Remote } from 'comlink';
import { failure, toFailure } from '../app/failure';
import type { ModelSource } from '../weights/model-source';
import type {
  BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions, EngineWorker, GenerateEvent, GenerateOptions, OpenModel, OpenProgress, StoredModel,
} from './protocol';

export class EngineClient implements EngineWorker {
  readonly #remote: Remote<EngineWorker>;
  /** Rejects when the worker's script does not load or breaks: calls in flight would otherwise wait for ever. */
  readonly #broken: Promise<never>;

  constructor() {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'engine' });
    this.#broken = new Promise((_, reject) => {
      worker.addEventListener('error', (event) => reject(failure('engine-start', {}, event.message ?? '')));
    });
    this.#broken.catch(() => undefined);
    this.#remote = wrap<EngineWorker>(worker);
  }

  open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void): Promise<OpenModel> {
    return this.#answer(this.#remote.open(source, device, proxy(onProgress)));
  }

  generate(prompt: ChatMessage[] | Uint32Array, options: GenerateOptions, onEvent: (event: GenerateEvent) => void): Promise<void> {
    return this.#answer(this.#remote.generate(prompt, options, proxy(onEvent)));
  }

  stop(): Promise<void> {
    return this.#answer(this.#remote.stop());
  }

  stored(): Promise<StoredModel[]> {
    return this.#answer(this.#remote.stored());
  }

  remove(url: string): Promise<void> {
    return this.#answer(this.#remote.remove(url));
  }

  logits(tokens: Uint32Array): Promise<Float32Array> {
    return this.#answer(this.#remote.logits(tokens));
  }

  tokenize(text: string): Promise<Uint32Array> {
    return this.#answer(this.#remote.tokenize(text));
  }

  bench(options: BenchOptions, onProgress: (progress: BenchProgress) => void): Promise<BenchReport> {
    return this.#answer(this.#remote.bench(options, proxy(onProgress)));
  }

  async #answer<T>(call: Promise<T>): Promise<T> {
    try {
      return await Promise.race([call, this.#broken]);
    } catch (thrown) {
      throw toFailure(thrown);
    }
  }
}
