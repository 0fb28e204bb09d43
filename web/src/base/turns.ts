/**
 * The engine answers one at a time: chat and documents take turns, in the order in which they asked. Work that takes long may be
 * patient: whoever is not goes before it, and it hears that somebody waits.
 */
import { abortable } from './abortable';

type Holder = 'chat' | 'documents';

export interface TurnOptions {
  /** Who gives up before its turn, by this, leaves the place to the next and gets its reason thrown. */
  signal?: AbortSignal;
  patient?: boolean;
}

interface Waiting {
  patient: boolean;
  begin(): void;
}

export class Turns {
  /** What holds the turn. */
  holder: Holder | undefined;
  #busy = false;
  #waiting: Waiting[] = [];
  /** Of the patient work that holds the turn: says that somebody waits for it. */
  #wanted: AbortController | undefined;

  /** Runs `work` when its turn has come. `wanted` is aborted when somebody who is not patient waits for patient work. */
  async take<T>(holder: Holder, work: (wanted: AbortSignal) => Promise<T>, { signal, patient = false }: TurnOptions = {}): Promise<T> {
    signal?.throwIfAborted();
    if (this.#busy) await this.#turn(patient, signal);
    this.#busy = true;
    this.holder = holder;
    const wanted = new AbortController();
    if (patient) this.#wanted = wanted;
    try {
      return await work(wanted.signal);
    } finally {
      this.holder = undefined;
      this.#wanted = undefined;
      this.#next();
    }
  }

  async #turn(patient: boolean, signal: AbortSignal | undefined): Promise<void> {
    const waiting: Waiting = { patient, begin: () => undefined };
    const turn = new Promise<void>((resolve) => (waiting.begin = resolve));
    this.#waiting.push(waiting);
    if (!patient) this.#wanted?.abort();
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
    const next = this.#waiting.find(({ patient }) => !patient) ?? this.#waiting[0];
    if (next) this.#leave(next);
    // Whoever asks before the next one has begun waits behind it.
    this.#busy = next !== undefined;
    next?.begin();
  }

  #leave(left: Waiting): void {
    this.#waiting = this.#waiting.filter((each) => each !== left);
  }
}
