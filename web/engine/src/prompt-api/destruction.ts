/** The end of an object, and of what it does: `destroy`, the signal that it was created with, and the signal of a call. */

export class Destruction {
  readonly #control = new AbortController();

  /** Where the signal of its creation is set later, it is destroyed with that signal's reason. */
  constructor(signal?: AbortSignal) {
    signal?.addEventListener('abort', () => this.#control.abort(signal.reason), { once: true, signal: this.#control.signal });
  }

  destroy(): undefined {
    this.#control.abort();
    return undefined;
  }

  /** Set where the object or one of these ends. */
  with(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
    return AbortSignal.any([this.#control.signal, ...signals.filter((signal) => signal !== undefined)]);
  }
}

/** What `work` gives; where the signal is set first, its reason. */
export async function untilAborted<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  // It may fail after the signal, when nobody waits for it any more.
  work.catch(() => undefined);
  signal.throwIfAborted();
  let abort = () => undefined as void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The pieces that `run` pushes, as a stream. It runs whether it is read or not; a stream that is cancelled ends it without an error. */
export function streamed(run: (push: (piece: string) => void, cancelled: AbortSignal) => Promise<unknown>): ReadableStream<string> {
  const control = new AbortController();
  return new ReadableStream<string>({
    start(controller) {
      run((piece) => !control.signal.aborted && controller.enqueue(piece), control.signal).then(
        () => !control.signal.aborted && controller.close(),
        (thrown: unknown) => !control.signal.aborted && controller.error(thrown),
      );
    },
    cancel: () => control.abort(),
  });
}
