// Writes web/crate-licences.json: the crates that are compiled into the engine and its grammar module for browsers, with the texts of their licences, for the
// page's licences.txt. To run after every change of Cargo.lock (a test says so).   usage: node scripts/crate-licences.mjs
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const GOAL = path.join(ROOT, 'web/crate-licences.json');
/** Where a crate may be used under one of several licences, the first of these is what it is used under. */
const PREFERRED = ['MIT', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'Zlib', 'Apache-2.0', 'Unicode-3.0', 'BSL-1.0', 'Unlicense'];
/** What a file's name has of a licence's. */
const NAMES = { MIT: /mit/i, 'Apache-2.0': /apache/i, Zlib: /zlib/i, 'BSD-2-Clause': /bsd/i, 'BSD-3-Clause': /bsd/i, 'Unicode-3.0': /unicode/i, 'BSL-1.0': /boost/i, Unlicense: /unlicense|copying/i };
const TEXT = /^(licen[cs]e|copying|notice|copyright|unlicense)/i;

const MIT = (holder) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

const { packages, resolve } = JSON.parse(
  execFileSync('cargo', ['metadata', '--locked', '--format-version', '1', '--filter-platform', 'wasm32-unknown-unknown'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 }),
);
const byId = new Map(packages.map((each) => [each.id, each]));
const own = packages.filter(({ name }) => name === 'web-mamba' || name === 'web-mamba-grammar').map(({ id }) => id);

/** The crates that end up in the modules: what these depend on when they are compiled for wasm32. Macros run while they are compiled. */
function compiledIn() {
  const dependencies = new Map(resolve.nodes.map(({ id, deps }) => [id, deps]));
  const found = new Set();
  const waiting = [...own];
  while (waiting.length > 0) {
    const id = waiting.pop();
    if (found.has(id)) continue;
    found.add(id);
    for (const { pkg, dep_kinds: kinds } of dependencies.get(id) ?? []) {
      const macro = byId.get(pkg).targets.some(({ kind }) => kind.includes('proc-macro'));
      if (!macro && kinds.some(({ kind }) => kind === null)) waiting.push(pkg);
    }
  }
  own.forEach((id) => found.delete(id));
  return [...found].map((id) => byId.get(id)).sort((a, b) => `${a.name} ${a.version}`.localeCompare(`${b.name} ${b.version}`));
}

/** The licences that a crate is used under: one of each group of alternatives. `/` is how older crates write OR. */
function chosen(expression) {
  return expression.split(/ AND /).map((group) => {
    const alternatives = group.replace(/[()]/g, '').split(/ OR |\//);
    return PREFERRED.find((each) => alternatives.includes(each)) ?? alternatives[0];
  });
}

function textsOf({ name, manifest_path: manifest, authors, license }) {
  const folder = path.dirname(manifest);
  const files = readdirSync(folder).filter((each) => TEXT.test(each)).sort();
  const named = (file) => Object.values(NAMES).some((pattern) => pattern.test(file));
  const texts = chosen(license).flatMap((licence) => {
    const own = files.filter((file) => NAMES[licence]?.test(file));
    if (own.length > 0) return own.map((file) => readFileSync(path.join(folder, file), 'utf8'));
    const any = files.filter((file) => !named(file) && !/^copyright/i.test(file));
    if (any.length > 0) return any.map((file) => readFileSync(path.join(folder, file), 'utf8'));
    if (licence === 'MIT') return [MIT(authors.map((author) => author.replace(/ <.*/, '')).join(', '))];
    if (licence === 'Apache-2.0') return [`Copyright ${authors.map((author) => author.replace(/ <.*/, '')).join(', ')}\n\n${readFileSync(path.join(ROOT, 'LICENSE-APACHE'), 'utf8')}`];
    throw new Error(`${name}: no text of ${licence}`);
  });
  const notices = files.filter((file) => /^(notice|copyright)/i.test(file)).map((file) => readFileSync(path.join(folder, file), 'utf8'));
  return [...new Set([...texts, ...notices])];
}

const texts = [];
function indexOf(text) {
  const known = texts.indexOf(text);
  return known >= 0 ? known : texts.push(text) - 1;
}

const crates = compiledIn().map((crate) => ({ name: crate.name, version: crate.version, licence: crate.license, texts: textsOf(crate).map(indexOf) }));
// Its version is the compiler's, which the lock file does not name.
crates.push({ name: 'Rust standard library', version: '', licence: 'MIT OR Apache-2.0', texts: [indexOf(MIT('The Rust Project Contributors'))] });
const listed = new Set(crates.map(({ name, version }) => `${name} ${version}`));
const locked = [...readFileSync(path.join(ROOT, 'Cargo.lock'), 'utf8').matchAll(/\[\[package\]\]\nname = "(.*)"\nversion = "(.*)"/g)].map(([, name, version]) => `${name} ${version}`);
const elsewhere = locked.filter((each) => !listed.has(each) && !each.startsWith('web-mamba'));
const json = JSON.stringify({ crates: 0, elsewhere, texts }, null, 1).replace('"crates": 0', () => `"crates": [\n  ${crates.map((each) => JSON.stringify(each)).join(',\n  ')}\n ]`);
if (!existsSync(GOAL) || readFileSync(GOAL, 'utf8') !== `${json}\n`) writeFileSync(GOAL, `${json}\n`);
console.log(`${crates.length} crates, ${texts.length} texts: ${path.relative(ROOT, GOAL)}`);
