/** A worker that shares a model with the engine's: it gets the compiled module of the one that started it, and serves that. */
import { importPackage, type Flavour } from './flavour';

addEventListener('message', (event: MessageEvent<{ module: WebAssembly.Module }>) => void serve(event.data.module), { once: true });

/** The worker's name is its flavour. */
async function serve(module: WebAssembly.Module): Promise<void> {
  const engine = await importPackage(self.name as Flavour);
  await engine.default({ module_or_path: module });
  engine.serveRank();
}
