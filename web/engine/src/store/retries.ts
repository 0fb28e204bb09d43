/** How often and how long a download waits before it tries again: exponential backoff with jitter, shared pauses. */
import type { Environment } from './environment.ts';
import type { Fault } from './fault.ts';
import { LONGEST_WAIT } from './range-request.ts';

export interface RetryLimits {
  /** Tries in a row without new bytes, before anything of this visit is kept: a wrong address should be said soon. */
  firstTries: number;
  /** The same once something is: a router that restarts takes a minute. */
  tries: number;
  /** Milliseconds of the first pause. */
  base: number;
  /** Milliseconds of the longest pause that is chosen here. */
  longest: number;
}

export const RETRIES: RetryLimits = { firstTries: 4, tries: 9, base: 500, longest: 30_000 };

export class Retries {
  /** Until when no connection may start, because the server asked for it. */
  #gate = 0;
  #received = false;
  readonly #reached = new Set<string>();

  constructor(
    private readonly env: Environment,
    private readonly limits: RetryLimits,
    private readonly onWait: (offline: boolean) => void,
  ) {}

  /** The server of `url` answered, on whichever connection. */
  answered(url: string): void {
    this.#reached.add(new URL(url).host);
  }

  /** Bytes came, now or in an earlier visit, that will not have to come again. */
  progress(): void {
    this.#received = true;
  }

  /** Whether the server of `url` answered in this visit. */
  reached(url: string): boolean {
    return this.#reached.has(new URL(url).host);
  }

  /** Waits before try number `tries` (from 1); false where no more are made. */
  async again(fault: Fault, tries: number, signal: AbortSignal): Promise<boolean> {
    // A server that has several versions is there, and an address that has them is right.
    if (fault.kind === 'version') this.progress();
    if (tries >= (this.#received ? this.limits.tries : this.limits.firstTries) || fault.retryAfter > LONGEST_WAIT) return false;
    if (fault.retryAfter > 0) this.#gate = Math.max(this.#gate, this.env.now() + fault.retryAfter);
    await this.pause(tries, signal, fault.retryAfter);
    await this.open(signal);
    return true;
  }

  /** The pause before try number `tries`, or as much longer as the server asks. */
  async pause(tries: number, signal: AbortSignal, least = 0): Promise<void> {
    const { base, longest } = this.limits;
    // Half of it is chance, so that the visitors whom one failure cut off do not all return at once.
    const chosen = Math.min(longest, base * 2 ** (tries - 1)) * (0.5 + 0.5 * this.env.random());
    this.onWait(false);
    await this.env.rest(Math.max(chosen, least), signal);
  }

  /**
   * Waits as long as this device has no network; true where it had none, and tries begin anew. Only where something has come: a wrong
   * address should be said.
   */
  async network(signal: AbortSignal): Promise<boolean> {
    if (!this.#received || !this.env.offline()) return false;
    this.onWait(true);
    // Some devices say so although they have one: a try now and then costs nothing.
    await this.env.rest(this.limits.longest, signal);
    return true;
  }

  /** Waits while the server has asked for quiet. */
  async open(signal: AbortSignal): Promise<void> {
    for (let wait = this.#gate - this.env.now(); wait > 0; wait = this.#gate - this.env.now()) await this.env.rest(wait, signal);
  }
}
