/** What the page carries of others, with their licences: the packages that the build finds, and the crates of the engine. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { allowed, crateComponents, Licences, licencesText, packagesOf } from '../licences-plugin';
import crates from '../crate-licences.json';

const WEB = path.join(import.meta.dirname, '..');
const REMEDY = 'run scripts/crate-licences.mjs';

/** Packages that the sources in a folder name. */
function imported(folder: string): string[] {
  const sources = readdirSync(path.join(WEB, folder), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|css)$/.test(name));
  const names = sources.flatMap((name) =>
    [...readFileSync(path.join(WEB, folder, name), 'utf8').matchAll(/(?:from|import|import\(|url\() ?'(?!node:)((?:@[\w-]+\/)?[\w][\w.-]*)[^']*'/g)].map(([, found]) => found as string));
  return [...new Set(names)].sort();
}

test('every package that the sources name is a dependency with an allowed licence and its text, and so is what it depends on', () => {
  const dependencies = (folder: string) =>
    Object.keys((JSON.parse(readFileSync(path.join(WEB, folder, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }).dependencies).sort();
  const [page, engine] = [imported('src'), imported('engine/src')];
  expect([page, engine]).toEqual([dependencies('.'), dependencies('engine')]);
  const others = new Set([...page, ...engine].filter((name) => name !== 'web-mamba'));
  const packages = packagesOf([...others].map((name) => path.join(WEB, 'node_modules', name)));
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['jszip', 'pako', 'linkify-it', 'entities', '@xmldom/xmldom']));
  expect(packages.map(({ name }) => name)).not.toContain('argparse');
  const text = licencesText(packages, []);
  for (const { name, version, licence, texts } of packages) {
    expect(text).toContain(`\n${name} ${version}: ${licence}\n`);
    expect(texts.join(''), name).toMatch(/permission|licen[cs]e|copyright/i);
  }
  expect(text).toContain('SIL OPEN FONT LICENSE');
});

test('a bundle’s packages are those of its modules and files, and what the build puts in itself', () => {
  const licences = new Licences(WEB);
  const module = (name: string) => path.join(WEB, 'node_modules', name);
  const bundle = {
    'a.js': { type: 'chunk', modules: { [module('idb/build/index.js')]: {}, [`\0${module('jszip/dist/jszip.min.js')}?commonjs`]: {}, '\0vite/preload-helper.js': {}, [path.join(WEB, 'src/main.ts')]: {} } },
    'f.woff2': { type: 'asset', originalFileNames: ['node_modules/@fontsource/noto-sans-math/files/f.woff2'] },
  };
  (licences.collect().generateBundle as (options: unknown, bundle: unknown) => void)({}, bundle);
  const [, packages] = /^In the page: (.*)\.$/m.exec(licences.text()) ?? [];
  expect(packages?.split(', ').map((each) => each.replace(/ [\d.]+$/, ''))).toEqual(expect.arrayContaining(['idb', 'jszip', 'pako', '@fontsource/noto-sans-math', 'vite']));
  expect(packages).not.toMatch(/parse5|rolldown|web-mamba/);
});

test('the crates of the engine are those of Cargo.lock, each in the page or noted as elsewhere', () => {
  const lock = readFileSync(path.join(WEB, '../Cargo.lock'), 'utf8');
  const locked = [...lock.matchAll(/\[\[package\]\]\nname = "(.*)"\nversion = "(.*)"/g)].map(([, name, version]) => `${name} ${version}`).filter((each) => !each.startsWith('web-mamba'));
  const listed = crateComponents().map(({ name, version }) => `${name} ${version}`).filter((each) => !each.startsWith('Rust '));
  expect([...listed, ...crates.elsewhere].sort(), REMEDY).toEqual(locked.sort());
});

test('every crate that the engine names for browsers is in the page’s list, with an allowed licence and its text', () => {
  const manifest = readFileSync(path.join(WEB, '../crate/Cargo.toml'), 'utf8');
  const sections = manifest.split(/^\[/m).filter((each) => /^dependencies\]|^target\.'cfg\(target_arch = "wasm32"\)'\.dependencies\]/.test(each));
  const named = sections.flatMap((each) => [...each.matchAll(/^([\w-]+) = /gm)].map(([, name]) => name));
  expect(named.length).toBeGreaterThan(15);
  const engine = crateComponents();
  expect(engine.map(({ name }) => name)).toEqual(expect.arrayContaining(named));
  for (const { name, licence, texts } of engine) {
    expect([name, allowed(licence)]).toEqual([name, true]);
    expect(texts.join(''), name).toMatch(/Permission is hereby granted|Apache License|provided 'as-is'|Redistribution/);
  }
});

test.each([
  ['GPL-3.0-or-later', false], ['MIT OR GPL-3.0-or-later', true], ['MIT AND GPL-2.0', false], ['(MIT OR Apache-2.0) AND Unicode-3.0', true], ['MIT/Apache-2.0', true], ['MPL-2.0', false], ['', false],
])('%j is allowed: %s', (licence, right) => expect(allowed(licence)).toBe(right));

test('a package without an allowed licence, or without its text, ends the build', () => {
  const component = { name: 'a', version: '1', licence: 'MIT', texts: ['Permission'] };
  expect(licencesText([component], [])).toContain('\na 1: MIT\n');
  expect(() => licencesText([{ ...component, licence: 'GPL-3.0' }], [])).toThrow(/a 1/);
  expect(() => licencesText([], [{ ...component, texts: [' '] }])).toThrow(/a 1/);
});
