/** The packages that `scripts/build` makes by wasm-pack's steps are those that wasm-pack makes, whoever builds them and wherever. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runScript } from './run-script.mjs';

function filesOf(folder) {
  const names = execFileSync('find', ['.', '-type', 'f', '-not', '-name', '.stamp', '-not', '-name', '.gitignore'], { cwd: folder, encoding: 'utf8' });
  return new Map(names.trim().split('\n').sort().map((name) => [name, readFileSync(path.join(folder, name))]));
}

for (const name of ['pkg', 'pkg-relaxed', 'pkg-grammar']) {
  test(`${name} by its steps equals ${name} by wasm-pack`, { timeout: 600_000 }, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-package-'));
    try {
      for (const step of ['compile', 'finish']) {
        const { code, output } = await runScript('build-package', { args: [step, name, path.join(folder, name)] });
        assert.equal(code, 0, output);
      }
      const [bySteps, byWasmPack] = [filesOf(path.join(folder, name)), filesOf(path.join(ROOT, 'web/engine', name))];
      assert.deepEqual([...bySteps.keys()], [...byWasmPack.keys()]);
      for (const [file, bytes] of bySteps) assert.ok(bytes.equals(byWasmPack.get(file)), `${file} differs`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** Else two people would get different bytes of one commit, and each their folder's name in everybody's page. */
test('no package names a folder of its builder', () => {
  for (const name of ['pkg', 'pkg-relaxed', 'pkg-grammar']) {
    for (const [file, bytes] of filesOf(path.join(ROOT, 'web/engine', name))) {
      for (const folder of [ROOT, homedir(), process.env.CARGO_HOME ?? '.cargo/registry']) assert.ok(!bytes.includes(folder), `${name}/${file} names ${folder}`);
    }
  }
});
