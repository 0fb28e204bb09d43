/** The documents: their links and paths lead somewhere, every record has its row, and what is made of measurements is up to date. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.join(import.meta.dirname, '../..');
const measurements = createRequire(import.meta.url)(path.join(ROOT, 'scripts/measurements')) as {
  make: () => Map<string, string>;
  parse: (text: string) => unknown;
};

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const markdown = (folder: string) => readdirSync(path.join(ROOT, folder)).filter((name) => name.endsWith('.md')).map((name) => path.join(folder, name));
/** Documents of what is; records, and what the decisions of a day name, are of what was. */
const present = [...markdown('.'), ...markdown('docs'), ...markdown('web')];
const all = [...present, ...markdown('docs/decisions'), ...markdown('tests/record'), ...markdown('tests/golden')];

/** What GitHub makes of a heading. */
const anchor = (heading: string) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');

function isThere(from: string, target: string): boolean {
  const [file = '', fragment] = target.split('#');
  const found = file === '' ? from : path.join(path.dirname(from), file);
  if (!existsSync(path.join(ROOT, found))) return false;
  if (fragment === undefined) return true;
  return [...read(found).matchAll(/^#+ (.*)$/gm)].some(([, heading = '']) => anchor(heading) === fragment);
}

test.each(all)('every link of %s leads somewhere', (file) => {
  const targets = [...read(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  expect(targets.filter((target) => !/^https?:/.test(target) && !isThere(file, target))).toEqual([]);
});

test.each(present)('every path that %s names is there', (file) => {
  const named = [...read(file).matchAll(/`((?:crate|web|scripts|tests|docs|\.github)\/[\w./-]+)/g)].map(([, name = '']) => name.replace(/[./]+$/, ''));
  // What a reader is to make has a name of capitals; the packages and the page are built.
  const made = /\bNAME\b|^web\/(dist|engine\/pkg)/;
  expect(named.filter((name) => !made.test(name) && !existsSync(path.join(ROOT, name)))).toEqual([]);
});

test('ARCHITECTURE.md names every part of the crate and of the page', () => {
  const text = read('ARCHITECTURE.md');
  const parts = (folder: string) => readdirSync(path.join(ROOT, folder), { withFileTypes: true }).map((entry) => `${folder}/${entry.name}${entry.isDirectory() ? '/' : ''}`);
  const unnamed = ['crate/src', 'web/src', 'web/engine/src'].flatMap(parts).filter((part) => !text.includes(`\`${part}`));
  expect(unnamed.filter((part) => part !== 'crate/src/bin/')).toEqual([]);
});

test('a row of a code map names files that its part has', () => {
  const rows = read('ARCHITECTURE.md').split('\n').filter((line) => /^\| `[\w./-]+\/` \|/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  const missing = rows.flatMap((row) => {
    const [, folder = ''] = /^\| `([^`]+)`/.exec(row) ?? [];
    const files = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.basename(file));
    return [...row.matchAll(/`([\w-]+\.(?:rs|ts|js|wgsl))`/g)].map(([, name = '']) => name).filter((name) => !files.includes(name)).map((name) => folder + name);
  });
  expect(missing).toEqual([]);
});

test('every decision has its row, its date and its three parts', () => {
  const index = read('docs/decisions/README.md');
  const records = markdown('docs/decisions').filter((file) => !file.endsWith('README.md')).sort();
  records.forEach((file, at) => {
    const name = path.basename(file);
    expect(name.startsWith(`${String(at + 1).padStart(4, '0')}-`), name).toBe(true);
    expect(index, name).toContain(`(${name})`);
    expect(read(file), name).toMatch(/^# \d+\. .+\n\nDate: \d{4}-\d\d-\d\d\. .+\n\n## Context\n[\s\S]+## Decision\n[\s\S]+## Consequences and evidence\n/);
  });
});

test('docs/api.md has every error code, option and event field', () => {
  const [text, errors, types] = [read('docs/api.md'), read('crate/src/error.rs'), read('crate/src/web.d.ts')];
  const codes = [...errors.matchAll(/=> "([a-z0-9-]+)"/g)].map(([, code = '']) => code);
  const interfaces = ['LoadOptions', 'GenerateOptions', 'BatchOptions'].map((name) => new RegExp(`interface ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(types)?.[1] ?? '');
  const events = /type GenerateEvent =([\s\S]*)/.exec(types)?.[1] ?? '';
  const fields = [...[...interfaces, events].join('\n').matchAll(/(?:^ +|[;{] )(\w+)\??: /gm)].map(([, field = '']) => field);
  expect(codes.length).toBeGreaterThan(20);
  expect(fields.length).toBeGreaterThan(30);
  expect([...codes, ...fields].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('docs/cli.md names every script', () => {
  const text = read('docs/cli.md');
  const scripts = readdirSync(path.join(ROOT, 'scripts'));
  expect(scripts.filter((name) => !text.includes(`\`${name}`) && !text.includes(`\`scripts/${name}`))).toEqual([]);
});

test('workflows are YAML: no plain value has a colon that makes a key of it', () => {
  const folder = path.join(ROOT, '.github/workflows');
  const lines = readdirSync(folder).flatMap((name) => readFileSync(path.join(folder, name), 'utf8').split('\n').map((line) => `${name}: ${line}`));
  const values = lines.filter((line) => /^[\w.-]+: *(- )?[\w-]+: [^#'"|>{[]/.test(line));
  expect(values.length).toBeGreaterThan(20);
  expect(values.filter((line) => /: .*: .*:( |$)/.test(line.replace(/ #.*/, '')))).toEqual([]);
});

test('the page is deployed only after the checks, and it is what they built', () => {
  expect(read('.github/workflows/pages.yml')).toMatch(/checks:\n {4}uses: \.\/\.github\/workflows\/checks\.yml[\s\S]*needs: checks/);
  expect(read('.github/workflows/checks.yml')).toMatch(/cargo fmt[\s\S]*cargo clippy[\s\S]*cargo test[\s\S]*npm test[\s\S]*upload-pages-artifact/);
});

test('the measurements, their plots and the figures of README.md are those of the records: scripts/measurements makes them', () => {
  const stale = [...measurements.make()].filter(([file, text]) => !existsSync(path.join(ROOT, file)) || read(file) !== text).map(([file]) => file);
  expect(stale).toEqual([]);
});

test.each([
  ['a value that its record has', { decode: 346.5 }, undefined],
  ['one with a comma between thousands', { decode: 1177 }, undefined],
  ['a value that its record does not have', { decode: 346.55 }, /has no 346.55/],
  ['a part of a number', { decode: 46.5 }, /has no 46.5/],
  ['a value that is no number', { decode: '346.5' }, /is no number/],
])('a figure is held to its record: %s', (_, values, refused) => {
  const table = { table: 'a', title: 'A', about: 'B', first: 'c', unit: 'd' };
  const text = [table, { table: 'a', row: 'e', source: '2026-11-26-house.md', values }].map((row) => JSON.stringify(row)).join('\n');
  if (refused) expect(() => measurements.parse(text)).toThrow(refused);
  else expect(() => measurements.parse(text)).not.toThrow();
});

test.each([
  ['a record that is not there', { source: '2026-01-01.md' }, /there is no record/],
  ['a record outside of the folder', { source: '../golden/README.md' }, /there is no record/],
  ['a field that nothing reads', { source: '2026-11-26-house.md', note: 'x' }, /there is no field note/],
  ['a table that is not there', { table: 'b', source: '2026-11-26-house.md' }, /is not there yet/],
])('a row is refused with %s', (_, fields, refused) => {
  const table = { table: 'a', title: 'A', about: 'B', first: 'c', unit: 'd' };
  const row = { table: 'a', row: 'e', values: { decode: 346.5 }, ...fields };
  expect(() => measurements.parse(`${JSON.stringify(table)}\n${JSON.stringify(row)}`)).toThrow(refused);
});
