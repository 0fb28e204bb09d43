// What ends a call from outside.

/** Resolves when a signal aborts, or at `end()`: a promise that never settles would keep its listeners. */
export class Abortion {
  #signal;
  #listener;

  constructor(signal) {
    this.#signal = signal;
    this.promise = new Promise((resolve) => (this.#listener = () => resolve()));
    signal.addEventListener('abort', this.#listener);
    if (signal.aborted) this.#listener();
  }

  end() {
    this.#signal.removeEventListener('abort', this.#listener);
    this.#listener();
  }
}

/** Why a signal has aborted; old browsers do not say. */
export function reasonOf(signal) {
  return signal.reason ?? new DOMException('The call was aborted.', 'AbortError');
}
