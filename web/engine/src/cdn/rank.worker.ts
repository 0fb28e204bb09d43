/** A worker that shares a model, for pages without a bundler. `prepack.mjs` makes it one file. */
import '../worker/rank.worker.ts';
