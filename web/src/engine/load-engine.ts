/** The real engine: the wasm package in the flavour that suits the browser, with workers to share a model. */
import { bestFlavour, importPackage, type Package } from './flavour';
import type { EngineModel, WasmEngine } from './wasm-engine';

export function loadEngine(flavour = bestFlavour()): WasmEngine {
  let imported: Promise<Package> | undefined;
  const started = async (): Promise<Package> => {
    const engine = await (imported ??= importPackage(flavour));
    // It starts once, however often it is asked to.
    await engine.default();
    return engine;
  };
  const start = (): Worker => new Worker(new URL('./peer.worker.ts', import.meta.url), { type: 'module', name: flavour });
  return {
    start: started,
    planModel: async (sources, { workers, ...options } = {}) => (await started()).planModel(sources, { ...options, workers: { start, ...workers } }),
    loadModel: async (sources, { workers, ...options } = {}) => {
      const model = await (await started()).loadModel(sources, { ...options, workers: { start, ...workers } });
      const reload = model.reload.bind(model);
      // The engine's own wants to be told again who starts workers; the page's callers leave that to this file.
      const again: Pick<EngineModel, 'reload'> = {
        reload: (sources, { workers, ...options } = {}) => reload(sources, { ...options, workers: { start, ...workers } }),
      };
      return Object.assign(model, again);
    },
  };
}
