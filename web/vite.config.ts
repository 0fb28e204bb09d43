import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Relative addresses, so that the built page runs from any sub-path.
  base: './',
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // The content security policy allows no `data:` scripts or fonts, and a wasm file should stream.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ['index.html', 'bench.html'] },
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 10_000 },
});
