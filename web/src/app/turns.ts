/** The engine answers one at a time: chat and documents take turns, in the order in which they asked. */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  /** What holds the turn. */
  holder: 'chat' | 'documents' | undefined;

  /** Runs `work` when every earlier one has ended. */
  async take<T>(holder: 'chat' | 'documents', work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let release: () => void = () => undefined;
    this.#last = new Promise((resolve) => (release = resolve));
    await before;
    this.holder = holder;
    try {
      return await work();
    } finally {
      this.holder = undefined;
      release();
    }
  }
}
