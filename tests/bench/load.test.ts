/** A model of 1 GB from the store into device buffers: speed, and the memory that the page takes beside the device's. */
import { chmodSync, copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HARNESS } from '../e2e/folders';
import { SpawnedBrowser } from '../e2e/spawned-browser';
import { memoryOf } from './memory';
import { Nginx } from './nginx';

const MODEL = process.env.BENCH_MODEL ?? '';
const scratch = mkdtempSync(path.join(tmpdir(), 'web-mamba-bench-'));
chmodSync(scratch, 0o755);
let nginx: Nginx;

beforeAll(async () => {
  copyFileSync(MODEL, path.join(scratch, 'model.gguf'));
  chmodSync(path.join(scratch, 'model.gguf'), 0o644);
  nginx = await Nginx.start(HARNESS, scratch, path.join(scratch, 'nginx'));
});
afterAll(() => {
  nginx?.stop();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
});

test('loading: Chromium, WebGPU on a software adapter', async () => {
  const profile = path.join(scratch, 'chromium');
  const url = `${nginx.url}files/model.gguf`;
  let chromium = await SpawnedBrowser.start(profile, true);
  try {
    let page = await chromium.page(nginx.url);
    expect(await page.evaluate((address) => window.harness.download(address), url)).toMatchObject({ code: 'complete' });
    await chromium.kill();
    // A fresh browser: what it takes, it takes for loading.
    chromium = await SpawnedBrowser.start(profile, true);
    page = await chromium.page(nginx.url);
    const processes = await chromium.renderers();
    const before = processes.map((pid) => memoryOf(pid).now);
    const begun = performance.now();
    const info = await page.evaluate((address) => window.harness.open(address, { backend: 'webgpu' }), url);
    const seconds = (performance.now() - begun) / 1000;
    const grown = Math.max(...processes.map((pid, index) => memoryOf(pid).peak - (before[index] ?? 0)));
    console.log(JSON.stringify({
      browser: 'chromium', adapter: info.adapter, MB: Math.round(statSync(MODEL).size / 1e6), seconds: Number(seconds.toFixed(1)),
      loadGBps: Number((statSync(MODEL).size / 1e9 / seconds).toFixed(2)), deviceMB: Math.round(info.memoryBytes / 1e6), pageGrewMB: grown,
    }));
    expect(info.backend).toBe('webgpu');
    expect(grown).toBeLessThan(256 * 1.048576);
  } finally {
    await chromium.kill();
  }
});
