/** A model larger than one wasm memory, from the store into two workers: speed, and the memory that the page takes. `scripts/bench-large`. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { HARNESS } from '../e2e/folders';
import { Site } from '../e2e/site';
import { SpawnedBrowser } from '../e2e/spawned-browser';
import { memoryOf } from './memory';

const FILE = process.env.LARGE_FILE ?? '';
const scratch = mkdtempSync(path.join(tmpdir(), 'web-mamba-large-'));

test('a model of more than 4 GiB loads from the store and writes, with two workers', async () => {
  const site = new Site(HARNESS, { isolated: true });
  site.mount('/files/', path.dirname(FILE));
  await site.start();
  const url = `${site.url}files/${path.basename(FILE)}`;
  let chromium = await SpawnedBrowser.start(scratch);
  try {
    let page = await chromium.page(site.url);
    const begun = performance.now();
    expect(await page.evaluate((address) => window.harness.download(address), url)).toMatchObject({ code: 'complete' });
    const fetched = performance.now();
    await chromium.kill();
    // A fresh browser, so that what it takes, it takes for loading; and only what is stored can be read.
    chromium = await SpawnedBrowser.start(scratch);
    page = await chromium.page(site.url);
    const hits = site.hits.get(`/files/${path.basename(FILE)}`);
    const opened = performance.now();
    const info = await page.evaluate((address) => window.harness.open(address, { backend: 'cpu', workers: { count: 2 } }), url);
    const loaded = performance.now();
    expect(site.hits.get(`/files/${path.basename(FILE)}`)).toBe(hits);
    const figures = await page.evaluate(() => window.harness.bench({ promptTokens: 64, genTokens: 16, runs: 1 }));
    const peak = (await chromium.renderers()).map((pid) => memoryOf(pid).peak);
    const round = (value: number) => Number(value.toFixed(2));
    console.log(JSON.stringify({
      MB: Math.round(statSync(FILE).size / 1e6), adapter: info.adapter, downloadSeconds: round((fetched - begun) / 1e3), loadSeconds: round((loaded - opened) / 1e3),
      prefill: round(figures.prefill), decode: round(figures.decode), modelMB: Math.round(info.memoryBytes / 1e6), largestRendererMB: Math.max(...peak),
    }));
    expect(figures.decode).toBeGreaterThan(0);
  } finally {
    await chromium.kill();
    await site.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
});
