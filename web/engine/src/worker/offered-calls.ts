/** What the worker offers through comlink: the session's methods, each with its failures and its events as they can travel. */
import { releaseProxy, type Remote } from 'comlink';
import { toFailure } from '../base/failure.ts';
import { CALLS, type CallName, type EngineWorker } from '../protocol/calls.ts';

type Listener = (event: unknown) => void;
type AnyMethod = (...given: unknown[]) => Promise<unknown>;

export function offeredCalls(session: EngineWorker): EngineWorker {
  const offered = (name: CallName): AnyMethod => {
    const { listener } = CALLS[name];
    const method = session[name].bind(session) as AnyMethod;
    if (listener === undefined) return (...given) => reported(method(...given));
    return (...given) => reporting(given[listener] as Listener, (report) => method(...given.map((each, at) => (at === listener ? report : each))));
  };
  return Object.fromEntries((Object.keys(CALLS) as CallName[]).map((name) => [name, offered(name)])) as unknown as EngineWorker;
}

/** Comlink would drop the code and remedy of an `Error`, so failures cross as plain reports. */
async function reported<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw toFailure(thrown).report();
  }
}

/** Runs a call that reports events. They travel on a port of their own, so the result waits until the last one has arrived. */
async function reporting<T>(callback: Listener, call: (report: Listener) => Promise<T>): Promise<T> {
  const remote = callback as unknown as Remote<Listener>;
  let last: Promise<void> = Promise.resolve();
  try {
    // A page that is gone takes no event any more.
    return await reported(call((event) => (last = remote(event).catch(() => undefined))));
  } finally {
    await last;
    remote[releaseProxy]();
  }
}
