/**
 * Puts the list of the page's own files, each with the SHA-256 of its content, into the service worker. Models are not among
 * them: the page keeps those itself, in chunks. Also brings pdf.js's character maps, which PDFs in some languages need.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'vite';

const WORKER = 'service-worker.js';
const PLACEHOLDER = '__FILES_OF_THIS_VERSION__';
/** What the page itself has no use for, such as the package's module for grammars, is not fetched ahead. */
const LEFT_OUT = /^models\/.*\.gguf$|web_mamba_grammar_bg.*\.wasm$/;

export function precache(publicFolder: string): Plugin {
  return {
    name: 'precache',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const cmaps = path.join(path.dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json')), 'cmaps');
        const files = new Map<string, string>();
        for (const name of readdirSync(cmaps)) {
          const source = readFileSync(path.join(cmaps, name));
          this.emitFile({ type: 'asset', fileName: `cmaps/${name}`, source });
          files.set(`cmaps/${name}`, hash(source));
        }
        for (const [name, file] of Object.entries(bundle)) {
          if (name !== WORKER) files.set(name, hash(file.type === 'chunk' ? file.code : file.source));
        }
        for (const name of readdirSync(publicFolder, { recursive: true, withFileTypes: true })) {
          if (!name.isFile()) continue;
          const file = path.join(name.parentPath, name.name);
          files.set(path.relative(publicFolder, file).split(path.sep).join('/'), hash(readFileSync(file)));
        }
        const listed = [...files].filter(([name]) => !LEFT_OUT.test(name)).sort(([a], [b]) => (a < b ? -1 : 1));
        const worker = bundle[WORKER];
        if (worker?.type !== 'chunk' || !worker.code.includes(PLACEHOLDER)) throw new Error(`${WORKER} has no place for the list of files`);
        worker.code = worker.code.replace(PLACEHOLDER, () => JSON.stringify(Object.fromEntries(listed)));
      },
    },
  };
}

function hash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
