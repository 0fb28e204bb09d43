/** The documents: their links and paths lead somewhere, every record has its row, and what is made of measurements is up to date. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { ENGLISH } from 'web-mamba';

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

test('the table of errors in docs/api.md has the codes of the package, each once', () => {
  const [, section = ''] = /\n### Errors of the package\n([\s\S]*?)\n## /.exec(read('docs/api.md')) ?? [];
  const listed = [...section.matchAll(/^\| (`.*?) \| /gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`([a-z0-9-]+)`/g)].map(([, code]) => code));
  expect(listed.sort()).toEqual(Object.keys(ENGLISH.failures).sort());
});

test('docs/api.md has every option and every result of the package’s calls', () => {
  const [options, events] = [read('web/engine/src/api/options.ts'), read('web/engine/src/protocol/protocol.ts')];
  const [, tables = ''] = /(const run: Table[\s\S]*)const fraction/.exec(options) ?? [];
  const [, availability = ''] = /interface Availability \{([\s\S]*?)\n\}/.exec(events) ?? [];
  const names = [...`${tables}${availability}`.matchAll(/(?:^ {2}|[{,] )(\w+)\??: /gm)].map(([, name = '']) => name);
  expect(names).toEqual(expect.arrayContaining(['backend', 'store', 'onProgress', 'downloaded', 'doubts']));
  expect(names.filter((name) => !read('docs/api.md').includes(`\`${name}\``))).toEqual([]);
});

test('docs/api.md has every option and every result of OpenAI’s interface', () => {
  const types = read('web/engine/src/api/openai/types.ts');
  const [, section = ''] = /\n### OpenAI's interface\n([\s\S]*?)\n### /.exec(read('docs/api.md')) ?? [];
  const body = (name: string) => new RegExp(`${name}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(types)?.[1] ?? '';
  const names = ['type SharedBody', 'type StreamOptions', 'interface ChatCompletionBody', 'interface CompletionBody'].flatMap((each) => [...body(each).matchAll(/^ {2}(\w+)\??: /gm)].map(([, name = '']) => name));
  expect(names).toEqual(expect.arrayContaining(['model', 'reuse', 'include_usage', 'messages', 'thinking', 'prompt']));
  expect([...names, 'finish_reason', 'cached_tokens', 'reasoning_content'].filter((name) => !new RegExp(`\\b${name}\\b`).test(section))).toEqual([]);
});

/** What tsc says of a program in a strict project that has the package. */
function strictProject(): (code: string) => Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-snippet-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const dependency = (name: string) => [path.join(ROOT, 'web/node_modules', name)];
  const paths = { 'web-mamba': [path.join(ROOT, 'web/engine/src/index.ts')], 'web-mamba/*': [path.join(ROOT, 'web/engine/src/*/index.ts')], openai: dependency('openai'), ai: dependency('ai') };
  const config = { extends: path.join(ROOT, 'web/tsconfig.json'), compilerOptions: { types: [], paths }, include: ['snippet.ts'] };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
  return (code) => {
    writeFileSync(path.join(folder, 'snippet.ts'), code);
    return promisify(execFile)(path.join(ROOT, 'web/node_modules/.bin/tsc'), ['-p', folder]).then(() => '', (failed: { stdout: string }) => failed.stdout);
  };
}

test('a snippet of TypeScript in the documents is right in a strict project, and the first of each document is one', async () => {
  const snippets = ['README.md', 'docs/api.md', 'web/engine/README.md'].map((file) => [...read(file).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code));
  const firsts = new Set(snippets.map(([first]) => first));
  expect([snippets.every(({ length }) => length > 0), firsts.size]).toEqual([true, 1]);
  const others = ['docs/prompt-api.md', 'docs/ai-sdk.md'].map((file) => /```ts\n([\s\S]*?)```/.exec(read(file))?.[1] ?? '');
  const all = [...new Set([...snippets.flat(), ...others])];
  expect(all.length).toBe(8);
  const check = strictProject();
  for (const code of all) {
    expect(await check(code)).toBe('');
    expect(await check(code.replace(/\b(load|promptApi)\(/, '$1e('))).toMatch(/(load|promptApi)e'/);
  }
  expect(await check((all.find((code) => code.includes('max_tokens')) ?? '').replace('max_tokens', 'max_token'))).toMatch(/max_token'/);
}, 120_000);

test('the snippets of the wasm package in docs/api.md are right by its types', async () => {
  const wasm = path.join(ROOT, 'web/engine/pkg/web_mamba.js');
  const given = `import type { ByteSource, ChatMessage, Model } from '${wasm}';\ndeclare const source: ByteSource, messages: ChatMessage[], signal: AbortSignal;\n`;
  const [loading = '', ...others] = [...read('docs/api.md').matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  const all = [given + loading.replace('./pkg/web_mamba.js', wasm), ...others.map((code) => `${given}declare const model: Model;\n${code}`)];
  expect(all.length).toBe(2);
  const check = strictProject();
  for (const code of all) {
    // What is shown may be left unused.
    expect((await check(code)).split('\n').filter((line) => line !== '' && !/TS6133|TS6196/.test(line))).toEqual([]);
    expect(await check(code.replace(/\b(loadModel|fork)\(/, '$1e('))).toMatch(/(loadModel|fork)e'/);
  }
}, 120_000);

test('docs/cli.md names every script', () => {
  const text = read('docs/cli.md');
  const scripts = readdirSync(path.join(ROOT, 'scripts'));
  expect(scripts.filter((name) => !text.includes(`\`${name}`) && !text.includes(`\`scripts/${name}`))).toEqual([]);
});

interface Step {
  uses?: string;
  run?: string;
  'working-directory'?: string;
}

interface Workflow {
  jobs: Record<string, { uses?: string; steps?: Step[] }>;
}

const WORKFLOWS = '.github/workflows';
const jobs = readdirSync(path.join(ROOT, WORKFLOWS)).flatMap((name) =>
  Object.entries((parseYaml(read(path.join(WORKFLOWS, name))) as Workflow).jobs).map(([job, { uses, steps = [] }]) => ({ job: `${name} ${job}`, uses, steps })));
const commands = jobs.flatMap(({ job, steps }) => steps.flatMap(({ run, 'working-directory': folder = '.' }) => (run?.split('\n') ?? []).map((line) => ({ job, line, folder }))));

test('workflows are YAML whose jobs have steps or another workflow, and every step an action or a command', () => {
  expect(jobs.length).toBeGreaterThan(7);
  expect(jobs.filter(({ uses, steps }) => (uses === undefined ? steps.length === 0 : !existsSync(path.join(ROOT, uses)))).map(({ job }) => job)).toEqual([]);
  expect(jobs.filter(({ steps }) => steps.some(({ uses, run }) => (typeof run === 'string') === (typeof uses === 'string'))).map(({ job }) => job)).toEqual([]);
});

test('what the commands of workflows name is there: scripts with their options, files, scripts of npm, features and tests of cargo', () => {
  const wrong: string[] = [];
  const hold = (is: boolean, what: string) => is || wrong.push(what);
  const features = read('crate/Cargo.toml');
  const npm = (JSON.parse(read('web/package.json')) as { scripts: Record<string, string> }).scripts;
  for (const { job, line, folder } of commands) {
    hold(existsSync(path.join(ROOT, folder)), `${job}: ${folder}`);
    const [, script, rest = ''] = /^(scripts\/[\w-]+)(.*)/.exec(line) ?? [];
    if (script !== undefined) {
      hold(existsSync(path.join(ROOT, script)) && (statSync(path.join(ROOT, script)).mode & 0o111) > 0, `${job}: ${script}`);
      for (const [option] of rest.matchAll(/--[\w-]+/g)) hold(existsSync(path.join(ROOT, script)) && read(script).includes(option), `${job}: ${script} ${option}`);
    }
    for (const [name] of line.matchAll(/\b(?:tests|crate|web|scripts)\/[\w./-]+/g)) hold(existsSync(path.join(ROOT, name.replace(/\/$/, ''))), `${job}: ${name}`);
    for (const [, name = ''] of line.matchAll(/npm run ([\w-]+)/g)) hold(name in npm, `${job}: npm run ${name}`);
    for (const [, name = ''] of line.matchAll(/--features ([\w,-]+)/g)) for (const each of name.split(',')) hold(new RegExp(`^${each} = `, 'm').test(features), `${job}: ${each}`);
    for (const [, name = ''] of line.matchAll(/--test it -- (\w+)::/g)) hold(existsSync(path.join(ROOT, `crate/tests/it/${name}.rs`)), `${job}: ${name}`);
  }
  expect(commands.filter(({ line }) => line.startsWith('scripts/')).length).toBeGreaterThan(4);
  expect(wrong).toEqual([]);
});

test('what is released has passed the checks, its tag is its version, and the changelog begins with that version', () => {
  const [release, version] = [read(`${WORKFLOWS}/release.yml`), /^version = "(.*)"$/m.exec(read('Cargo.toml'))?.[1] ?? ''];
  expect(release).toMatch(/checks:\n {4}uses: \.\/\.github\/workflows\/checks\.yml[\s\S]*needs: checks[\s\S]*\$GITHUB_REF_NAME[\s\S]*npm publish .* --provenance[\s\S]*cargo publish --allow-dirty -p web-mamba/);
  const [, first = ''] = /^## (.*)$/m.exec(read('CHANGELOG.md')) ?? [];
  const [name, state = ''] = first.split(', ');
  expect(name).toBe(version);
  expect(state).toMatch(/^(not released yet|\d{4}-\d\d-\d\d)$/);
  expect((JSON.parse(read('web/engine/package.json')) as { version: string }).version).toBe(version);
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
