/** An extension has all of its code with it: copies the package's files beside the page, into `web-mamba`. */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.resolve('web-mamba/package.json')));
for (const folder of ['dist/cdn', 'pkg', 'pkg-relaxed', 'pkg-grammar']) {
  cpSync(path.join(root, folder), path.join(import.meta.dirname, 'web-mamba', folder), { recursive: true });
}
