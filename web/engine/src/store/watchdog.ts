/** Ends a request whose bytes no longer come: a connection may stay open for ever without a word. */
import type { Environment } from './environment.ts';
import { Fault } from './fault.ts';

export interface StallLimit {
  /** In every window of this length… */
  milliseconds: number;
  /** …at least so many bytes must come, so that a drip of single bytes also counts as a stall. */
  bytes: number;
}

export const STALL: StallLimit = { milliseconds: 20_000, bytes: 4096 };

/** Runs `work` with a signal that also aborts on a stall; `work` tells each number of bytes as they come. */
export async function watched<T>(
  env: Environment,
  limit: StallLimit,
  signal: AbortSignal,
  work: (signal: AbortSignal, came: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const control = new AbortController();
  const abort = () => control.abort(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  let bytes = 0;
  const watch = async () => {
    for (let before = bytes; ; before = bytes) {
      await env.sleep(limit.milliseconds, control.signal);
      if (bytes - before < limit.bytes) {
        const fault = new Fault('stall', `${bytes - before} bytes in ${limit.milliseconds} ms`);
        control.abort(fault);
      }
    }
  };
  watch().catch(() => undefined);
  try {
    return await work(control.signal, (more) => (bytes += more));
  } finally {
    signal.removeEventListener('abort', abort);
    control.abort(new DOMException('the request has ended', 'AbortError'));
  }
}

/** Reads a body piece by piece. `take` gives false when it wants no more. */
export async function readBody(response: Response, signal: AbortSignal, take: (piece: Uint8Array) => boolean | Promise<boolean>): Promise<void> {
  const reader = response.body?.getReader();
  if (!reader) throw new Fault('connection', 'the answer has no body');
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read().catch((cause: unknown) => {
        signal.throwIfAborted();
        throw new Fault('connection', String(cause));
      });
      signal.throwIfAborted();
      if (done) return;
      if (!(await take(value))) return;
    }
  } finally {
    // Never awaited: a connection that hangs may also hang in its cancellation.
    void reader.cancel().catch(() => undefined);
  }
}
