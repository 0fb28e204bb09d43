/** The engine's worker, for pages without a bundler. `prepack.mjs` makes it one file. */
import './hosted-ranks.ts';
import '../worker/worker.ts';
