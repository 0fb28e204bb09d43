/** The package for pages without a bundler: its scripts and wasm files lie where this file does. `prepack.mjs` makes it one file. */
import { setAssets } from '../base/assets.ts';

setAssets(new URL('./', import.meta.url));

export * from '../index.ts';
