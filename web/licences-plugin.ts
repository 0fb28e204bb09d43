/**
 * Writes `licences.txt`: every package that is in the built page, with its version, its licence and the text of it. Which packages these
 * are, the build itself says, by the modules that it put into its chunks; the engine's crates are listed by `scripts/crate-licences.mjs`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin, Rolldown } from 'vite';
import crates from './crate-licences.json' with { type: 'json' };

export interface Component {
  name: string;
  version: string;
  licence: string;
  texts: string[];
}

interface Manifest {
  name?: string;
  version?: string;
  license?: string;
  dependencies?: Record<string, string>;
}

const RULE = '='.repeat(80);
const LICENCES_FILE = 'licences.txt';
const TEXT = /^(licen[cs]e|copying|notice|ofl)/i;
/** Some packages are published as one file that has others in it, so what a package depends on is listed with it. These are not in the page: */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'markdown-it argparse': 'its command line',
  'mammoth argparse': 'its command line',
  'lit-html @types/trusted-types': 'types',
};
/** After this, build tools give the licences of what they are made of, which is not in the page. */
const BUNDLED = /^# Licenses of bundled dependencies$/m;
/** Licences that ask for no more than their text. */
const ALLOWED: ReadonlySet<string> = new Set([
  'MIT', 'MIT-0', 'Apache-2.0', 'BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', '0BSD', 'CC0-1.0', 'Zlib', 'BSL-1.0', 'Unlicense', 'OFL-1.1', 'Unicode-3.0',
]);
/** What the build tools put into chunks themselves: a few lines of theirs, and nothing of what they depend on. */
const RUNTIMES: readonly [RegExp, string][] = [[/^\0?vite\//, 'vite'], [/^\0?rolldown\//, 'rolldown']];

export class Licences {
  readonly #folders = new Set<string>();
  readonly #runtimes = new Set<string>();

  constructor(private readonly root: string) {}

  /** Notes the modules of a bundle; workers are bundles of their own, which come before the page's. */
  collect(): Plugin {
    const noteBundle = (bundle: Rolldown.OutputBundle) => {
      for (const file of Object.values(bundle)) {
        const modules = file.type === 'chunk' ? Object.keys(file.modules) : file.originalFileNames;
        for (const id of modules) this.#note(id);
      }
    };
    return { name: 'collect-packages', apply: 'build', generateBundle: (_options, bundle) => noteBundle(bundle) };
  }

  write(): Plugin {
    const text = () => this.text();
    return {
      name: 'licences',
      apply: 'build',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: LICENCES_FILE, source: text() });
      },
    };
  }

  text(): string {
    const runtimes = [...this.#runtimes].map((name) => component(path.join(this.root, 'node_modules', name)));
    return licencesText([...packagesOf([...this.#folders]), ...runtimes], crateComponents());
  }

  #note(id: string): void {
    const runtime = RUNTIMES.find(([pattern]) => pattern.test(id))?.[1];
    if (runtime !== undefined) this.#runtimes.add(runtime);
    const folder = packageFolder(path.resolve(this.root, id.replace(/^\0|\?.*$/g, '')));
    if (folder !== undefined) this.#folders.add(folder);
  }
}

/** The folder of the package that a file of `node_modules` belongs to. */
function packageFolder(file: string): string | undefined {
  const [folder] = /^.*[\\/]node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+/.exec(file) ?? [];
  return folder;
}

/** The packages in these folders, and what they depend on. */
export function packagesOf(folders: readonly string[]): Component[] {
  const found = new Map<string, Component>();
  const waiting = [...folders];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const made = component(folder);
    const key = `${made.name} ${made.version}`;
    if (found.has(key)) continue;
    found.set(key, made);
    const others = Object.keys(manifestOf(folder).dependencies ?? {}).filter((other) => !(`${made.name} ${other}` in LEFT_OUT));
    waiting.push(...others.map((other) => installed(other, folder)));
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function crateComponents(): Component[] {
  return crates.crates.map(({ texts, ...crate }) => ({ ...crate, texts: texts.map((index) => crates.texts[index] ?? '') }));
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;
}

function component(folder: string): Component {
  const { name = '', version = '', license = '' } = manifestOf(folder);
  return { name, version, licence: license, texts: textsIn(folder) };
}

/** Whether a licence, or one of its alternatives, is an allowed one. `/` is how older crates write OR. */
export function allowed(licence: string): boolean {
  return licence.split(' AND ').every((group) => group.replace(/[()]/g, '').split(/ OR |\//).some((each) => ALLOWED.has(each)));
}

/** Where Node would find the package `name` from `folder`. */
function installed(name: string, folder: string): string {
  for (let at = folder; ; at = path.dirname(at)) {
    const candidate = path.join(at, 'node_modules', name);
    if (existsSync(path.join(candidate, 'package.json'))) return candidate;
    if (path.dirname(at) === at) throw new Error(`${name}, which is in the page by way of ${folder}, is not installed`);
  }
}

/** pdf.js keeps a text of its own beside its character maps; small packages have theirs at the end of what they say of themselves. */
function textsIn(folder: string): string[] {
  const texts = [folder, path.join(folder, 'cmaps')].filter((each) => existsSync(each)).flatMap((each) =>
    readdirSync(each).filter((name) => TEXT.test(name)).sort().map((name) => readFileSync(path.join(each, name), 'utf8')));
  if (texts.length > 0) return texts.map((text) => text.split(BUNDLED)[0] ?? text);
  const about = readdirSync(folder).filter((name) => /^readme/i.test(name)).map((name) => readFileSync(path.join(folder, name), 'utf8'));
  return about.flatMap((text) => /^#+ *licen[cs]e\n([\s\S]*(copyright|permission)[\s\S]*)/im.exec(text)?.[1] ?? []);
}

/** `whole` is what has them. */
export function licencesText(packages: readonly Component[], engine: readonly Component[], whole: 'page' | 'package' = 'page'): string {
  const sections = new Map<string, string[]>();
  for (const { name, version, licence, texts } of [...packages, ...engine]) {
    const title = `${name} ${version}`.trim();
    if (!allowed(licence)) throw new Error(`${title}: the ${whole} cannot have what is published under ${licence || 'no licence'}`);
    const text = texts.map((each) => each.replace(/\r\n/g, '\n').trim()).join('\n\n');
    if (text === '') throw new Error(`${title} comes without the text of its licence`);
    sections.set(text, [...(sections.get(text) ?? []), `${title}: ${licence}`]);
  }
  const list = (title: string, components: readonly Component[]) =>
    components.length > 0 ? [`${title}: ${components.map(({ name, version }) => `${name} ${version}`.trim()).join(', ')}.\n`] : [];
  return [
    `What this ${whole} is made of, beside web-mamba itself, which is published under MIT OR Apache-2.0.\n`,
    ...list(whole === 'page' ? 'In the page' : 'In dist/cdn', packages), ...list('In the engine', engine),
    ...[...sections].map(([text, titles]) => `${RULE}\n${titles.join('\n')}\n${RULE}\n\n${text}\n`),
  ].join('\n');
}
