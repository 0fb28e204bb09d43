/** The invariants that no single module can hold: who may touch what, and that tables are complete. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { catalogue, entryById, entryOf, entrySource, newerOf, replaced } from '../src/models/catalogue';
import { sourceKey } from '../engine/src/store/model-source';
import { ENGLISH, FAMILIES } from 'web-mamba';
import { engineMessages } from '../src/base/engine-messages';
import { failures } from '../src/base/failures';
import { strings } from '../src/base/strings';
import { chatStrings } from '../src/chat/chat-strings';
import { modelStrings } from '../src/models/model-strings';
import { pageStrings } from '../src/page/page-strings';

const WEB = path.join(import.meta.dirname, '..');
const DOM = /\b(document|window|localStorage|sessionStorage|HTMLElement|querySelector|getElementById|addEventListener\('(click|keydown)')\b|\blocation\./;

function sources(folder: string): string[] {
  const names = readdirSync(path.join(WEB, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => path.join(folder, name));
}

/** The code of a file without comments and strings. */
function code(file: string): string {
  return readFileSync(path.join(WEB, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|`[^`]*`/g, '');
}

function withoutComments(file: string): string {
  return readFileSync(path.join(WEB, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^ *\/\/.*/gm, '');
}

test('nothing but the views touches the DOM', () => {
  const offenders = sources('src').filter((file) => !file.split(path.sep).includes('view') && DOM.test(code(file)));
  expect(offenders).toEqual([]);
});

test('only what starts a page makes an engine', () => {
  const makers = sources('src').filter((file) => /new EngineClient\b/.test(code(file)));
  expect(makers.sort()).toEqual(['bench.ts', 'how.ts', 'main.ts'].map((name) => path.join('src', name)));
});

test('one file imports each kind of wasm package, and only workers import that', () => {
  const importing = (what: RegExp) => [...sources('src'), ...sources('engine/src')].filter((file) => what.test(readFileSync(path.join(WEB, file), 'utf8')));
  expect(importing(/^import (?!type ).*\/pkg|[^f] import\('[./]*\/pkg/m)).toEqual(['flavour.ts', 'load-grammar.ts'].map((name) => path.join('engine/src/worker', name)));
  expect(importing(/^import (?!type ).*'(?:\.|\.\.\/worker)\/load-grammar\.ts'/m)).toEqual(['node/worker.ts', 'worker/worker.ts'].map((name) => path.join('engine/src', name)));
  expect(importing(/^import (?!type ).*'(?:\.|\.\.\/worker)\/(flavour|load-engine)\.ts'/m).sort()).toEqual(
    ['cdn/hosted-ranks.ts', 'node/engine.ts', 'worker/load-engine.ts', 'worker/rank.worker.ts', 'worker/worker.ts'].map((name) => path.join('engine/src', name)),
  );
});

test('what people read is in the strings files: the page’s own HTML has only what must be there before any script', () => {
  const body = /<body>[\s\S]*<\/body>/.exec(readFileSync(path.join(WEB, 'index.html'), 'utf8'))?.[0] ?? '';
  const withoutScripts = body.replace(/<noscript>[^<]*<\/noscript>/, '').replace(/<!--[\s\S]*?-->/g, '');
  expect(withoutScripts.replace(/<[^>]*>/g, '').trim()).toBe('');
  expect(withoutScripts).not.toMatch(/aria-label=|title=|placeholder=/);
  const english = sources('engine/src').filter((file) => /'[A-Z][a-z’]+ [a-z’]+ /.test(withoutComments(file)));
  // What a model is told is no message to people.
  expect(english).toEqual(['base/messages.ts', 'prompt-api/instructions.ts'].map((name) => path.join('engine/src', name)));
});

test('the engine’s package has the version of the project, and the page uses just that', () => {
  const json = (file: string) => JSON.parse(readFileSync(path.join(WEB, file), 'utf8')) as { version: string; dependencies: Record<string, string> };
  const [, version] = /^version = "(.*)"$/m.exec(readFileSync(path.join(WEB, '../Cargo.toml'), 'utf8')) ?? [];
  expect([json('engine/package.json').version, json('package.json').dependencies['web-mamba']]).toEqual([version, version]);
});

test('every error code of the engine has a sentence', () => {
  const rust = readFileSync(path.join(WEB, '../crate/src/error.rs'), 'utf8');
  const body = /fn code\(&self\)[\s\S]*?\n {4}\}/.exec(rust)?.[0] ?? '';
  const codes = [...body.matchAll(/=> "([a-z0-9-]+)"/g)].map((match) => match[1]);
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((each) => !(each && each in ENGLISH.failures))).toEqual([]);
  expect(Object.keys(failures).filter((each) => each in ENGLISH.failures)).toEqual([]);
});

test('the engine’s own English names nothing of this page, and what the page puts in its place names buttons that it has', () => {
  const texts = (table: object): string[] => Object.values(table).flatMap((each: unknown) => (typeof each === 'string' ? [each] : texts(each as object)));
  const ofPage = /“(?!\{)|\?backend|this page|line below/i;
  expect(texts(ENGLISH).filter((text) => ofPage.test(text))).toEqual(['Another tab of this page, of an older version, keeps the stored models to itself.', 'Close the other tabs of this page, then reload this one.', 'Reload this page.']);
  const labels = new Set([strings, modelStrings, chatStrings, pageStrings].flatMap(texts));
  const named = texts({ failures, engineMessages }).flatMap((text) => [...text.matchAll(/“([^{”]+)”/g)].map(([, label]) => label as string));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((label) => !labels.has(label))).toEqual([]);
});

test('the catalogue says the true size of the models beside the page', () => {
  for (const { urls = [], bytes, card } of catalogue) {
    if (urls.length > 0) expect(urls.reduce((sum, url) => sum + statSync(path.join(WEB, 'public', url)).size, 0)).toBe(bytes);
    if (card) expect(statSync(path.join(WEB, 'public', card)).isFile()).toBe(true);
  }
});

test('what has been replaced is offered no longer, names what has taken its place, and has left the folder; its key still leads to it', () => {
  expect(replaced.length).toBeGreaterThan(0);
  for (const entry of replaced) {
    expect(catalogue).toContain(newerOf(entry));
    expect(catalogue).not.toContain(entry);
    expect(catalogue.map(({ id }) => id)).not.toContain(entry.id);
    expect(entryById(entry.id)).toBe(entry);
    expect(entryOf(sourceKey(entrySource(entry, 'http://page/')), 'http://page/')).toBe(entry);
    expect(entry.prompts, entry.id).toEqual([]);
    for (const url of entry.urls ?? []) expect(existsSync(path.join(WEB, 'public', url)), url).toBe(false);
  }
  // What lies beside the page is offered: a clone carries no other weights.
  const weights = readdirSync(path.join(WEB, 'public/models')).filter((name) => name.endsWith('.gguf')).map((name) => `models/${name}`);
  expect(catalogue.flatMap(({ urls = [] }) => urls)).toEqual(weights);
});

test('the first model says what it is for and what it is not; questions are suggested only to models that answer, and some are up to summaries', () => {
  const [first] = catalogue;
  expect(first).toMatchObject({ goodFor: expect.any(String) as string, limits: expect.any(String) as string, summaries: false, roles: false });
  expect(first?.prompts).toHaveLength(4);
  expect(catalogue.filter(({ summaries }) => summaries).length).toBeGreaterThan(0);
  for (const { id, prompts, summaries, roles, chats = false } of catalogue.slice(1)) {
    expect([id, roles, prompts.length > 0]).toEqual([id, chats, chats]);
    expect(chats || !summaries, id).toBe(true);
  }
});

test('every entry of the catalogue has its facts, an id of its own, and a source that its key leads back to', () => {
  expect(new Set(catalogue.map(({ id }) => id)).size).toBe(catalogue.length);
  for (const entry of catalogue) {
    expect(entry.memory, entry.id).toBeGreaterThan(entry.bytes);
    expect(entry.memory, entry.id).toBeLessThan(1.1 * entry.bytes + 100e6);
    expect(entry.largestBinding, entry.id).toBeGreaterThan(0);
    expect(entry.ranks, entry.id).toBeGreaterThan(0);
    expect(entry.context, entry.id).toBeGreaterThan(0);
    expect(entry.licence.name && entry.licence.link && entry.page, entry.id).toBeTruthy();
    expect(entry.licence.accept ?? false, entry.id).toBe(/falcon/i.test(entry.name));
    expect(entryOf(sourceKey(entrySource(entry, 'http://page/')), 'http://page/')).toBe(entry);
    if (entry.hub) expect(entry.hub.file.toLowerCase(), entry.id).toContain(entry.type.toLowerCase().replace(/^f16$/, '16'));
  }
});

const ROOT = path.join(WEB, '..');

/** Texts of a folder's files with these ends, by their paths from the root. */
function texts(folder: string, ends: RegExp): [string, string][] {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => ends.test(name));
  return names.map((name) => [path.join(folder, name), readFileSync(path.join(ROOT, folder, name), 'utf8')]);
}

test('sentences have the names of the supported families from one place in each language, and both say the same', () => {
  const [, ofRust] = /macro_rules! families \{[^"]*"([^"]+)"/.exec(readFileSync(path.join(ROOT, 'crate/src/error/remedy.rs'), 'utf8')) ?? [];
  expect(FAMILIES).toBe(ofRust);
  const names = new RegExp(FAMILIES.split(/, | or /).map((name) => `\\b${name}\\b`).join('|'));
  const naming = [...texts('web/src', /\.ts$/), ...texts('web/engine/src', /\.ts$/)]
    .filter(([, text]) => names.test(text.replace(/\/\*[\s\S]*?\*\/|^ *\/\/.*/gm, '').replace(FAMILIES, '')));
  expect(naming.map(([file]) => file)).toEqual([]);
  const all = ENGLISH.failures;
  for (const { remedy } of [all.metadata, all.architecture, engineMessages.failures?.architecture ?? expect.fail()]) expect(remedy).toContain(FAMILIES);
});

test('the page and its engine have no rule of their own for what a device holds', () => {
  const rules = /\bWASM_BYTES\b|\bDOUBTFUL\w*|\bUSABLE\w*|maxBuffer\s*[<>]|maxBinding\s*[<>]/;
  expect([...texts('web/src', /\.ts$/), ...texts('web/engine/src', /\.ts$/)].filter(([, text]) => rules.test(text)).map(([file]) => file)).toEqual([]);
});

test('code and documents use the field’s names', () => {
  const ours = /\b(crew|obey\w*|patience|desk|servePeer|peer\.worker|onlyPromised|only_promised|sample_choose)\b/i;
  const parts = [texts('web/src', /\.(ts|css)$/), texts('web/engine/src', /\.ts$/), texts('crate/src', /\.(rs|wgsl|js|ts)$/), texts('docs', /\.md$/)];
  expect(parts.flat().filter(([, text]) => ours.test(text)).map(([file, text]) => `${file}: ${ours.exec(text)?.[0]}`)).toEqual([]);
});
