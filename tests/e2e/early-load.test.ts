/** A model that is loaded while it is downloaded: on a first visit it answers soon after its last byte, and what fails ends as ever. */
import { createHash } from 'node:crypto';
import type { BrowserContext, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { Origin } from '../../web/test/origin';
import { openBrowser, storedRows } from './browser';
import { HARNESS } from './folders';
import { randomModel } from './random-model';
import { Site } from './site';

const site = new Site(HARNESS, { isolated: true });
const origin = new Origin({ cors: true });
const model = randomModel('mamba-130m', 'q8_0');
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  await Promise.all([site.start(), origin.start()]);
  origin.files.set('/m.gguf', model);
});
beforeEach(async () => {
  // With a store of its own.
  await browser?.close();
  browser = await openBrowser();
  page = await browser.newPage();
  await page.goto(site.url);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([site.stop(), origin.stop()]);
});

const firstToken = (url: string, device: DeviceOptions) => page.evaluate(([url, device]) => window.harness.firstToken(url, device), [url, device] as const);

/** With the share of a load from the store that may be left when the last byte has come. A rank that has no core of its own falls behind. */
test.each<[string, DeviceOptions, number]>([
  ['the CPU', { backend: 'cpu', workers: { count: 1 } }, 0.5],
  ['two workers on the CPU', { backend: 'cpu', workers: { count: 2 } }, 1],
  ['a GPU', { backend: 'webgpu' }, 0.5],
])('on %s a model that is downloaded answers soon after its last byte', async (_, device, mostLeft) => {
  const url = `${origin.url}m.gguf`;
  // 64 KiB in 16 ms on each of four connections: 16 MB/s.
  origin.delay = 16;
  const first = await firstToken(url, device);
  origin.sent = 0;
  const kept = await firstToken(url, device);
  console.log(JSON.stringify({ MB: Math.round(model.length / 1e6), first, kept }));
  expect([first.code, kept.code]).toEqual(['answered', 'answered']);
  expect(origin.sent).toBe(0);
  expect(first.loadedBefore).toBeGreaterThan(0.5);
  expect(kept.loadedBefore).toBeLessThan(0.5);
  expect(first.opened).toBeLessThan(mostLeft * kept.opened);
});

test('a file whose SHA-256 is not the listed one is not opened, however far its load was', async () => {
  const [listed, wrong] = [createHash('sha256').update(model).digest('hex'), 'ab'.repeat(32)];
  let oid = wrong;
  const headers = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'etag, content-range', etag: '"1"' };
  await browser.route('https://huggingface.co/**', async (route: Route) => {
    if (route.request().url().includes('/api/')) {
      return route.fulfill({ headers, json: [{ type: 'file', path: 'm.gguf', size: model.length, lfs: { oid, size: model.length } }] });
    }
    const [, start = '0', end = ''] = /^bytes=(\d+)-(\d*)$/.exec(route.request().headers().range ?? '') ?? [];
    const body = model.subarray(Number(start), end ? Number(end) + 1 : model.length);
    return route.fulfill({ status: 206, headers: { ...headers, 'content-range': `bytes ${start}-${Number(start) + body.length - 1}/${model.length}` }, body });
  });
  const url = 'https://huggingface.co/someone/model/resolve/main/m.gguf';
  expect(await firstToken(url, { backend: 'cpu' })).toMatchObject({ code: 'wrong-bytes', opened: NaN });
  expect(await storedRows(page)).toMatchObject({ chunks: 0 });
  oid = listed;
  expect(await firstToken(url, { backend: 'cpu' })).toMatchObject({ code: 'answered' });
});
