/** Fetches a small JSON document, with the same retries as a download. */
import { failure } from '../base/failure.ts';
import { checkCors } from './cors.ts';
import type { DownloadLimits } from './download-job.ts';
import type { Environment } from './environment.ts';
import { Fault, givenUp } from './fault.ts';
import { discard, refusal } from './range-request.ts';
import { Retries } from './retries.ts';
import { readBody, watched } from './watchdog.ts';

/** No listing or manifest of a model is longer. */
const MOST_BYTES = 8 * 1024 * 1024;

export async function fetchJson(env: Environment, limits: DownloadLimits, url: string, signal: AbortSignal): Promise<{ body: unknown; next: string | null }> {
  const retries = new Retries(env, limits.retries, () => undefined);
  for (let tries = 1; ; tries += 1) {
    try {
      return await watched(env, limits.stall, signal, (inner, came) => once(env, url, inner, came));
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      await checkCors(env, url, thrown, tries, signal);
      if (!(await retries.again(thrown, tries, signal))) throw givenUp(thrown, url, url, 0, false);
    }
  }
}

async function once(env: Environment, url: string, signal: AbortSignal, came: (bytes: number) => void): Promise<{ body: unknown; next: string | null }> {
  const response = await env.fetch(url, { signal, cache: 'no-store', headers: { accept: 'application/json' } }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new Fault('connection', String(cause));
  });
  if (!response.ok) {
    discard(response);
    throw refusal(response, url);
  }
  const text = new TextDecoder();
  let [json, bytes] = ['', 0];
  await readBody(response, signal, (piece) => {
    came(piece.length);
    bytes += piece.length;
    if (bytes <= MOST_BYTES) json += text.decode(piece, { stream: true });
    return bytes <= MOST_BYTES;
  });
  if (bytes > MOST_BYTES) throw failure('manifest', { url }, `more than ${MOST_BYTES} bytes`);
  try {
    return { body: JSON.parse(json) as unknown, next: nextPage(response, url) };
  } catch (thrown) {
    throw failure('manifest', { url }, String(thrown));
  }
}

/** The hub gives long listings in pages: `Link: <url>; rel="next"`. */
function nextPage(response: Response, url: string): string | null {
  const [, next] = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '') ?? [];
  return next !== undefined && URL.canParse(next, url) ? new URL(next, url).href : null;
}
