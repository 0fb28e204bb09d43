import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { precache } from './precache-plugin';

const FIXED_NAMES: ReadonlySet<string> = new Set(['service-worker']);

export default defineConfig({
  // Relative addresses, so that the built page runs from any sub-path.
  base: './',
  worker: { format: 'es' },
  plugins: [precache(path.join(import.meta.dirname, 'public'))],
  build: {
    target: 'es2022',
    // The content security policy allows no `data:` scripts or fonts, and a wasm file should stream.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: 'index.html', bench: 'bench.html', 'service-worker': 'src/service-worker.ts' },
      // A service worker's address is its identity, and it has to lie beside the page whose requests it answers.
      output: { entryFileNames: ({ name }) => (FIXED_NAMES.has(name) ? '[name].js' : 'assets/[name]-[hash].js') },
    },
  },
  // Its package has another build for Node; tests see what browsers get.
  test: { alias: { mammoth: 'mammoth/mammoth.browser.js' }, include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 10_000 },
});
