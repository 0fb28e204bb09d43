/** The page's side of the engine: one worker, which is replaced where it breaks. */
import type { Failure } from '../base/failure';
import { ownMessages } from '../base/messages';
import { CALLS, type CallName, type EngineWorker } from '../protocol/calls';
import type { AnswerEvent, AnswerOptions, ChatMessage, DeviceOptions, OpenModel, OpenProgress, WorkerSetup } from '../protocol/protocol';
import type { ModelSource } from '../store/model-source';
import { ModelHost } from './model-host';
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

/** The calls that need nothing but to be passed on, in the way that their description says. */
export interface EngineClient extends Omit<EngineWorker, 'open' | 'generate' | 'stop'> {}

export class EngineClient implements EngineWorker {
  static {
    const own = Object.getOwnPropertyNames(EngineClient.prototype);
    for (const name of (Object.keys(CALLS) as CallName[]).filter((each) => !own.includes(each))) {
      const value = function (this: EngineClient, ...given: unknown[]): Promise<unknown> {
        return this.#host.pass(name, given);
      };
      Object.defineProperty(EngineClient.prototype, name, { value, writable: true, configurable: true });
    }
  }

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

  /** `signal` ends the answer while the prompt is read or between two tokens. */
  generate(
    prompt: ChatMessage[] | Uint32Array, options: AnswerOptions, onEvent: (event: AnswerEvent) => void, signal?: AbortSignal,
  ): Promise<void> {
    return this.#ending(signal, () => this.stop(), () => this.#host.generate(prompt, options, onEvent));
  }

  stop(): Promise<void> {
    return this.#host.stop();
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
