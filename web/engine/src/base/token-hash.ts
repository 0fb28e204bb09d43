/** A hash of the first tokens of a list, for as many lengths as are wanted, in one pass. */

/** Two runs of 32 bits (FNV-1a's step with two primes): enough to find a checkpoint by. Whoever uses one compares its tokens. */
const START: readonly [number, number] = [0x811c9dc5, 0x9747b28c];
const PRIMES: readonly [number, number] = [0x01000193, 0x85ebca6b];

export class TokenHashes {
  readonly #hashes = new Map<number, string>();

  constructor(tokens: Uint32Array, lengths: Iterable<number>) {
    const wanted = [...new Set(lengths)].filter((length) => length <= tokens.length).sort((a, b) => a - b);
    let [first, second] = START;
    let at = 0;
    for (const length of wanted) {
      for (; at < length; at += 1) {
        const token = tokens[at] as number;
        first = Math.imul(first ^ token, PRIMES[0]);
        second = Math.imul(second ^ token, PRIMES[1]) ^ (second >>> 15);
      }
      this.#hashes.set(length, text(first) + text(second));
    }
  }

  /** Of the first `length` tokens; undefined where there are fewer, or nobody wanted it. */
  get(length: number): string | undefined {
    return this.#hashes.get(length);
  }
}

export function tokenHash(tokens: Uint32Array): string {
  return new TokenHashes(tokens, [tokens.length]).get(tokens.length) as string;
}

function text(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
