/** The benchmark page, wide and narrow, light and dark: it measures, its tables are whole, and it reads well. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, picture } from './browser';
import { DIST, GOLDEN_MODELS } from './folders';
import { Site } from './site';

const site = new Site(DIST);
site.mount('/golden/', GOLDEN_MODELS);
const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');
const COUNTS = 'prompt=4&answer=3&runs=2';

beforeAll(() => site.start());
afterAll(() => site.stop());

test.each([
  ['desktop', 'light', true, 'golden/falcon-tiny-Q4_K_M.gguf'],
  ['desktop', 'dark', false, 'demo'],
  ['phone', 'light', false, 'demo'],
  ['phone', 'dark', true, 'golden/falcon-tiny-Q4_K_M.gguf'],
] as const)('%s, %s, WebGPU %s', async (device, colorScheme, webgpu, model) => {
  const phone = device === 'phone';
  const viewport = phone ? { width: 390, height: 780 } : { width: 1200, height: 900 };
  const browser = await openBrowser({ webgpu, colorScheme, viewport, isMobile: phone, hasTouch: phone, bypassCSP: true, permissions: ['clipboard-read', 'clipboard-write'] });
  try {
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(String(error)));
    await page.addInitScript({ content: axe });
    await page.goto(`${site.url}bench.html?model=${model}&${COUNTS}`);
    await page.getByTestId('measure').click();
    await page.getByTestId('figures').or(page.getByTestId('error')).waitFor();
    const text = async (id: string) => (await page.getByTestId(id).innerText()).replaceAll('\t', ' ');
    expect(await page.getByTestId('error').count(), 'a failure').toBe(0);
    const figures = await text('figures');
    expect(figures).toMatch(/Prefill [\d.]+ tokens\/s/);
    expect(figures).toMatch(/Decode [\d.]+ tokens\/s/);
    if (webgpu) {
      expect(figures).toMatch(/This device reads [\d.]+ [MG]B\/s/);
      expect(figures).toMatch(/Of that bound [\d.]+ %/);
      expect(figures).toMatch(/Dispatches a token 11/);
      expect(await text('stages')).toMatch(/ssm_in Q4_K \+ conv in_project 2 [\d.]+/);
    } else {
      expect(figures).toMatch(/Runs on CPU/);
      expect(figures).not.toMatch(/Of that bound/);
    }
    await page.getByTestId('copy-text').click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toMatch(/^web-mamba benchmark: .+, 4 \+ 3 tokens, 2 runs\n/);
    console.log(copied);
    await picture(page, `bench-${device}-${colorScheme}`);
    const violations = await page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
      return (await axe.run()).violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
    });
    expect(violations).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
    expect(wrong).toEqual([]);
  } finally {
    await browser.close();
  }
});

test('an RWKV-7 is measured', async () => {
  const browser = await openBrowser({ webgpu: false });
  const page = await browser.newPage();
  await page.goto(`${site.url}bench.html?model=golden/rwkv7-b-Q4_K_M.gguf&${COUNTS}`);
  await page.getByTestId('measure').click();
  await page.getByTestId('figures').or(page.getByTestId('error')).waitFor();
  expect(await page.getByTestId('error').count(), 'a failure').toBe(0);
  expect(await page.getByTestId('figures').innerText()).toMatch(/Decode\s+[\d.]+ tokens\/s/);
  await browser.close();
});

test('an address that is none is said so', async () => {
  const browser = await openBrowser({ webgpu: false });
  const page = await browser.newPage();
  await page.goto(`${site.url}bench.html?model=${encodeURIComponent('http://example.org/model.gguf')}`);
  await page.getByTestId('error').waitFor();
  expect(await page.getByTestId('error').getAttribute('data-code')).toBe('address');
  await browser.close();
});
