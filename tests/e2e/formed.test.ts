/** Answers that are held to a form, in a real browser: on both backends, and that what knows grammars comes when it is needed. */
import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { GOLDEN_MODELS, HARNESS } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

const MODEL = 'golden/falcon-tiny-Q4_K_M.gguf';
const SCHEMA = {
  type: 'object', additionalProperties: false, required: ['name', 'tags'],
  properties: { name: { type: 'string', maxLength: 8 }, tags: { type: 'array', maxItems: 3, items: { enum: ['a', 'b'] } } },
};

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;
let page: Page;
withBrowser(site, {}, (opened) => (browser = opened));
beforeAll(async () => {
  page = await browser.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => 'formed' in window);
});

const ask = (backend: 'cpu' | 'webgpu', options: object) =>
  page.evaluate(([url, kind, given]) => window.formed(url, kind, given), [MODEL, backend, options] as const);
const grammarModules = () => [...site.hits].filter(([name]) => /grammar.*\.wasm$/.test(name)).reduce((sum, [, count]) => sum + count, 0);

test.each(['cpu', 'webgpu'] as const)('on %s an answer is what its schema describes', async (backend) => {
  const before = grammarModules();
  expect(await ask(backend, { maxTokens: 5, seed: 1 })).not.toBe('');
  expect(grammarModules(), 'a plain answer needs no grammars').toBe(before);
  for (const seed of [1, 2]) {
    const answer = JSON.parse(await ask(backend, { jsonSchema: SCHEMA, temperature: 1, topK: 0, seed })) as { name: string; tags: string[] };
    expect(Object.keys(answer)).toEqual(['name', 'tags']);
    expect([...answer.name].length).toBeLessThanOrEqual(8);
    expect(answer.tags.every((tag) => tag === 'a' || tag === 'b')).toBe(true);
  }
  expect(grammarModules()).toBeGreaterThan(before);
  expect(await ask(backend, { regex: '(yes|no)!', temperature: 0 })).toMatch(/^(yes|no)!$/);
  expect(await ask(backend, { jsonSchema: { not: {} } })).toMatch(/^grammar: .*not/);
});
