/** A loaded model over the real engine: the wasm package and a session in this thread, with the demo model. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { vi } from 'vitest';
import type { LoadedModel } from 'web-mamba';
import { checkChatTemplate, initSync, judgeFit, loadModel, planModel } from '../engine/pkg/web_mamba.js';
import { webMamba, type WebMambaCalls } from '../engine/src/api/web-mamba';
import type { WasmEngine } from '../engine/src/base/wasm-engine';
import { ConstrainedAnswers } from '../engine/src/worker/constrained';
import { loadGrammar } from '../engine/src/worker/load-grammar';
import { offeredCalls } from '../engine/src/worker/offered-calls';
import { Session } from '../engine/src/worker/session';
import { emptyStore } from './browser';
import { FakeWorker } from './fake-worker';

const here = import.meta.dirname;
export const DEMO_MODEL = path.join(here, '../public/models/web-mamba-demo-31m-v2-q4_k_m.gguf');

/** The package, whose workers are sessions in this thread. `file` is to be given to its `load`. */
export async function realPackage(file = DEMO_MODEL): Promise<{ api: WebMambaCalls; file: File; workers: FakeWorker[]; sessions: Session[] }> {
  vi.stubGlobal('navigator', { locks: { request: async (_: string, __: object, then: () => void) => then() } });
  initSync({ module: readFileSync(path.join(here, '../engine/pkg/web_mamba_bg.wasm')) });
  const alone = <Options extends object>({ workers: _, ...options }: Options & { workers?: unknown }) => options;
  const engine: WasmEngine = {
    start: async () => undefined,
    planModel: (sources, options = {}) => planModel(sources, alone(options)),
    judgeFit: async (requirements, limits) => judgeFit(requirements, limits),
    checkChatTemplate: async (template) => checkChatTemplate(template),
    loadModel: (sources, options = {}) => loadModel(sources, alone(options)),
  };
  const { store } = await emptyStore();
  const fail = (thrown: unknown) => {
    throw thrown;
  };
  const constrained = new ConstrainedAnswers(loadGrammar(fail, async () => readFileSync(path.join(here, '../engine/pkg-grammar/web_mamba_grammar_bg.wasm'))));
  const [workers, sessions]: [FakeWorker[], Session[]] = [[], []];
  const start = () => {
    const session = new Session(engine, Promise.resolve(store), { constrained });
    const worker = new FakeWorker(offeredCalls(session));
    sessions.push(session);
    workers.push(worker);
    return worker;
  };
  return { api: webMamba({ hasGpu: async () => false, start }), file: new File([readFileSync(file)], path.basename(file)), workers, sessions };
}

export async function realModel(file?: string): Promise<{ model: LoadedModel; workers: FakeWorker[] }> {
  const { api, file: source, workers } = await realPackage(file);
  return { model: await api.load(source, { backend: 'cpu' }), workers };
}
