/** Opens a file on a server. */
import { failure } from '../app/failure';
import { fileName } from './model-source';
import type { Incoming } from './incoming';

export async function openUrl(url: string, signal: AbortSignal): Promise<Incoming> {
  // The store is the only copy: the browser's own cache would keep the gigabytes a second time.
  const response = await fetch(url, { signal, cache: 'no-store' }).catch(async (cause: unknown) => {
    signal.throwIfAborted();
    throw await unreachable(url, cause);
  });
  if (!response.ok || !response.body) throw failure('http-status', { status: response.status }, url);
  const announced = response.headers.get('content-length');
  return {
    name: fileName(url),
    url,
    etag: response.headers.get('etag'),
    length: announced === null ? null : Number(announced),
    stream: response.body,
  };
}

/** `fetch` says only "failed"; a second request without CORS tells a server that forbids from one that is not there. */
async function unreachable(url: string, cause: unknown): Promise<Error> {
  const host = new URL(url).host;
  const answered = await fetch(url, { method: 'HEAD', mode: 'no-cors', cache: 'no-store' }).then(() => true, () => false);
  return failure(answered ? 'cors' : 'network', { host }, String(cause));
}
