/**
 * What tabs say to each other about a model. Any page of the origin can speak on the same channel: what is no message changes nothing.
 */
import type { DownloadPhase, Progress } from './download-job.ts';

export type Ending = 'paused' | 'discarded';

export type Message =
  | { type: 'progress'; url: string; progress: Progress }
  /** Asks whoever downloads to end. */
  | { type: 'end'; url: string; how: Ending }
  /** It has ended that way, for everyone. */
  | { type: 'ended'; url: string; how: Ending };

const PHASES = ['download', 'wait', 'offline', 'verify', 'repair'] as const satisfies readonly DownloadPhase[];

/** Built anew from what it should have; undefined where a part of that is missing or is something else. */
export function readMessage(data: unknown): Message | undefined {
  const { type, url, how, progress } = fields(data);
  if (typeof url !== 'string') return undefined;
  if (type === 'progress') {
    const read = readProgress(fields(progress));
    return read && { type, url, progress: read };
  }
  const known = (type === 'end' || type === 'ended') && (how === 'paused' || how === 'discarded');
  return known ? { type, url, how } : undefined;
}

function readProgress({ done, total, phase, restarted, silent }: Record<string, unknown>): Progress | undefined {
  if (!isAmount(done) || !isAmount(total)) return undefined;
  const known = PHASES.find((each) => each === phase);
  // A tab of a newer version may have phases that this one does not know: how far it is counts all the same.
  return { done, total, ...(known ? { phase: known } : {}), ...(restarted === true ? { restarted } : {}), ...(silent === true ? { silent } : {}) };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Of what is no object: none. */
function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
