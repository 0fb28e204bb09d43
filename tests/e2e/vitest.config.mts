/** Tests of the built page in a real browser. The packages are the page's own, from `web/node_modules`. */
import { createRequire } from 'node:module';
import path from 'node:path';

const here = import.meta.dirname;
const require = createRequire(path.join(here, '../../web/package.json'));

export default {
  root: here,
  resolve: {
    alias: Object.fromEntries(['playwright-core', 'puppeteer-core', 'axe-core', 'hash-wasm'].map((name) => [name, require.resolve(name)])),
  },
  test: {
    include: ['*.test.ts'],
    globalSetup: ['./build-harness.ts'],
    // A real browser on a software GPU: generous, but never without an end.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // One browser at a time: they share the processor with the model that they run.
    fileParallelism: false,
    reporters: ['verbose'],
  },
};
