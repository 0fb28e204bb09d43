/** How much of the machine's time a model takes: all that there is, or half of it. */

export const efforts = ['auto', 'full', 'gentle'] as const;
/** `auto` is gentle on battery power and while the page is not seen. */
export type Effort = (typeof efforts)[number];

/** What `auto` goes by. */
export interface Situation {
  hidden: boolean;
  onBattery: boolean;
}

/** Calls back with each change, and with what is so at first. */
export type WatchSituation = (listener: (situation: Situation) => void) => void;

/** The share of the time that a gentle model works. */
const GENTLE = 0.5;

export function isEffort(value: unknown): value is Effort {
  return efforts.includes(value as Effort);
}

export function dutyCycleFor(effort: Effort, { hidden, onBattery }: Situation): number {
  const gentle = effort === 'gentle' || (effort === 'auto' && (hidden || onBattery));
  return gentle ? GENTLE : 1;
}
