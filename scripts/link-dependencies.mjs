// Gives cargo's target folder TO what FROM has compiled of other crates than this project's, as links, which keep the times that cargo
// compares: it finds them fresh there.   usage: node scripts/link-dependencies.mjs FROM TO
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';

/** What crates for the host and for wasm32 are compiled to, and what cargo notes of it. */
const FOLDERS = ['release', 'wasm32-unknown-unknown/release'].flatMap((profile) => ['deps', 'build', '.fingerprint'].map((name) => path.join(profile, name)));
const OWN = /web[-_]mamba/;

function link(from, to) {
  if (existsSync(to)) return;
  try {
    linkSync(from, to);
  } catch {
    // A file system without links.
    copyFileSync(from, to);
    const { atime, mtime } = statSync(from);
    utimesSync(to, atime, mtime);
  }
}

function linkFolder(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (OWN.test(entry.name)) continue;
    const [source, goal] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) linkFolder(source, goal);
    else link(source, goal);
  }
}

const [from, to] = process.argv.slice(2);
for (const folder of FOLDERS) if (existsSync(path.join(from, folder))) linkFolder(path.join(from, folder), path.join(to, folder));
