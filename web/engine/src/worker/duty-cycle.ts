/** Which share of the time the engine works: after a step it rests for the remainder, so that the machine is left to others meanwhile. */

/** Timers of workers are no finer; a shorter rest is owed until there is more of it. */
const LEAST_REST_MS = 4;
/** A step that took very long, on a machine that slept for instance, is no reason to rest as long. */
const MOST_REST_MS = 2000;

export class DutyCycle {
  #share = 1;
  /** Milliseconds of rest that are due. */
  #owed = 0;
  #wake: (() => void) | undefined;

  /** From above 0 to 1, which is all of the time. It holds at once, in the middle of a rest too. */
  set(share: number): void {
    this.#share = share;
    this.#owed = 0;
    this.wake();
  }

  /** Rests after a step of so many milliseconds. */
  async rest(worked: number): Promise<void> {
    this.#owed = Math.min(this.#owed + worked * (1 / this.#share - 1), MOST_REST_MS);
    if (this.#owed < LEAST_REST_MS) return;
    const began = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#owed);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
    this.#owed = Math.max(0, this.#owed - (performance.now() - began));
  }

  /** Ends a rest. */
  wake(): void {
    this.#wake?.();
  }
}
