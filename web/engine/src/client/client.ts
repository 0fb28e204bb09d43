/** The page's side of the engine: one worker, which is replaced where it breaks. */
import { assets, startHosted } from '../base/assets.ts';
import { failure, type MambaError } from '../base/failure.ts';
import { ownMessages } from '../base/messages.ts';
import { CALLS, type CallName, type EngineWorker } from '../protocol/calls.ts';
import type { AnswerEvent, AnswerOptions, BatchAnswerOptions, BatchEvent, DeviceOptions, OpenModel, OpenProgress, Prompt, WorkerSetup } from '../protocol/protocol.ts';
import type { ModelSource } from '../store/model-source.ts';
import { ModelHost } from './model-host.ts';
import { refusal, watchRefusals } from './refusals.ts';
import type { SupervisedWorker } from './supervisor.ts';

/** How an engine’s worker is made; tests bring their own. */
export interface ClientOptions {
  /** Begins a worker; by default one of the package’s own. */
  start?: () => SupervisedWorker;
  /** Whether there is a GPU to be had, without which nothing is tried again on the CPU. */
  hasGpu?: () => Promise<boolean>;
}

function startWorker(): SupervisedWorker {
  if (typeof Worker === 'undefined') throw failure('engine-start', {}, 'there are no workers here');
  watchRefusals();
  const folder = assets();
  try {
    if (folder !== undefined) return startHosted('worker.js', folder, 'engine');
    // Bundlers know a worker by just this expression.
    return new Worker(new URL('../worker/worker.js', import.meta.url), { type: 'module', name: 'engine' });
  } catch (thrown) {
    throw refusal(thrown);
  }
}

/** A worker makes its failures itself, and says what the page would have it say. What was set of the one before holds for it too. */
function instructed(worker: SupervisedWorker, dutyCycle: number): SupervisedWorker {
  const messages = ownMessages();
  const setup: WorkerSetup = { ...(Object.keys(messages).length > 0 ? { messages } : {}), ...(dutyCycle < 1 ? { dutyCycle } : {}) };
  if (Object.keys(setup).length > 0) worker.postMessage(setup);
  return worker;
}

/** Some browsers have the interface and nothing behind it. */
async function findGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return (await gpu?.requestAdapter().catch(() => null)) != null;
}

/** The calls that need nothing but to be passed on, in the way that their description says. */
export interface EngineClient extends Omit<EngineWorker, 'open' | 'generate' | 'generateBatch' | 'setDutyCycle' | 'stop'> {}

/** The calls that `stop` ends as it ends an answer. */
export type StoppableCall = 'score' | 'perplexity' | 'embed';

/** The engine in a worker of its own, by its calls: what `WebMamba` is made of. */
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
  #dutyCycle = 1;

  constructor({ start = startWorker, hasGpu = findGpu }: ClientOptions = {}) {
    this.#host = new ModelHost(() => instructed(start(), this.#dutyCycle), hasGpu);
  }

  /** The model that was open is so no more, because its worker broke and was ended. Calls under way fail with the same. */
  onCrash(listener: (fault: MambaError) => void): void {
    this.#host.onCrash = listener;
  }

  /** `signal` ends the download, keeping what has arrived, and the load. */
  open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void, signal?: AbortSignal): Promise<OpenModel> {
    return this.#ending(signal, () => this.endOpening('pause'), () => this.#host.open(source, device, onProgress));
  }

  /** `signal` ends the answer while the prompt is read or between two tokens. */
  generate(
    prompt: Prompt, options: AnswerOptions, onEvent: (event: AnswerEvent) => void, signal?: AbortSignal,
  ): Promise<void> {
    return this.#ending(signal, () => this.stop(), () => this.#host.generate(prompt, options, onEvent));
  }

  /** `signal` ends it as it ends an answer. A batch does not go on in another worker. */
  generateBatch(prompts: Prompt[], options: BatchAnswerOptions, onEvent: (event: BatchEvent) => void, signal?: AbortSignal): Promise<void> {
    return this.#ending(signal, () => this.stop(), () => this.#host.pass('generateBatch', [prompts, options, onEvent]) as Promise<void>);
  }

  /** One of the calls that read a text. `signal` ends it after the chunk that it is at. */
  reading<Name extends StoppableCall>(name: Name, given: Parameters<EngineWorker[Name]>, signal?: AbortSignal): ReturnType<EngineWorker[Name]> {
    return this.#ending(signal, () => this.stop(), () => this.#host.pass(name, given)) as ReturnType<EngineWorker[Name]>;
  }

  /** In every worker from now on. */
  setDutyCycle(share: number): Promise<void> {
    this.#dutyCycle = share;
    return this.#host.pass('setDutyCycle', [share]) as Promise<void>;
  }

  /** Ends the answers under way. */
  stop(): Promise<void> {
    return this.#host.stop();
  }

  /** Ends the worker for good. Calls under way and later ones fail with `freed`. */
  close(): void {
    this.#host.close();
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

/** What a model needs of its client. */
export type ModelClient = Pick<EngineClient, keyof EngineClient>;
