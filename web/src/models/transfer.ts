/** How fast a download is and how long it will take, over the last seconds. */
import type { OpenProgress } from 'web-mamba';

export interface TransferFigures {
  /** Bytes per second; 0 while unknown. */
  rate: number;
  /** Seconds; null while unknown. */
  remaining: number | null;
}

/** Long enough that chunks which arrive as a whole do not make the figures jump. */
const WINDOW_MILLISECONDS = 12_000;
/** Sooner than this no figure is worth showing. */
const LEAST_MILLISECONDS = 1_500;

export class Transfer {
  #seen: { time: number; done: number }[] = [];

  constructor(private readonly now = () => performance.now()) {}

  /** Takes the newest report and gives the figures; a count that went back (a restart, a verification) begins anew. */
  update({ done, total, phase }: OpenProgress): TransferFigures {
    const time = this.now();
    if (phase !== 'download' && phase !== 'wait') this.#seen = [];
    if (done < (this.#seen.at(-1)?.done ?? 0)) this.#seen = [];
    this.#seen.push({ time, done });
    this.#seen = this.#seen.filter((each) => time - each.time <= WINDOW_MILLISECONDS);
    const first = this.#seen[0];
    const span = first ? time - first.time : 0;
    const rate = first && span >= LEAST_MILLISECONDS ? ((done - first.done) / span) * 1000 : 0;
    return { rate, remaining: rate > 0 && total > done ? (total - done) / rate : null };
  }
}
