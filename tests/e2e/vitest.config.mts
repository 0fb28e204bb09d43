/** Tests of the built page in a real browser. The packages are the page's own, from `web/node_modules`. */
import { createRequire } from 'node:module';
import path from 'node:path';

const here = import.meta.dirname;
const require = createRequire(path.join(here, '../../web/package.json'));

const files = (...names: string[]) => names.map((name) => `${name}.test.ts`);

/** Files that measure times, or hold what is seen to seconds: nothing runs beside them. */
const ALONE = files('bench', 'documents-long', 'early-load', 'performance', 'shared-state');

/** Files that take much of the processor, most of them for a software GPU, the longest first: a third file beside two of them would wait too long. */
const HEAVY = files('parity', 'engine-crash', 'states', 'hostile-models', 'look', 'rwkv7', 'best-of-n', 'documents-webgpu', 'toy');

const resolve = {
  alias: Object.fromEntries(['playwright-core', 'puppeteer-core', 'axe-core', 'hash-wasm'].map((name) => [name, require.resolve(name)])),
};
const common = {
  root: here,
  // A real browser on a software GPU: generous, but never without an end.
  testTimeout: 300_000,
  hookTimeout: 120_000,
  // A machine that others share stalls now and then for longer than any wait. What passes at the second try is named in the closing
  // lines of scripts/test: what stands there often is a fault.
  retry: 1,
};

export default {
  root: here,
  resolve,
  test: {
    ...common,
    globalSetup: ['./run-folder.ts', './build-harness.ts'],
    reporters: ['verbose'],
    projects: [
      // Much of these is waiting, for a page, a disk or a timeout: two files share the processor.
      { resolve, test: { ...common, name: 'pairs', include: ['*.test.ts'], exclude: [...ALONE, ...HEAVY], maxWorkers: 2, sequence: { groupOrder: 0 } } },
      // Of these each compiles shaders for seconds on one core.
      { resolve, test: { ...common, name: 'heavy', include: HEAVY, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { resolve, test: { ...common, name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
};
