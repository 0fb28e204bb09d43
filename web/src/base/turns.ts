/**
 * The engine answers one at a time: chat and documents take turns, in the order in which they asked. Work that takes long may be
 * background work: what is not goes before it, and it hears that somebody waits.
 */
import { abortable } from './abortable';

type Holder = 'chat' | 'documents';

export interface TurnOptions {
  /** Who gives up before its turn, by this, leaves the place to the next and gets its reason thrown. */
  signal?: AbortSignal;
  background?: boolean;
}

interface Waiting {
  background: boolean;
  begin(): void;
}

export class Turns {
  /** What holds the turn. */
  holder: Holder | undefined;
  #busy = false;
  #waiting: Waiting[] = [];
  /** Of the background work that holds the turn: says that somebody waits for it. */
  #wanted: AbortController | undefined;

  /** Runs `work` when its turn has come. `wanted` is aborted when other work waits for background work. */
  async take<T>(holder: Holder, work: (wanted: AbortSignal) => Promise<T>, { signal, background = false }: TurnOptions = {}): Promise<T> {
    signal?.throwIfAborted();
    if (this.#busy) await this.#turn(background, signal);
    this.#busy = true;
    this.holder = holder;
    const wanted = new AbortController();
    if (background) this.#wanted = wanted;
    try {
      return await work(wanted.signal);
    } finally {
      this.holder = undefined;
      this.#wanted = undefined;
      this.#next();
    }
  }

  async #turn(background: boolean, signal: AbortSignal | undefined): Promise<void> {
    const waiting: Waiting = { background, begin: () => undefined };
    const turn = new Promise<void>((resolve) => (waiting.begin = resolve));
    this.#waiting.push(waiting);
    if (!background) this.#wanted?.abort();
    try {
      await (signal ? abortable(turn, signal) : turn);
    } catch (thrown) {
      // The turn that has come meanwhile is for the next.
      if (this.#waiting.includes(waiting)) this.#leave(waiting);
      else this.#next();
      throw thrown;
    }
  }

  #next(): void {
    const next = this.#waiting.find(({ background }) => !background) ?? this.#waiting[0];
    if (next) this.#leave(next);
    // Whoever asks before the next one has begun waits behind it.
    this.#busy = next !== undefined;
    next?.begin();
  }

  #leave(left: Waiting): void {
    this.#waiting = this.#waiting.filter((each) => each !== left);
  }
}
