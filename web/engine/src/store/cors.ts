/** `fetch` says only "failed"; a request without CORS tells a server that forbids from one that is not there. */
import { failure } from '../base/failure.ts';
import type { Environment } from './environment.ts';
import type { Fault } from './fault.ts';

/** One broken connection proves nothing; at the second in a row, before any byte has come, the server is asked another way. */
const ASK_AT = 2;

/** Throws `cors` where `fault`, the try number `tries` in a row that failed, is the server's refusal to show its files to other pages. */
export async function checkCors(env: Environment, url: string, fault: Fault, tries: number, signal: AbortSignal): Promise<void> {
  if (fault.kind !== 'connection' || tries !== ASK_AT || !env.crossOrigin(url)) return;
  const answers = await env.fetch(url, { method: 'HEAD', mode: 'no-cors', cache: 'no-store', signal }).then(() => true, () => false);
  signal.throwIfAborted();
  if (answers) throw failure('cors', { host: new URL(url).host }, fault.detail);
}
