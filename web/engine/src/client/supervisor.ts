/**
 * Keeps a worker for the page: one that breaks, or falls silent, is ended, its calls end with it, and the next call starts a fresh one.
 * Nothing here starts one by itself, so a worker that breaks each time is started no more often than somebody asks it something.
 */
import { wrap, type Remote } from 'comlink';
import type { WorkerNews } from '../protocol/protocol.ts';

/** A worker that is asked to stop and says nothing for so long is taken for one that never will, whatever was seen before. */
export const LEAST_TIMEOUT_SECONDS = 10;
/**
 * A slow device is not a dead one: a stop is heard after the step that runs, and steps of one model take about as long. Other work
 * on the machine makes one take twice as long, or three times.
 */
const TIMEOUT_FACTOR = 4;

/** What the supervisor needs of a `Worker`. */
export interface SupervisedWorker {
  /** As of a `Worker`. */
  postMessage(message: unknown, transfer?: Transferable[]): void;
  /** For `message`, `messageerror` and `error`. */
  addEventListener(type: string, listener: (event: Event) => void): void;
  /** Takes a listener away. */
  removeEventListener(type: string, listener: (event: Event) => void): void;
  /** Ends it at once. */
  terminate(): void;
}

/** `start`: its script did not run; `fault`: something broke in it; `silent`: it did not answer any more. */
export type CrashKind = 'start' | 'fault' | 'silent';

/** What ends the calls of a worker that was ended. */
export class Crash extends Error {
  constructor(readonly kind: CrashKind, readonly detail: string) {
    super(`the worker was ended (${kind}): ${detail}`);
    this.name = 'Crash';
  }
}

interface Line<Calls> {
  worker: SupervisedWorker;
  remote: Remote<Calls>;
  /** Rejects when the worker is ended. */
  ended: Promise<never>;
  isStarted(): boolean;
  end(crash: Crash): void;
  close(reason: Error): void;
}

export class WorkerSupervisor<Calls> {
  #line: Line<Calls> | undefined;
  /** What calls fail with once it is closed. */
  #closed: Error | undefined;
  #calls = 0;
  /** When something was last heard of the worker, and the longest that it has said nothing with a call under way. */
  #heard = 0;
  #silence = 0;

  /** `onCrash` is called before the calls fail. `leastTimeout` gives the seconds that a model's first step may take on a sound device. */
  constructor(
    private readonly start: () => SupervisedWorker,
    private readonly onCrash: (crash: Crash) => void,
    private readonly leastTimeout: () => number = () => 0,
  ) {}

  /** Starts the worker before anything is asked of it. */
  warmUp(): void {
    this.#line ??= this.#begin();
  }

  /** Ends the worker for good: calls under way, and all later ones, fail with `reason`. */
  close(reason: Error): void {
    this.#closed ??= reason;
    const line = this.#line;
    this.#line = undefined;
    line?.close(reason);
  }

  /** @throws {Crash} where the worker is ended meanwhile. */
  async call<T>(make: (remote: Remote<Calls>) => Promise<T>): Promise<T> {
    if (this.#closed) throw this.#closed;
    const { remote, ended } = (this.#line ??= this.#begin());
    if (this.#calls === 0) this.#heard = performance.now();
    this.#calls += 1;
    try {
      return await Promise.race([make(remote), ended]);
    } finally {
      this.heard();
      this.#calls -= 1;
    }
  }

  /** A call that a sound worker answers as soon as its step has ended. One that does not is ended, which answers the call as well. */
  async promptly(make: (remote: Remote<Calls>) => Promise<void>): Promise<void> {
    const line = this.#line;
    if (!line) return;
    this.#note();
    const timeout = Math.max(LEAST_TIMEOUT_SECONDS, this.leastTimeout(), (TIMEOUT_FACTOR * this.#silence) / 1000);
    // Counted by ticks: of the time in which the computer slept, or the page was frozen, one tick remains.
    let seconds = 0;
    const watch = setInterval(() => {
      // Its script may still be on its way.
      if (line.isStarted()) seconds += 1;
      if (seconds >= timeout) line.end(new Crash('silent', `no answer within ${Math.ceil(timeout)} s`));
    }, 1000);
    try {
      await this.call(make);
    } catch (thrown) {
      if (!(thrown instanceof Crash)) throw thrown;
    } finally {
      clearInterval(watch);
    }
  }

  /** Something has come from the worker: an event of a call. */
  heard(): void {
    this.#note();
    this.#heard = performance.now();
  }

  /** What was seen of one model says nothing of the next. */
  forgetSilence(): void {
    this.#silence = 0;
    this.#heard = performance.now();
  }

  #note(): void {
    if (this.#calls > 0) this.#silence = Math.max(this.#silence, performance.now() - this.#heard);
  }

  #begin(): Line<Calls> {
    const worker = this.start();
    let reject: (reason: Error) => void = () => undefined;
    const ended = new Promise<never>((_, no) => (reject = no));
    // Without a call under way, nobody waits for it.
    ended.catch(() => undefined);
    let isStarted = false;
    const watch = new AbortController();
    const line: Line<Calls> = {
      worker, ended, remote: wrap<Calls>(worker as unknown as Worker), isStarted: () => isStarted,
      close: (reason) => {
        watch.abort();
        worker.terminate();
        reject(reason);
      },
      end: (crash) => {
        if (this.#line !== line) return;
        this.#line = undefined;
        watch.abort();
        worker.terminate();
        this.onCrash(crash);
        reject(crash);
      },
    };
    const broken = (detail: string) => line.end(new Crash(isStarted ? 'fault' : 'start', detail));
    worker.addEventListener('error', (event) => {
      // It is said here, and need not count as an error of the page itself.
      event.preventDefault();
      broken((event as Partial<ErrorEvent>).message ?? '');
    });
    worker.addEventListener('messageerror', () => broken('a message could not be read'));
    worker.addEventListener('message', (event) => {
      const said = (event as MessageEvent<WorkerNews | { news?: undefined } | null>).data;
      if (said?.news === 'started') isStarted = true;
      else if (said?.news === 'fault') line.end(new Crash('fault', said.detail));
      else if (said?.news === 'alive') whenFree(said.lock, watch.signal, () => line.end(new Crash('fault', 'the worker is gone')));
    });
    return line;
  }
}

/** The browser says nothing of a worker that has ended, but gives its lock to the next who asks for it. */
function whenFree(lock: string, signal: AbortSignal, then: () => void): void {
  // It rejects where the watch is ended first.
  globalThis.navigator?.locks?.request(lock, { signal }, then).catch(() => undefined);
}
