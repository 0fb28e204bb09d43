/** How often and how long a download waits before it tries again: exponential backoff with jitter, shared pauses. */
import type { Environment } from './environment';
import type { Fault } from './fault';
import { LONGEST_WAIT } from './range-request';

export interface PatienceLimits {
  /** Tries in a row without new bytes, before anything of this visit is kept: a wrong address should be said soon. */
  firstTries: number;
  /** The same once something is: a router that restarts takes a minute. */
  tries: number;
  /** Milliseconds of the first pause. */
  base: number;
  /** Milliseconds of the longest pause that is chosen here. */
  longest: number;
}

export const PATIENCE: PatienceLimits = { firstTries: 4, tries: 9, base: 500, longest: 30_000 };

export class Patience {
  /** Until when no connection may start, because the server asked for it. */
  #gate = 0;
  #received = false;
  #reached = false;

  constructor(
    private readonly env: Environment,
    private readonly limits: PatienceLimits,
    private readonly onWait: (milliseconds: number) => void,
  ) {}

  /** The server answered, on whichever connection. */
  answered(): void {
    this.#reached = true;
  }

  /** Bytes came that will not have to come again. */
  progress(): void {
    this.#received = true;
  }

  /** Whether the server ever answered. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Waits before try number `tries` (from 1); false where patience has ended. */
  async again(fault: Fault, tries: number, signal: AbortSignal): Promise<boolean> {
    const { firstTries, base, longest } = this.limits;
    if (tries >= (this.#received ? this.limits.tries : firstTries) || fault.retryAfter > LONGEST_WAIT) return false;
    // Half of it is chance, so that the visitors whom one failure cut off do not all return at once.
    const chosen = Math.min(longest, base * 2 ** (tries - 1)) * (0.5 + 0.5 * this.env.random());
    if (fault.retryAfter > 0) this.#gate = Math.max(this.#gate, this.env.now() + fault.retryAfter);
    const wait = Math.max(chosen, fault.retryAfter);
    this.onWait(wait);
    await this.env.sleep(wait, signal);
    await this.open(signal);
    return true;
  }

  /** Waits while the server has asked for quiet. */
  async open(signal: AbortSignal): Promise<void> {
    for (let wait = this.#gate - this.env.now(); wait > 0; wait = this.#gate - this.env.now()) await this.env.sleep(wait, signal);
  }
}
