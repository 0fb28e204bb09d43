/** The engine's worker in a thread of Node: the session with its store in a folder. States do not outlive it. */
import { threadData } from './scope.ts';
import { expose } from 'comlink';
import type { WorkerNews } from '../protocol/protocol.ts';
import { ModelStore } from '../store/model-store.ts';
import { checkFits } from '../worker/check-fits.ts';
import { ConstrainedAnswers } from '../worker/constrained.ts';
import { described, EngineGuard } from '../worker/engine-guard.ts';
import { loadGrammar } from '../worker/load-grammar.ts';
import { offeredCalls } from '../worker/offered-calls.ts';
import { Session } from '../worker/session.ts';
import { nodeEngine, readGrammar } from './engine.ts';
import { FileChunkStore } from './file-chunk-store.ts';

const { folder = '', webgpu = false } = threadData;
const say = (news: WorkerNews) => postMessage(news);
const guard = new EngineGuard((thrown) => say({ news: 'fault', detail: described(thrown) }));
const engine = guard.guard(nodeEngine(webgpu));
const constrained = new ConstrainedAnswers(loadGrammar((thrown) => guard.break(thrown), readGrammar));
expose(offeredCalls(new Session(engine, Promise.resolve(new ModelStore(new FileChunkStore(folder))), { checkFits: checkFits(engine), constrained })));
say({ news: 'started' });
