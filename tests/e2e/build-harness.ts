/** Builds `harness/`, a page for tests only: the engine client and the Markdown renderer without the app around them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { DIST, HARNESS } from './folders';

/** `enginePackage`: a folder with another build of the engine than the page's own. */
export async function buildHarness(outDir: string, enginePackage?: string): Promise<void> {
  if (!existsSync(path.join(DIST, 'index.html'))) throw new Error('web/dist is missing: run scripts/build first');
  const require = createRequire(path.join(DIST, '../package.json'));
  const { build } = (await import(pathToFileURL(require.resolve('vite')).href)) as typeof import('vite');
  await build({
    configFile: false,
    logLevel: 'warn',
    root: path.join(import.meta.dirname, 'harness'),
    base: './',
    worker: { format: 'es' },
    // The packages are the page's own.
    resolve: {
      // As in the page, though tests run this: otherwise packages come as they are for development.
      conditions: ['module', 'browser', 'production'],
      alias: [
        { find: 'comlink', replacement: require.resolve('comlink/dist/esm/comlink.mjs') },
        { find: /^lit-html$/, replacement: path.join(DIST, '../node_modules/lit-html') },
        ...(enginePackage ? [{ find: /^.*\/pkg(-relaxed)?\/web_mamba\.js$/, replacement: path.join(enginePackage, 'web_mamba.js') }] : []),
      ],
    },
    build: { outDir, emptyOutDir: true, target: 'es2022' },
  });
}

export default () => buildHarness(HARNESS);
