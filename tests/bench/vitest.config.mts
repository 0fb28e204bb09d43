/** What takes minutes and a large file: `scripts/bench-weights`. The packages are the page's own, from `web/node_modules`. */
import { createRequire } from 'node:module';
import path from 'node:path';

const here = import.meta.dirname;
const require = createRequire(path.join(here, '../../web/package.json'));

export default {
  root: here,
  resolve: { alias: { 'playwright-core': require.resolve('playwright-core'), 'puppeteer-core': require.resolve('puppeteer-core') } },
  test: {
    include: ['*.test.ts'],
    globalSetup: ['../e2e/build-harness.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    reporters: ['verbose'],
  },
};
