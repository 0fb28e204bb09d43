/** The real engine: the wasm package in the flavour that suits the browser, with workers to share a model. */
import type { WasmEngine } from '../base/wasm-engine';
import { bestFlavour, importPackage, type Package } from './flavour';

export function loadEngine(flavour = bestFlavour()): WasmEngine {
  let imported: Promise<Package> | undefined;
  const started = async (): Promise<Package> => {
    imported ??= importPackage(flavour);
    // One that could not be fetched is asked for again.
    imported.catch(() => (imported = undefined));
    const engine = await imported;
    // It starts once, however often it is asked to.
    await engine.default();
    return engine;
  };
  const start = (): Worker => new Worker(new URL('./rank.worker.ts', import.meta.url), { type: 'module', name: flavour });
  return {
    start: started,
    planModel: async (sources, { workers, ...options } = {}) => (await started()).planModel(sources, { ...options, workers: { start, ...workers } }),
    judgeFit: async (requirements, limits) => (await started()).judgeFit(requirements, limits),
    loadModel: async (sources, { workers, ...options } = {}) => (await started()).loadModel(sources, { ...options, workers: { start, ...workers } }),
  };
}
