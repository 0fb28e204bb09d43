/** Events that are pushed, as an async iterable of them. */

/**
 * Starts with the first `next`, and buffers what its consumer has not taken yet, so that one that is slow, or never comes back, holds nobody up.
 * Where the loop over it is left, `stop` aborts; with the caller's signal it rejects with that signal's reason at once.
 */
export async function* eventsOf<Event>(
  run: (push: (event: Event) => void, stop: AbortSignal) => Promise<void>, signal?: AbortSignal,
): AsyncGenerator<Event, void, undefined> {
  signal?.throwIfAborted();
  const waiting: Event[] = [];
  const control = new AbortController();
  let wake = () => undefined as void;
  let outcome: { thrown?: unknown } | undefined;
  const push = (event: Event) => {
    waiting.push(event);
    wake();
  };
  const settle = (settled: { thrown?: unknown }) => {
    outcome = settled;
    wake();
  };
  const abort = () => {
    control.abort(signal?.reason);
    wake();
  };
  signal?.addEventListener('abort', abort);
  run(push, control.signal).then(() => settle({}), (thrown: unknown) => settle({ thrown }));
  try {
    for (;;) {
      signal?.throwIfAborted();
      const event = waiting.shift();
      if (event !== undefined) yield event;
      else if (outcome === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if ('thrown' in outcome) throw outcome.thrown;
      else return;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    control.abort();
  }
}
