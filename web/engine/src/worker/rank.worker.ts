/** A worker that shares a model with the engine's: it gets the compiled module of the one that started it, and serves that. */
import { packageOf, type Flavour } from './flavour.ts';

addEventListener('message', (event: MessageEvent<{ module: WebAssembly.Module }>) => void serve(event.data.module), { once: true });

/** The worker's name is its flavour. */
async function serve(module: WebAssembly.Module): Promise<void> {
  const engine = packageOf(self.name as Flavour);
  await engine.default({ module_or_path: module });
  engine.serveRank();
}
