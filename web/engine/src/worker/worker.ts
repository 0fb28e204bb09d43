/** The worker's entry: the session with the real engine and store, offered through comlink. */
import { expose } from 'comlink';
import { setMessages } from '../base/messages.ts';
import type { WorkerNews, WorkerSetup } from '../protocol/protocol.ts';
import { IndexedCheckpointStore } from '../state/indexed-checkpoint-store.ts';
import { StateStore } from '../state/state-store.ts';
import { openDatabase } from '../store/database.ts';
import { IndexedChunkStore } from '../store/indexed-chunk-store.ts';
import { ModelStore } from '../store/model-store.ts';
import { checkFits } from './check-fits.ts';
import { ConstrainedAnswers } from './constrained.ts';
import { described, EngineGuard } from './engine-guard.ts';
import { loadEngine } from './load-engine.ts';
import { loadGrammar } from './load-grammar.ts';
import { offeredCalls } from './offered-calls.ts';
import { Session } from './session.ts';

const say = (news: WorkerNews) => postMessage(news);
const guard = new EngineGuard((thrown) => say({ news: 'fault', detail: described(thrown) }));
const engine = guard.guard(loadEngine());
const database = openDatabase();
const session = new Session(engine, database.then((open) => new ModelStore(new IndexedChunkStore(open))), {
  checkFits: checkFits(engine),
  states: database.then((open) => new StateStore(new IndexedCheckpointStore(open))),
  constrained: new ConstrainedAnswers(loadGrammar((thrown) => guard.break(thrown))),
});

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

// What nothing has caught has left something half done: a task of the engine's that trapped ends in one of these.
addEventListener('error', ({ error, message }) => guard.break(error ?? message));
addEventListener('unhandledrejection', ({ reason }) => {
  if (!isGivenUp(reason)) guard.break(reason);
});
addEventListener('messageerror', () => guard.break('a message could not be read'));
addEventListener('message', ({ data }: MessageEvent<Partial<WorkerSetup> | null>) => {
  if (data?.messages) setMessages(data.messages);
  if (data?.dutyCycle !== undefined) void session.setDutyCycle(data.dutyCycle);
});
expose(offeredCalls(session));
say({ news: 'started' });
holdLock();
