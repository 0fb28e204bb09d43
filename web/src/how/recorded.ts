/** Measured before, on the machines that `tests/record` names; a test holds these figures to its `figures.jsonl`. */

/** A token's speed at a position. */
export interface SpeedAt {
  position: number;
  tokensPerSecond: number;
}

/** A transformer of the size of mamba-130m in a page (wllama, two threads). */
export const recordedTransformer: readonly SpeedAt[] = [
  { position: 74, tokensPerSecond: 28.6 }, { position: 2058, tokensPerSecond: 8.9 }, { position: 8202, tokensPerSecond: 3.0 },
];

/** mamba-130m in this page, two workers. */
export const recordedMamba: readonly SpeedAt[] = [{ position: 64, tokensPerSecond: 118.4 }, { position: 16384, tokensPerSecond: 124.6 }];

export interface RecordedRate {
  what: string;
  prefill: number;
  decode: number;
}

/** In this page on two cores of an AMD EPYC (Zen 5), without a GPU. */
export const recordedRates: readonly RecordedRate[] = [
  { what: 'demo model, 1 worker', prefill: 704, decode: 451 },
  { what: 'demo model, 2 workers', prefill: 1284, decode: 728 },
  { what: 'mamba-130m Q4_K_M, 2 workers', prefill: 436, decode: 197 },
];
