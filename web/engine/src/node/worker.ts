/** The engine's worker in a thread of Node: the session with its models and its checkpoints in a folder. */
import { threadData } from './scope.ts';
import path from 'node:path';
import { expose } from 'comlink';
import type { WorkerNews } from '../protocol/protocol.ts';
import { StateStore } from '../state/state-store.ts';
import { ModelStore } from '../store/model-store.ts';
import { checkFits } from '../worker/check-fits.ts';
import { ConstrainedAnswers } from '../worker/constrained.ts';
import { described, EngineGuard } from '../worker/engine-guard.ts';
import { loadGrammar } from '../worker/load-grammar.ts';
import { offeredCalls } from '../worker/offered-calls.ts';
import { Session } from '../worker/session.ts';
import { nodeEngine, readGrammar } from './engine.ts';
import { FileCheckpointStore } from './file-checkpoint-store.ts';
import { FileChunkStore } from './file-chunk-store.ts';

const { folder = '', webgpu = false } = threadData;
const say = (news: WorkerNews) => postMessage(news);
const guard = new EngineGuard((thrown) => say({ news: 'fault', detail: described(thrown) }));
const engine = guard.guard(nodeEngine(webgpu));
const constrained = new ConstrainedAnswers(loadGrammar((thrown) => guard.break(thrown), readGrammar));
const states = Promise.resolve(new StateStore(new FileCheckpointStore(path.join(folder, 'states'))));
expose(offeredCalls(new Session(engine, Promise.resolve(new ModelStore(new FileChunkStore(folder))), { checkFits: checkFits(engine), states, constrained })));
say({ news: 'started' });
