/** How many requests run at once: as many as the server bears, up to a limit. */
import type { FaultKind } from './fault.ts';

export interface LaneLimits {
  start: number;
  /** Browsers open six connections to one host and no more. */
  most: number;
}

export const LANES: LaneLimits = { start: 4, most: 6 };
/** A chunk that waited for its first byte this share of its time would gain from more requests beside it. */
const WAITING_SHARE = 0.25;

export class Lanes {
  #limit: number;
  #clean = 0;

  constructor(private readonly limits: LaneLimits = LANES) {
    this.#limit = limits.start;
  }

  get limit(): number {
    return this.#limit;
  }

  /** A chunk arrived: `waited` of its `took` milliseconds before its first byte. */
  arrived(waited: number, took: number): void {
    this.#clean += 1;
    if (this.#clean < 2 * this.#limit) return;
    const most = waited > WAITING_SHARE * took ? this.limits.most : this.limits.start;
    if (this.#limit < most) this.#limit += 1;
    this.#clean = 0;
  }

  /** A server that is busy, or a line that stalls, gets half as many at once. A broken connection says nothing about their number. */
  failed(kind: FaultKind): void {
    this.#clean = 0;
    if (kind === 'busy' || kind === 'stall') this.#limit = Math.max(1, Math.floor(this.#limit / 2));
  }
}
