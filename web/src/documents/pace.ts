/** How fast a summary gets on, reading and writing apart: the one says nothing of the other. Time in which others had the engine is neither. */
export class Pace {
  readonly #reading = { seconds: 0, tokens: 0 };
  readonly #writing = { seconds: 0, tokens: 0 };
  #last: number;

  /** `now` in milliseconds. */
  constructor(private readonly now: () => number) {
    this.#last = now();
  }

  /** The engine's turn begins. */
  begin(): void {
    this.#last = this.now();
  }

  read(tokens: number): void {
    this.#count(this.#reading, tokens);
  }

  /** A token of texts that are written side by side. `isFirst`: it comes out of the reading. `isStep`: none of them was so long before. */
  wrote(isFirst: boolean, isStep: boolean): void {
    if (isFirst) this.#count(this.#reading, 0);
    else this.#count(this.#writing, isStep ? 1 : 0);
  }

  /** Tokens per second; 0 while less than a second of it is known. */
  get readingRate(): number {
    return rate(this.#reading);
  }

  /** Tokens per second of each of the texts that are written side by side; 0 while less than a second of it is known. */
  get writingRate(): number {
    return rate(this.#writing);
  }

  #count(spent: { seconds: number; tokens: number }, tokens: number): void {
    const now = this.now();
    spent.seconds += (now - this.#last) / 1000;
    spent.tokens += tokens;
    this.#last = now;
  }
}

function rate({ seconds, tokens }: { seconds: number; tokens: number }): number {
  return seconds >= 1 ? tokens / seconds : 0;
}
