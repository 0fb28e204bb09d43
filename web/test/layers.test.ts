/** Who may import whom: the engine's folders from the ground up, the page above the engine's public surface alone. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const WEB = path.join(import.meta.dirname, '..');
/** What a worker does not have, and a server has not either. `prompt(input` is the Prompt API's. */
const DOM = /\b(document|window|localStorage|sessionStorage|Element|HTML\w*Element|querySelector\w*|getElementById|requestAnimationFrame|matchMedia|alert|confirm|prompt\((?!input\b))|\blocation\./;

/** Lower first. Those of one row do not know each other. */
const ENGINE_LAYERS = [['base'], ['store'], ['state'], ['protocol'], ['client', 'worker'], ['shared'], ['api'], ['prompt-api', 'ai-sdk'], ['index.ts'], ['cdn', 'node']];
/** Models are what chat, documents and the bench need; these three do not know each other. The page that explains copies the bench's report. */
const PAGE_LAYERS = [['base'], ['data'], ['markdown'], ['models'], ['chat', 'documents', 'bench'], ['page', 'how'], ['main.ts', 'bench.ts', 'how.ts', 'service-worker.ts']];

interface Import {
  from: string;
  to: string;
}

function files(folder: string): string[] {
  const names = readdirSync(path.join(WEB, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => path.posix.join(folder, name.split(path.sep).join('/')));
}

/** What a file names, types too: paths from `web`, or packages. A worker's script is named by its address, and is no import. */
function imports(folder: string): Import[] {
  return files(folder).flatMap((from) => {
    const text = readFileSync(path.join(WEB, from), 'utf8').replace(/\/\*[\s\S]*?\*\/|^ *\/\/.*/gm, '');
    const named = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*'([^']+)'/g)].map(([, name]) => name as string);
    return named.map((name) => ({ from, to: name.startsWith('.') ? path.posix.join(path.posix.dirname(from), name) : name }));
  });
}

/** Imports that go up, or to a neighbour, in layers of folders within `root`. */
function upward(root: string, layers: readonly (readonly string[])[], all: readonly Import[]): string[] {
  const part = (file: string) => {
    const [first = ''] = file.slice(root.length + 1).split('/');
    return layers.some((row) => row.includes(first)) ? first : `${first}.ts`;
  };
  const rank = (name: string) => layers.findIndex((row) => row.includes(name));
  return all
    .filter(({ to }) => to.startsWith(`${root}/`))
    .filter(({ from, to }) => {
      const [low, high] = [part(to), part(from)];
      if (rank(low) < 0 || rank(high) < 0) return true;
      return low !== high && rank(low) >= rank(high);
    })
    .map(({ from, to }) => `${from} -> ${to}`);
}

test('in the engine imports go down only', () => {
  const all = imports('engine/src');
  expect(all.length).toBeGreaterThan(100);
  expect(upward('engine/src', ENGINE_LAYERS, all)).toEqual([]);
});

test('in the page imports go down only, and no feature knows its neighbour', () => {
  const all = imports('src').filter(({ to }) => to !== 'models.json' && to !== 'headers.mjs');
  expect(all.filter(({ to }) => to.startsWith('src/')).length).toBeGreaterThan(200);
  expect(upward('src', PAGE_LAYERS, all)).toEqual([]);
});

test('views stand on controllers and data, never the other way', () => {
  const isView = (file: string) => file.split('/').includes('view');
  const entries = PAGE_LAYERS.at(-1)?.map((name) => `src/${name}`);
  expect(imports('src').filter(({ from, to }) => isView(to) && !isView(from) && !entries?.includes(from))).toEqual([]);
});

test('the engine knows no page and no DOM, and its types have none', () => {
  const outside = imports('engine/src').filter(({ to }) => to.startsWith('src/') || to.startsWith('test/') || to === 'web-mamba');
  expect(outside).toEqual([]);
  const code = (file: string) => readFileSync(path.join(WEB, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|`[^`]*`/g, '');
  expect(files('engine/src').filter((file) => DOM.test(code(file)))).toEqual([]);
  const { compilerOptions } = JSON.parse(readFileSync(path.join(WEB, 'engine/tsconfig.json'), 'utf8')) as { compilerOptions: { lib: string[]; types: string[] } };
  expect(compilerOptions.lib.filter((name) => /^dom/i.test(name))).toEqual([]);
  expect(compilerOptions.types).toEqual([]);
});

test('the page uses the engine by its public surface alone', () => {
  const all = imports('src');
  expect(all.filter(({ to }) => to === 'web-mamba').length).toBeGreaterThan(10);
  expect(all.filter(({ to }) => to.startsWith('engine/') || to.startsWith('web-mamba/'))).toEqual([]);
  expect(files('src').filter((file) => /new URL\([^)]*engine/.test(readFileSync(path.join(WEB, file), 'utf8')))).toEqual([]);
});

/** The tests above read sources by a few rules of their own; these are what they rest on. */
test('an import that goes up, or to a neighbour, is found', () => {
  const names = (list: [string, string][]) => upward('engine/src', ENGINE_LAYERS, list.map(([from, to]) => ({ from: `engine/src/${from}`, to: `engine/src/${to}` })));
  expect(names([['base/a.ts', 'store/b'], ['client/a.ts', 'worker/b'], ['new/a.ts', 'base/b'], ['base/a.ts', 'index'], ['store/a.ts', 'base/b'], ['index.ts', 'client/b']]))
    .toHaveLength(4);
});
