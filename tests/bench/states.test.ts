/** Figures of states in a page for `tests/record/`: `npx vitest run --config ../tests/bench/vitest.config.mts states`, in `web/`. */
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BrowserContext } from 'playwright-core';
import { openBrowser } from '../e2e/browser';
import { HARNESS, ROOT } from '../e2e/folders';
import { Site } from '../e2e/site';

const DEMO = 'public/models/web-mamba-demo-31m-q4_k_m.gguf';
const site = new Site(HARNESS);
site.mount('/public/', path.join(ROOT, 'web/public'));
let browser: BrowserContext;

beforeAll(async () => {
  await site.start();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

test.each(['cpu', 'webgpu'] as const)('times of a state on %s', async (backend) => {
  const page = await browser.newPage();
  await page.goto(site.url);
  const times = await page.evaluate(([url, backend]) => window.states.times(url, { backend }), [DEMO, backend] as const);
  console.log(JSON.stringify({ backend, ...times }));
  await page.close();
});

test('the first token of turn 20, with checkpoints, after a reload, and without', async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  const open = () => page.evaluate((url) => window.states.open(url, { backend: 'cpu' }), DEMO);
  const ask = (prompt: number[], maxTokens: number, reuse = true) => page.evaluate(
    ([prompt, maxTokens, reuse]) => window.states.answer(prompt, { temperature: 0, ignoreEos: true, maxTokens, reuse }), [prompt, maxTokens, reuse] as const,
  );
  await open();
  const questions = await page.evaluate(() => window.states.someTokens(20 * 40, 1));
  const history: number[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    history.push(...questions.slice(turn * 40, (turn + 1) * 40));
    if (turn < 19) history.push(...(await ask(history, 60)).ids);
  }
  const figures = ({ firstToken, prefilledTokens }: { firstToken: number; prefilledTokens: number }) => ({ firstToken: Math.round(firstToken), prefilledTokens });
  const warm = figures(await ask(history, 2));
  const cold = figures(await ask(history, 2, false));
  await page.reload();
  await open();
  const reloaded = figures(await ask(history, 2));
  console.log(JSON.stringify({ tokens: history.length, warm, reloaded, cold }));
  expect(warm.prefilledTokens).toBe(41);
  expect(cold.prefilledTokens).toBe(history.length);
  await page.close();
});
