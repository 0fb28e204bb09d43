/** What downloads need of the world around them, so that tests can bring their own clock, chance and network. */

export interface Environment {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Milliseconds. */
  now(): number;
  /** From 0 up to, not including, 1. */
  random(): number;
  /** Waits; rejects when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Waits before another try: the same, but it ends early when the connection comes back. */
  rest(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Whether this device certainly has no network. */
  offline(): boolean;
  /** What the browser says of its room. */
  estimate(): Promise<{ quota?: number; usage?: number }>;
  /** Whether a request to `url` is one to another origin, where some headers cost a preflight and some answers hide theirs. */
  crossOrigin(url: string): boolean;
}

export const browserEnvironment: Environment = {
  // A worker's own policy comes with its script, and not every host sends one: no server of models learns which page asks.
  fetch: (url, init) => fetch(url, { ...init, referrerPolicy: 'no-referrer' }),
  now: () => performance.now(),
  random: () => Math.random(),
  sleep: (milliseconds, signal) => wait(milliseconds, signal, false),
  rest: (milliseconds, signal) => wait(milliseconds, signal, true),
  offline: () => globalThis.navigator?.onLine === false,
  estimate: async () => (await globalThis.navigator?.storage?.estimate?.()) ?? {},
  crossOrigin: (url) => {
    const origin = (globalThis as { origin?: string }).origin;
    return origin !== undefined && new URL(url).origin !== origin;
  },
};

function wait(milliseconds: number, signal: AbortSignal, wakes: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.('online', wake);
      signal.removeEventListener('abort', abort);
    };
    const wake = () => (end(), resolve());
    const abort = () => (end(), reject(signal.reason as Error));
    const timer = setTimeout(wake, milliseconds);
    if (wakes) globalThis.addEventListener?.('online', wake);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}
