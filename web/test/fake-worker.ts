/** A worker without a browser: what it offers runs in the same thread, and the test breaks it as it likes. */
import { expose } from 'comlink';
import { vi } from 'vitest';
import type { EngineWorker } from '../engine/src/protocol/calls';
import type { OpenModel, WorkerNews } from '../engine/src/protocol/protocol';
import type { SupervisedWorker } from '../engine/src/client/supervisor';

export class FakeWorker implements SupervisedWorker {
  readonly terminate = vi.fn(() => (this.#isGone = true));
  #isGone = false;
  readonly #outside = new EventTarget();
  readonly #inside = new EventTarget();

  constructor(calls: object, isStarted = true) {
    const inside = {
      addEventListener: this.#inside.addEventListener.bind(this.#inside),
      removeEventListener: this.#inside.removeEventListener.bind(this.#inside),
      postMessage: (data: unknown) => this.#say(data),
    };
    expose(calls, inside);
    if (isStarted) queueMicrotask(() => this.news({ news: 'started' }));
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#outside.addEventListener(type, listener);
  }

  removeEventListener(type: string, listener: (event: Event) => void): void {
    this.#outside.removeEventListener(type, listener);
  }

  dispatchEvent(event: Event): void {
    this.#outside.dispatchEvent(event);
  }

  postMessage(data: unknown): void {
    queueMicrotask(() => !this.#isGone && this.#inside.dispatchEvent(new MessageEvent('message', { data })));
  }

  news(news: WorkerNews): void {
    this.#say(news);
  }

  fault(detail = 'RuntimeError: unreachable'): void {
    this.news({ news: 'fault', detail });
  }

  /** Ends as a worker that closes itself: all that is left is a lock that can be had. */
  vanish(): void {
    this.news({ news: 'alive', lock: 'let go' });
    this.#isGone = true;
  }

  #say(data: unknown): void {
    if (!this.#isGone) this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

export function opened(name: string, backend: string, bytesPerToken = 1): OpenModel {
  return { url: `https://example.org/${name}.gguf`, name, info: { backend, bytesPerToken, reason: 'asked for' } as OpenModel['info'] };
}

/** What a sound worker offers: whatever is opened is open on the device that was asked for, and answers with the tokens 1 to 3. */
export function soundCalls(gpu = false) {
  const model = (source: { name?: string; url?: string }, backend: string | undefined) =>
    opened(source.name ?? /(\w+)\.gguf$/.exec(source.url ?? '')?.[1] ?? '', backend === 'cpu' || !gpu ? 'cpu' : 'webgpu');
  return {
    open: vi.fn(async (source: object, device: { backend?: string }) => model(source, device.backend)),
    generate: vi.fn<EngineWorker['generate']>(async (_, { written }, onEvent) => {
      for (let id = 1 + (written?.length ?? 0); id <= 3; id += 1) await onEvent({ type: 'token', id, text: `${id} `, milliseconds: 1 });
    }),
    stop: vi.fn(async () => undefined),
    stored: vi.fn(async () => []),
    tokenize: vi.fn(async () => new Uint32Array(1)),
  };
}
