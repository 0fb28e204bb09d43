/** Speeds along a text, each relative to the first tokens of the same run: machines of any speed can be compared by their shape. */
import type { SpeedAt } from './recorded';

export interface RelativeSpeed {
  position: number;
  /** 1 is as fast as the first tokens. */
  relative: number;
}

/** What a model does before it is warm is left out. */
const COLD_TOKENS = 8;
/** The first tokens, up to here. */
const FIRST = 64;
/** Each group of tokens is this much longer than the one before. */
const GROWTH = Math.SQRT2;

/** `milliseconds`: of each token, from the first on. Other work on the machine makes tokens slower and never faster: of a group, the fastest quarter counts. */
export function relativeSpeeds(milliseconds: readonly number[]): RelativeSpeed[] {
  const points: RelativeSpeed[] = [];
  let base = 0;
  for (let [from, to] = [COLD_TOKENS, FIRST]; to <= milliseconds.length; [from, to] = [to, Math.ceil(to * GROWTH)]) {
    const time = quarter(milliseconds.slice(from, to));
    if (time <= 0) return [];
    base ||= time;
    points.push({ position: to, relative: base / time });
  }
  return points;
}

export function relativeTo(first: SpeedAt | undefined, speeds: readonly SpeedAt[]): RelativeSpeed[] {
  return first ? speeds.map(({ position, tokensPerSecond }) => ({ position, relative: tokensPerSecond / first.tokensPerSecond })) : [];
}

function quarter(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 4)] ?? 0;
}
