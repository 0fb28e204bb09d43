/** Tests of the built page in a real browser. The packages are the page's own, from `web/node_modules`. */
import { createRequire } from 'node:module';
import path from 'node:path';

const here = import.meta.dirname;
const require = createRequire(path.join(here, '../../web/package.json'));

/** Files that measure times, or whose software GPU takes the whole processor: nothing runs beside them. */
const ALONE = [
  'bench', 'best-of-n', 'documents-long', 'documents-webgpu', 'engine-crash', 'hostile-models', 'look', 'parity', 'performance', 'sections', 'shared-state', 'states', 'toy',
].map((name) => `${name}.test.ts`);

const resolve = {
  alias: Object.fromEntries(['playwright-core', 'puppeteer-core', 'axe-core', 'hash-wasm'].map((name) => [name, require.resolve(name)])),
};
const common = {
  root: here,
  // A real browser on a software GPU: generous, but never without an end.
  testTimeout: 300_000,
  hookTimeout: 120_000,
};

export default {
  root: here,
  resolve,
  test: {
    ...common,
    globalSetup: ['./build-harness.ts'],
    reporters: ['verbose'],
    projects: [
      // Much of these is waiting, for a page, a disk or a timeout: two files share the processor.
      { resolve, test: { ...common, name: 'pairs', include: ['*.test.ts'], exclude: ALONE, maxWorkers: 2, sequence: { groupOrder: 0 } } },
      { resolve, test: { ...common, name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
};
