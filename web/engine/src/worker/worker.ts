/** The worker's entry: the session with the real engine and store, offered through comlink. */
import { expose, releaseProxy, type Remote } from 'comlink';
import { toFailure } from '../base/failure';
import { setMessages } from '../base/messages';
import { openDatabase } from '../store/database';
import { StateStore } from '../state/state-store';
import { ModelStore } from '../store/model-store';
import { checkFits } from './check-fits';
import { described, EngineGuard } from './engine-guard';
import { loadEngine } from './load-engine';
import type { EngineWorker, WorkerNews, WorkerSetup } from '../protocol/protocol';
import { Session } from './session';

const say = (news: WorkerNews) => postMessage(news);
const guard = new EngineGuard((thrown) => say({ news: 'fault', detail: described(thrown) }));
const engine = guard.guard(loadEngine());
const database = openDatabase();
const session = new Session(engine, database.then((open) => new ModelStore(open)), {
  checkFits: checkFits(engine),
  states: database.then((open) => new StateStore(open)),
});

/** Comlink would drop the code and remedy of an `Error`, so failures cross as plain reports. */
async function reported<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw toFailure(thrown).report();
  }
}

/** Runs a call that reports events. They travel on a port of their own, so the result waits until the last one has arrived. */
async function reporting<Event, T>(callback: (event: Event) => void, call: (report: (event: Event) => void) => Promise<T>): Promise<T> {
  const remote = callback as unknown as Remote<(event: Event) => void>;
  let last: Promise<void> = Promise.resolve();
  try {
    // A page that is gone takes no event any more.
    return await reported(call((event) => (last = remote(event as never).catch(() => undefined))));
  } finally {
    await last;
    remote[releaseProxy]();
  }
}

/** A transaction or a request that was given up, or had no room, has done nothing: that need not be caught by everyone who began it. */
function isGivenUp(reason: unknown): boolean {
  return reason instanceof DOMException && (reason.name === 'AbortError' || reason.name === 'QuotaExceededError');
}

/** Takes a lock that is let go only when this worker is gone, however it ended. */
function holdLock(): void {
  const lock = `web-mamba engine ${crypto.randomUUID()}`;
  const held = navigator.locks?.request(lock, () => {
    say({ news: 'alive', lock });
    return new Promise<never>(() => undefined);
  });
  // Some pages have locks and may not use them.
  held?.catch(() => undefined);
}

const calls: EngineWorker = {
  open: (source, device, onProgress) => reporting(onProgress, (report) => session.open(source, device, report)),
  generate: (prompt, options, onEvent) => reporting(onEvent, (report) => session.generate(prompt, options, report)),
  generateBatch: (prompts, options, onEvent) => reporting(onEvent, (report) => session.generateBatch(prompts, options, report)),
  stop: () => reported(session.stop()),
  saveState: (messages, options) => reported(session.saveState(messages, options)),
  openState: (file) => reported(session.openState(file)),
  endOpening: (how) => reported(session.endOpening(how)),
  forgetStates: (about) => reported(session.forgetStates(about)),
  stored: () => reported(session.stored()),
  remove: (url) => reported(session.remove(url)),
  verify: (url, onProgress) => reporting(onProgress, (report) => session.verify(url, report)),
  exportPart: (url, part, target, onProgress) => reporting(onProgress, (report) => session.exportPart(url, part, target, report)),
  endTask: () => reported(session.endTask()),
  handles: (url) => reported(session.handles(url)),
  logits: (tokens) => reported(session.logits(tokens)),
  tokenize: (text) => reported(session.tokenize(text)),
  bench: (options, onProgress) => reporting(onProgress, (report) => session.bench(options, report)),
};
// What nothing has caught has left something half done: a task of the engine's that trapped ends in one of these.
addEventListener('error', ({ error, message }) => guard.break(error ?? message));
addEventListener('unhandledrejection', ({ reason }) => {
  if (!isGivenUp(reason)) guard.break(reason);
});
addEventListener('messageerror', () => guard.break('a message could not be read'));
addEventListener('message', ({ data }: MessageEvent<Partial<WorkerSetup> | null>) => {
  if (data?.messages) setMessages(data.messages);
});
expose(calls);
say({ news: 'started' });
holdLock();
