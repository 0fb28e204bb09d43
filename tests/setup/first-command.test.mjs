/** The first command of README.md: it ends in an address that answers, also beside another one, and a failure says what to do. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runDemo, runScript } from './run-script.mjs';

const CACHE = process.env.WEB_MAMBA_CACHE ?? path.join(process.env.HOME, '.cache/web-mamba');

/** Every file that the first visit needs is there: the page, the engine in both flavours and the demo model. */
async function visit(address) {
  const page = await fetch(address);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<title>[^<]*web-mamba/i);
  const files = execFileSync('find', ['assets', 'models', '-name', '*.wasm', '-o', '-name', '*.gguf'], { cwd: path.join(ROOT, 'web/dist'), encoding: 'utf8' });
  const names = files.trim().split('\n');
  assert.ok(names.filter((name) => name.endsWith('.wasm')).length >= 2, files);
  for (const name of names) {
    const { status, headers } = await fetch(new URL(name, address), { method: 'HEAD' });
    assert.equal(status, 200, name);
    assert.ok(Number(headers.get('content-length')) > 100_000, name);
  }
}

test('the first command ends in an address that answers', { timeout: 1_800_000 }, async (context) => {
  const { seconds } = await runDemo(visit);
  context.diagnostic(`${seconds.toFixed(0)} s`);
});

// Of three, because other work on the machine can slow any of them.
test('a second run takes 20 seconds at the most', { timeout: 600_000 }, async (context) => {
  const took = [];
  for (let run = 0; run < 3 && !took.some((seconds) => seconds <= 20); run += 1) took.push((await runDemo(visit)).seconds);
  context.diagnostic(took.map((seconds) => `${seconds.toFixed(1)} s`).join(', '));
  assert.ok(Math.min(...took) <= 20, took.join(', '));
});

test('two that run at once wait for each other', { timeout: 600_000 }, async () => {
  const runs = await Promise.all([runScript('build'), runScript('build')]);
  for (const { code, output } of runs) assert.equal(code, 0, output);
});

// A build that reads it empty takes rustup's own toolchain, which has no target for wasm.
test('the name of the toolchain is there whole at any moment', { timeout: 120_000 }, async () => {
  const cache = mkdtempSync(path.join(tmpdir(), 'web-mamba-name-'));
  try {
    symlinkSync(path.join(CACHE, 'wasm-toolchain'), path.join(cache, 'wasm-toolchain'));
    const name = path.join(cache, 'wasm-toolchain-name');
    const seen = new Set();
    for (let round = 0; round < 20; round += 1) {
      writeFileSync(name, 'before\n');
      let runs = true;
      const noted = runScript('setup-wasm-target', { args: ['--ready'], env: { WEB_MAMBA_CACHE: cache } }).finally(() => (runs = false));
      while (runs) {
        for (let look = 0; look < 500; look += 1) seen.add(readFileSync(name, 'utf8'));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal((await noted).code, 0);
    }
    const after = readFileSync(name, 'utf8');
    assert.notEqual(after, 'before\n');
    assert.deepEqual([...seen].filter((text) => text !== 'before\n' && text !== after), []);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
});

/** A clone that shares the tools, but has no packages of the page; and `npm` as it is given. */
function cloneWith(npm) {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-setup-'));
  execFileSync('git', ['clone', '--quiet', ROOT, path.join(folder, 'clone')]);
  mkdirSync(path.join(folder, 'bin'));
  mkdirSync(path.join(folder, 'cache'));
  for (const entry of execFileSync('ls', [CACHE], { encoding: 'utf8' }).trim().split('\n')) {
    if (entry !== 'logs') symlinkSync(path.join(CACHE, entry), path.join(folder, 'cache', entry));
  }
  writeFileSync(path.join(folder, 'bin/npm'), `#!/bin/sh\n${npm}\n`);
  chmodSync(path.join(folder, 'bin/npm'), 0o755);
  const env = { WEB_MAMBA_CACHE: path.join(folder, 'cache'), PATH: `${path.join(folder, 'bin')}:${process.env.PATH}` };
  return { cwd: path.join(folder, 'clone'), env, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

test('a step that fails says what failed, why, and what to do', { timeout: 120_000 }, async () => {
  const { cwd, env, remove } = cloneWith('echo "ENOTFOUND: no such registry" >&2; exit 7');
  try {
    const { code, output } = await runScript('demo', { cwd, env });
    assert.notEqual(code, 0);
    assert.match(output, /installing the page's packages FAILED \(exit code 7\)/);
    assert.match(output, /ENOTFOUND: no such registry/);
    assert.match(output, /What to do: check that this machine reaches the package registries/);
    assert.doesNotMatch(output, /http:\/\/127/);
  } finally {
    remove();
  }
});
