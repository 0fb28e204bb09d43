/** Workers that share a model on the CPU: with a memory that all of them see, and by messages where the page is not isolated. */
import type { BrowserContext, Page, Worker } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { openBrowser } from './browser';
import { GOLDEN_MODELS, HARNESS } from './folders';
import { Site } from './site';

const MODEL = 'golden/falcon-tiny-F32.gguf';
const IDS = [5, 17, 3, 99, 7, 42, 11, 64, 2, 8];

const sites = { isolated: new Site(HARNESS, { isolated: true }), 'not isolated': new Site(HARNESS) };
let browser: BrowserContext;

beforeAll(async () => {
  browser = await openBrowser({ webgpu: false });
  for (const site of Object.values(sites)) {
    site.mount('/golden/', GOLDEN_MODELS);
    await site.start();
  }
});
afterAll(async () => {
  await browser?.close();
  for (const site of Object.values(sites)) await site.stop();
});

const open = (page: Page, count: number, options: DeviceOptions = {}, url = MODEL) =>
  page.evaluate(([url, device]) => window.harness.open(url, device), [url, { backend: 'cpu', workers: { count }, ...options }] as const);
const logits = (page: Page) => page.evaluate((ids) => window.harness.logits(ids), IDS);
const ranks = (page: Page): Worker[] => page.workers().filter((worker) => worker.url().includes('rank'));

describe.each(Object.entries(sites))('%s', (name, site) => {
  let page: Page;
  beforeAll(async () => {
    page = await browser.newPage();
    await page.goto(site.url);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(name === 'isolated');
  });
  afterAll(() => page.close());

  test.each([2, 3])('%i workers give what one gives', async (count) => {
    for (const activations of ['f32', 'q8'] as const) {
      expect((await open(page, 1, { activations })).adapter).not.toContain('workers');
      const right = await logits(page);
      expect((await open(page, count, { activations })).adapter).toContain(`${count} workers`);
      expect(ranks(page)).toHaveLength(count - 1);
      const found = await logits(page);
      // Nothing is rounded in a file of F32: only the order of additions differs.
      expect(Math.max(...right.map((value, id) => Math.abs(value - (found[id] ?? NaN))))).toBeLessThan(1e-4);
      expect(await logits(page)).toEqual(found);
      const greedy = await page.evaluate((ids) => window.harness.generate(ids, { temperature: 0, maxTokens: 16, ignoreEos: true }), IDS);
      expect(greedy).toHaveLength(16);
    }
  });

  test('a model that is left lets its workers go', async () => {
    await open(page, 3);
    await open(page, 1);
    await expect.poll(() => ranks(page).length).toBe(0);
  });

  test('a worker that dies is an error that says so, and the page can load again', async () => {
    await open(page, 2, {}, 'golden/falcon-tiny-Q4_K_M.gguf');
    // The worker ends itself, as a browser ends one that has used up its memory.
    await ranks(page)[0]?.evaluate(() => self.close());
    const failed = await page.evaluate(
      (ids) => window.harness.logits(ids).then(() => null, ({ code, message, remedy, detail }) => ({ code, message, remedy, detail })), IDS,
    );
    expect(failed).toMatchObject({ code: 'worker', detail: expect.stringContaining('does not answer') });
    expect(failed?.remedy.length).toBeGreaterThan(10);
    await open(page, 2);
    expect((await logits(page)).every(Number.isFinite)).toBe(true);
  }, 120_000);
});
