/** One model in several tabs of a real browser: who holds it, and what becomes of an answer when that tab is closed or crashes. */
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { GOLDEN_MODELS, HARNESS } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

const MODEL = 'golden/falcon-tiny-Q4_K_M.gguf';
const TOKENS = 3000;

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;
withBrowser(site, { webgpu: false }, (opened) => (browser = opened));

async function visit(): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => 'tabs' in window);
  return page;
}

const load = (page: Page) => page.evaluate((url) => window.tabs.load(url), MODEL);
const begin = (page: Page) => page.evaluate((maxTokens) => window.tabs.begin('The license', { temperature: 0, maxTokens, ignoreEos: true }), TOKENS);
const answer = (page: Page) => page.evaluate(() => window.tabs.answer());

async function ended(page: Page) {
  await page.waitForFunction(() => window.tabs.answer().outcome !== undefined);
  return answer(page);
}

test('the tab that comes first has the worker, and an answer goes on in the next when that is closed, and when that crashes', async () => {
  const [first, second, third] = [await visit(), await visit(), await visit()];
  const workers = () => [first, second, third].map((page) => (page.isClosed() ? 0 : page.workers().length));
  const before = workers();
  expect(await load(first)).toBe('falcon-tiny-Q4_K_M');
  await load(second);
  await load(third);
  expect(workers().map((count, at) => count - (before[at] ?? 0))).toEqual([1, 0, 0]);

  await begin(third);
  const { text, kinds, outcome } = await ended(third);
  expect([kinds.filter((kind) => kind.startsWith('rebu')), outcome]).toEqual([[], 'end']);

  await begin(third);
  await third.waitForFunction(() => window.tabs.answer().text.length > 40);
  await first.close();
  await third.waitForFunction(() => window.tabs.answer().kinds.filter((kind) => kind === 'token').length > 1);
  const crash = (await browser.newCDPSession(second)).send('Page.crash').catch(() => undefined);
  const moved = await ended(third);
  await Promise.race([crash, third.waitForTimeout(2000)]);
  expect(moved).toEqual({ text, kinds: moved.kinds, outcome: 'end' });
  expect(moved.kinds.filter((kind) => kind === 'rebuilt')).toHaveLength(2);
});
