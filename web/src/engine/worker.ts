/** The worker's entry: the session with the real engine and store, offered through comlink. */
import { expose, releaseProxy, type Remote } from 'comlink';
import { toFailure } from '../app/failure';
import { openDatabase } from '../weights/database';
import { ModelStore } from '../weights/model-store';
import init, { loadModel } from './pkg/web_mamba.js';
import type { EngineWorker } from './protocol';
import { Session } from './session';
import type { WasmEngine } from './wasm-engine';

const engine: WasmEngine = { start: () => init(), loadModel: loadModel as WasmEngine['loadModel'] };
const session = new Session(engine, openDatabase().then((database) => new ModelStore(database)));

/** Comlink would drop the code and remedy of an `Error`, so failures cross as plain reports. */
async function reported<T>(work: Promise<T>, callback?: unknown): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw toFailure(thrown).report();
  } finally {
    (callback as Remote<() => void> | undefined)?.[releaseProxy]();
  }
}

const calls: EngineWorker = {
  open: (source, backend, onProgress) => reported(session.open(source, backend, onProgress), onProgress),
  generate: (prompt, options, onEvent) => reported(session.generate(prompt, options, onEvent), onEvent),
  stop: () => reported(session.stop()),
  stored: () => reported(session.stored()),
  remove: (url) => reported(session.remove(url)),
  logits: (tokens) => reported(session.logits(tokens)),
  tokenize: (text) => reported(session.tokenize(text)),
};
expose(calls);
