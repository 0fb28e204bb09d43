/** The real engine: the wasm package in the flavour that suits the browser, with workers to share a model. */
import { failure } from '../base/failure.ts';
import type { WasmEngine } from '../base/wasm-engine.ts';
import { bestFlavour, packageOf, type Flavour, type Package } from './flavour.ts';

/** What browsers say of a wasm module that the worker's policy forbids. */
const FORBIDDEN = /content security policy|\bCSP\b|unsafe-eval/i;

export function loadEngine(flavour = bestFlavour()): WasmEngine {
  const engine = packageOf(flavour);
  const started = async (): Promise<Package> => {
    // It starts once, however often it is asked to; where its module could not be fetched, it is asked again.
    await engine.default().catch(rethrow);
    return engine;
  };
  return engineOf(started, () => startRank(flavour));
}

/** An engine of a package that `started` gives once it runs, and whose further workers `start` begins. */
export function engineOf(started: () => Promise<Package>, start: () => Worker): WasmEngine {
  return {
    start: started,
    planModel: async (sources, { workers, ...options } = {}) => (await started()).planModel(sources, { ...options, workers: { start, ...workers } }),
    judgeFit: async (requirements, limits) => (await started()).judgeFit(requirements, limits),
    checkChatTemplate: async (template) => (await started()).checkChatTemplate(template),
    loadModel: async (sources, { workers, ...options } = {}) => (await started()).loadModel(sources, { ...options, workers: { start, ...workers } }),
  };
}

/** Starts a worker that shares a model, whose name is its flavour. Bundlers know it by just this expression. */
let startRank = (flavour: Flavour): Worker => new Worker(new URL('./rank.worker.js', import.meta.url), { type: 'module', name: flavour });

/** Has these workers started in another way from now on, where no bundler has put their script. */
export function startRanksBy(start: (flavour: Flavour) => Worker): void {
  startRank = start;
}

function rethrow(thrown: unknown): never {
  const { message = '' } = (thrown ?? {}) as Partial<Error>;
  if (thrown instanceof WebAssembly.CompileError && FORBIDDEN.test(message)) throw failure('engine-blocked', { rule: 'script-src' }, message);
  throw thrown;
}
