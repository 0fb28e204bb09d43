import path from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { PAGE_POLICY } from './headers.mjs';
import { Licences } from './licences-plugin';
import { precache } from './precache-plugin';

const FIXED_NAMES: ReadonlySet<string> = new Set(['service-worker']);

const licences = new Licences(import.meta.dirname);

export default defineConfig({
  // Relative addresses, so that the built page runs from any sub-path.
  base: './',
  // The page is built from the engine's sources; its package is what they are made into for others.
  resolve: {
    alias: {
      'web-mamba/prompt-api': path.join(import.meta.dirname, 'engine/src/prompt-api/index.ts'),
      'web-mamba/ai-sdk': path.join(import.meta.dirname, 'engine/src/ai-sdk/index.ts'),
      'web-mamba': path.join(import.meta.dirname, 'engine/src/index.ts'),
    },
  },
  worker: { format: 'es', plugins: () => [licences.collect()] },
  plugins: [policy(), licences.collect(), licences.write(), precache(path.join(import.meta.dirname, 'public'))],
  build: {
    target: 'es2022',
    // The content security policy allows no `data:` scripts or fonts, and a wasm file should stream.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: 'index.html', bench: 'bench.html', how: 'how.html', 'service-worker': 'src/service-worker.ts' },
      // A service worker's address is its identity, and it has to lie beside the page whose requests it answers.
      output: { entryFileNames: ({ name }) => (FIXED_NAMES.has(name) ? '[name].js' : 'assets/[name]-[hash].js') },
    },
  },
  // Its package has another build for Node; tests see what browsers get.
  test: { alias: { mammoth: 'mammoth/mammoth.browser.js' }, include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 10_000, maxWorkers: 2 },
});

/** The page's own policy, for hosts that send no headers. */
function policy(): Plugin {
  return { name: 'policy', transformIndexHtml: { order: 'pre', handler: (html) => html.replace('__PAGE_POLICY__', PAGE_POLICY) } };
}
