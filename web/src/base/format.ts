/** Numbers as people read them. What the engine says counts bytes and fills blanks in the same way. */
export { fill, formatBytes } from 'web-mamba';

/** 0.4321 → "0.43 s", 12.3 → "12 s". */
export function formatSeconds(seconds: number): string {
  return `${seconds < 10 ? seconds.toFixed(2) : Math.round(seconds)} s`;
}

/** 8.26 → "8.3", 43.7 → "44". */
export function formatRate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

/** 75 → "2 min", 5000 → "1.4 h". */
export function formatRemaining(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
