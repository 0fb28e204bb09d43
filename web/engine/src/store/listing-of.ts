/** Whether a server lists a model that nobody has downloaded yet, and how large it is. */
import { toFailure } from '../base/failure.ts';
import type { DownloadLimits } from './download-job.ts';
import type { Environment } from './environment.ts';
import { hubParts } from './hub.ts';
import type { RemoteSource } from './model-source.ts';

/** Someone waits for the answer. */
const WAIT_MILLISECONDS = 10_000;

/** `absent`: it was asked for and is not there. `unknown`: the server could not be asked, or lists nothing. */
export type Listing = { kind: 'listed'; bytes: number } | { kind: 'absent' } | { kind: 'unknown' };

export async function listingOf(env: Environment, limits: DownloadLimits, source: RemoteSource, hubBase?: string): Promise<Listing> {
  if (source.kind !== 'hub') return { kind: 'unknown' };
  try {
    const parts = await hubParts(env, limits, source, AbortSignal.timeout(WAIT_MILLISECONDS), hubBase);
    return { kind: 'listed', bytes: parts.reduce((sum, { length = 0 }) => sum + length, 0) };
  } catch (thrown) {
    const { code, data } = toFailure(thrown);
    // Of a repository that does not exist the hub says 401, so that nobody learns of private ones.
    const absent = code === 'hub-file' || (code === 'http-status' && [401, 404].includes(Number(data['status'])));
    return { kind: absent ? 'absent' : 'unknown' };
  }
}
