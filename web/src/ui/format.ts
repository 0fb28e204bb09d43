/** Numbers as people read them. Decimal units, as browsers and download pages count. */
import { isolated } from './direction';

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** 20374272 → "20.4 MB". */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

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

/** Puts `data` in the place of `{name}` in a sentence of `strings.ts`. */
export function fill(sentence: string, data: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => (name in data ? isolated(String(data[name])) : whole));
}
