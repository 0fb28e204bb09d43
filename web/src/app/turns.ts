/** The engine answers one at a time: chat and documents take turns, in the order in which they asked. */
import { abortable } from './abortable';

export class Turns {
  #last: Promise<void> = Promise.resolve();
  /** What holds the turn. */
  holder: 'chat' | 'documents' | undefined;

  /** Runs `work` when every earlier one has ended. Who gives up before, by `signal`, leaves the place to the next and gets its reason thrown. */
  async take<T>(holder: 'chat' | 'documents', work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last;
    let release: () => void = () => undefined;
    this.#last = new Promise((resolve) => (release = resolve));
    try {
      await (signal ? abortable(before, signal) : before);
    } catch (thrown) {
      void before.then(release);
      throw thrown;
    }
    this.holder = holder;
    try {
      return await work();
    } finally {
      this.holder = undefined;
      release();
    }
  }
}
