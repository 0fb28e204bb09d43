/** How fast the open model was at its last answers, so that a long task's time can be said before it begins. */
import type { GenerateEvent } from '../engine/protocol';

type End = Extract<GenerateEvent, { type: 'end' }>;

/** Shorter ones say little: starting costs as much as reading. */
const LEAST_PROMPT = 16;
const LEAST_ANSWER = 4;

export class Pace {
  /** Tokens per second of reading; 0 while unknown. */
  prefill = 0;
  /** Tokens per second of writing; 0 while unknown. */
  decode = 0;

  take({ promptTokens, tokens, prefillTps, decodeTps }: End): void {
    if (promptTokens >= LEAST_PROMPT && prefillTps > 0) this.prefill = prefillTps;
    if (tokens >= LEAST_ANSWER && decodeTps > 0) this.decode = decodeTps;
  }

  /** Seconds; undefined while a pace is unknown. */
  estimate(read: number, written: number): number | undefined {
    return this.prefill > 0 && this.decode > 0 ? read / this.prefill + written / this.decode : undefined;
  }
}
