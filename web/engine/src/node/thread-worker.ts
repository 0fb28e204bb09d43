/** A thread of Node as a worker of a page: what the engine uses of one. */
import { Worker as Thread } from 'node:worker_threads';
import type { SupervisedWorker } from '../client/supervisor.ts';
import { packed } from './file-message.ts';

/** What a thread is told at its start. */
export interface ThreadData {
  /** Of the worker, as `self.name`. */
  name: string;
  /** Where models are kept. */
  folder?: string;
  /** Whether the npm package `webgpu` gives it a GPU. */
  webgpu?: boolean;
}

export class ThreadWorker extends EventTarget implements SupervisedWorker {
  onmessage: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  readonly #thread: Thread;
  #isEnding = false;

  /** `script` lies beside this one. */
  constructor(script: string, data: ThreadData) {
    super();
    // The program's own options of Node, such as a kind of input or a loader, are nothing to it.
    this.#thread = new Thread(new URL(script, import.meta.url), { workerData: data, execArgv: [] });
    this.#thread.on('message', (data: unknown) => this.#tell(new MessageEvent('message', { data }), this.onmessage));
    this.#thread.on('messageerror', () => this.#tell(new Event('messageerror'), null));
    this.#thread.on('error', (error: Error) => this.#fail(`${error.name}: ${error.message}`));
    this.#thread.on('exit', (code) => this.#fail(`the thread ended with code ${code}`));
  }

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.#thread.postMessage(packed(message), transfer as never);
  }

  terminate(): void {
    this.#isEnding = true;
    void this.#thread.terminate();
  }

  #fail(message: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#tell(Object.assign(new Event('error', { cancelable: true }), { message }), this.onerror);
  }

  #tell(event: Event, handle: ((event: Event) => void) | null): void {
    handle?.call(this, event);
    this.dispatchEvent(event);
  }
}
