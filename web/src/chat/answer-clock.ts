/** Times one answer as its reader sees it: from the question to the first word, and the rate after that. */
import type { AnswerStats } from '../data/conversation-record';

/** One token: where it stood, and how long it took. */
export interface TokenTime {
  position: number;
  milliseconds: number;
}

export class AnswerClock {
  #tokens = 0;
  #first = 0;
  #last = 0;
  /** Tokens before the answer. */
  prompt = 0;
  readonly #start: number;

  constructor(private readonly now = () => performance.now()) {
    this.#start = now();
  }

  token(): void {
    this.#last = this.now();
    if (this.#tokens === 0) this.#first = this.#last;
    this.#tokens += 1;
  }

  stats(): AnswerStats {
    const rate = (this.#tokens - 1) / ((this.#last - this.#first) / 1000);
    return {
      tokens: this.#tokens,
      firstToken: this.#tokens > 0 ? (this.#first - this.#start) / 1000 : 0,
      rate: this.#tokens > 1 && Number.isFinite(rate) ? rate : 0,
      ...(this.prompt > 0 ? { position: this.prompt + this.#tokens } : {}),
    };
  }
}
