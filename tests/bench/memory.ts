/** Resident memory of a process, in MB: now, and at its largest. */
import { readFileSync } from 'node:fs';

export function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Math.round((Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024) / 1e6);
  return { now: field('VmRSS'), peak: field('VmHWM') };
}
