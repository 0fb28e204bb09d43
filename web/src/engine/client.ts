/** The page's side of the engine worker. */
import { proxy, wrap, type Remote } from 'comlink';
import { failure, toFailure } from '../app/failure';
import type { Progress } from '../weights/download-job';
import type { ExportTarget } from '../weights/export-model';
import type { ModelSource } from '../weights/model-source';
import type { VerifyResult } from '../weights/verify-model';
import type {
  AnswerEvent, AnswerOptions, BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions, EngineWorker, ManyAnswerOptions, ManyEvent,
  OpenedState, OpenModel, OpenProgress, StateOptions, StoredModel,
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

  /** `signal` ends the download, keeping what has arrived, and the load. */
  open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void, signal?: AbortSignal): Promise<OpenModel> {
    return this.#ending(signal, () => this.endOpening('pause'), () => this.#remote.open(source, device, proxy(onProgress)));
  }

  endOpening(how: 'pause' | 'discard'): Promise<void> {
    return this.#answer(this.#remote.endOpening(how));
  }

  /** `signal` ends the answer while the prompt is read or between two tokens. */
  generate(
    prompt: ChatMessage[] | Uint32Array, options: AnswerOptions, onEvent: (event: AnswerEvent) => void, signal?: AbortSignal,
  ): Promise<void> {
    return this.#ending(signal, () => this.stop(), () => this.#remote.generate(prompt, options, proxy(onEvent)));
  }

  generateMany(prompts: (ChatMessage[] | Uint32Array)[], options: ManyAnswerOptions, onEvent: (event: ManyEvent) => void): Promise<void> {
    return this.#answer(this.#remote.generateMany(prompts, options, proxy(onEvent)));
  }

  stop(): Promise<void> {
    return this.#answer(this.#remote.stop());
  }

  saveState(messages: ChatMessage[], options: StateOptions): Promise<Blob> {
    return this.#answer(this.#remote.saveState(messages, options));
  }

  openState(file: Blob | string): Promise<OpenedState> {
    return this.#answer(this.#remote.openState(file));
  }

  forgetStates(about: string): Promise<void> {
    return this.#answer(this.#remote.forgetStates(about));
  }

  stored(): Promise<StoredModel[]> {
    return this.#answer(this.#remote.stored());
  }

  remove(url: string): Promise<void> {
    return this.#answer(this.#remote.remove(url));
  }

  verify(url: string, onProgress: (progress: Progress) => void): Promise<VerifyResult> {
    return this.#answer(this.#remote.verify(url, proxy(onProgress)));
  }

  exportPart(url: string, part: number, target: ExportTarget, onProgress: (progress: Progress) => void): Promise<void> {
    return this.#answer(this.#remote.exportPart(url, part, target as never, proxy(onProgress)));
  }

  endTask(): Promise<void> {
    return this.#answer(this.#remote.endTask());
  }

  handles(url: string): Promise<FileSystemFileHandle[]> {
    return this.#answer(this.#remote.handles(url));
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

  /** An AbortSignal cannot cross into the worker; what it asks for can. */
  async #ending<T>(signal: AbortSignal | undefined, end: () => Promise<void>, call: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const abort = () => void end().catch(() => undefined);
    signal?.addEventListener('abort', abort);
    try {
      return await this.#answer(call());
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async #answer<T>(call: Promise<T>): Promise<T> {
    try {
      return await Promise.race([call, this.#broken]);
    } catch (thrown) {
      throw toFailure(thrown);
    }
  }
}
