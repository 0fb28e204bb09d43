/**
 * Makes what `npm pack` puts into the tarball beside the wasm packages: JavaScript with its types, scripts for pages without a bundler, and licences. The wasm packages
 * themselves are made by `scripts/build`.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { runnerImport } from 'vite';

const HERE = import.meta.dirname;
const ROOT = path.join(HERE, '../..');

for (const [name, module] of [['pkg', 'web_mamba'], ['pkg-relaxed', 'web_mamba'], ['pkg-grammar', 'web_mamba_grammar']]) {
  if (!existsSync(path.join(HERE, name, `${module}_bg.wasm`))) throw new Error(`web/engine/${name} is missing: run scripts/build first`);
}

// What an older version of the sources left must not be published.
rmSync(path.join(HERE, 'dist'), { recursive: true, force: true });
for (const part of ['build', 'build-node']) execFileSync('tsc', ['-p', path.join(HERE, `tsconfig.${part}.json`)], { stdio: 'inherit' });

// A page without a bundler cannot find the packages that these import: they become one file each, beside the wasm packages as they are.
// The entries of a page stand on the first of them, which has all that they share: a model that one loads is known to the others.
const CDN = path.join(HERE, 'dist/cdn');
for (const names of [['web-mamba', 'prompt-api', 'ai-sdk'], ['worker'], ['rank.worker']]) {
  const bundle = await rolldown({
    input: Object.fromEntries(names.map((name) => [name, path.join(CDN, `${name}.js`)])),
    external: /\/pkg(-relaxed)?\/web_mamba\.js$|\/pkg-grammar\/web_mamba_grammar\.js$/,
    preserveEntrySignatures: 'allow-extension',
    logLevel: 'silent',
    makeAbsoluteExternalsRelative: false,
  });
  const { output } = await bundle.write({ dir: CDN, format: 'es', minify: true, entryFileNames: '[name].js' });
  await bundle.close();
  if (output.length > names.length) throw new Error(`dist/cdn has files beside its entries: ${output.map(({ fileName }) => fileName).join(', ')}`);
}

for (const name of readdirSync(ROOT).filter((name) => name.startsWith('LICENSE-'))) copyFileSync(path.join(ROOT, name), path.join(HERE, name));
const { module } = await runnerImport(path.join(HERE, '../licences-plugin.ts'));
const { dependencies } = JSON.parse(readFileSync(path.join(HERE, 'package.json'), 'utf8'));
const bundled = module.packagesOf(Object.keys(dependencies).map((name) => path.join(HERE, '../node_modules', name)));
writeFileSync(path.join(HERE, 'licences.txt'), module.licencesText(bundled, module.crateComponents(), 'package'));
