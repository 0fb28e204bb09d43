/** The page's side of the engine: one worker, which is replaced where it breaks. */
import type { Failure } from '../base/failure';
import { ownMessages } from '../base/messages';
import type { Progress } from '../store/download-job';
import type { ExportTarget } from '../store/export-model';
import type { ModelSource } from '../store/model-source';
import type { VerifyResult } from '../store/verify-model';
import { ModelHost } from './model-host';
import type {
  AnswerEvent, AnswerOptions, BenchOptions, BenchProgress, BenchReport, ChatMessage, DeviceOptions, EngineWorker, BatchAnswerOptions, BatchEvent,
  OpenedState, OpenModel, OpenProgress, StateOptions, StoredModel, WorkerSetup,
} from '../protocol/protocol';
import type { SupervisedWorker } from './supervisor';

export interface ClientOptions {
  start?: () => SupervisedWorker;
  /** Whether there is a GPU to be had, without which nothing is tried again on the CPU. */
  hasGpu?: () => Promise<boolean>;
}

const startWorker = (): SupervisedWorker => new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module', name: 'engine' });

/** A worker makes its failures itself, and says what the page would have it say. */
function instructed(worker: SupervisedWorker): SupervisedWorker {
  const setup: WorkerSetup = { messages: ownMessages() };
  if (Object.keys(setup.messages).length > 0) worker.postMessage(setup);
  return worker;
}

/** Some browsers have the interface and nothing behind it. */
async function findGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return (await gpu?.requestAdapter().catch(() => null)) != null;
}

export class EngineClient implements EngineWorker {
  readonly #host: ModelHost;

  constructor({ start = startWorker, hasGpu = findGpu }: ClientOptions = {}) {
    this.#host = new ModelHost(() => instructed(start()), hasGpu);
  }

  /** The model that was open is so no more, because its worker broke and was ended. Calls under way fail with the same. */
  onCrash(listener: (fault: Failure) => void): void {
    this.#host.onCrash = listener;
  }

  /** `signal` ends the download, keeping what has arrived, and the load. */
  open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void, signal?: AbortSignal): Promise<OpenModel> {
    return this.#ending(signal, () => this.endOpening('pause'), () => this.#host.open(source, device, onProgress));
  }

  endOpening(how: 'pause' | 'discard'): Promise<void> {
    return this.#host.promptly((remote) => remote.endOpening(how));
  }

  /** `signal` ends the answer while the prompt is read or between two tokens. */
  generate(
    prompt: ChatMessage[] | Uint32Array, options: AnswerOptions, onEvent: (event: AnswerEvent) => void, signal?: AbortSignal,
  ): Promise<void> {
    return this.#ending(signal, () => this.stop(), () => this.#host.generate(prompt, options, onEvent));
  }

  generateBatch(prompts: (ChatMessage[] | Uint32Array)[], options: BatchAnswerOptions, onEvent: (event: BatchEvent) => void): Promise<void> {
    return this.#host.ofModel((remote) => remote.generateBatch(prompts, options, this.#host.listener(onEvent)));
  }

  stop(): Promise<void> {
    return this.#host.stop();
  }

  saveState(messages: ChatMessage[], options: StateOptions): Promise<Blob> {
    return this.#host.ofModel((remote) => remote.saveState(messages, options));
  }

  openState(file: Blob | string): Promise<OpenedState> {
    return this.#host.ofModel((remote) => remote.openState(file));
  }

  forgetStates(about: string): Promise<void> {
    return this.#host.call((remote) => remote.forgetStates(about));
  }

  stored(): Promise<StoredModel[]> {
    return this.#host.call((remote) => remote.stored());
  }

  remove(url: string): Promise<void> {
    return this.#host.call((remote) => remote.remove(url));
  }

  verify(url: string, onProgress: (progress: Progress) => void): Promise<VerifyResult> {
    return this.#host.call((remote) => remote.verify(url, this.#host.listener(onProgress)));
  }

  exportPart(url: string, part: number, target: ExportTarget, onProgress: (progress: Progress) => void): Promise<void> {
    return this.#host.call((remote) => remote.exportPart(url, part, target as never, this.#host.listener(onProgress)));
  }

  endTask(): Promise<void> {
    return this.#host.promptly((remote) => remote.endTask());
  }

  handles(url: string): Promise<FileSystemFileHandle[]> {
    return this.#host.call((remote) => remote.handles(url));
  }

  logits(tokens: Uint32Array): Promise<Float32Array> {
    return this.#host.ofModel((remote) => remote.logits(tokens));
  }

  tokenize(text: string): Promise<Uint32Array> {
    return this.#host.ofModel((remote) => remote.tokenize(text));
  }

  bench(options: BenchOptions, onProgress: (progress: BenchProgress) => void): Promise<BenchReport> {
    return this.#host.ofModel((remote) => remote.bench(options, this.#host.listener(onProgress)));
  }

  /** An AbortSignal cannot cross into the worker; what it asks for can. */
  async #ending<T>(signal: AbortSignal | undefined, end: () => Promise<void>, call: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const abort = () => void end().catch(() => undefined);
    signal?.addEventListener('abort', abort);
    try {
      return await call();
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}
