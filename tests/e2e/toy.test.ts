/**
 * The architecture that only tests have (`crate/src/model/arch/toy.rs`), in a build of the engine that knows it: one worker, two workers and
 * WebGPU run it as they run Mamba, though nothing between the page and the architecture's own file names it.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { openBrowser } from './browser';
import { buildHarness } from './build-harness';
import { GOLDEN_MODELS, GOLDEN_TOY, HARNESS, ROOT, TOY_HARNESS, TOY_PACKAGE } from './folders';
import { Site } from './site';

const TOY = 'toy/toy-f16.gguf';
const MAMBA = 'golden/mamba-tiny-Q8_0.gguf';
const GREEDY = { temperature: 0, ignoreEos: true, maxTokens: 24 };
/** As in parity.test.ts: sums in another order. */
const TOLERANCE = 2e-4;

const recorded = JSON.parse(readFileSync(path.join(GOLDEN_TOY, 'answers.json'), 'utf8')) as { prompt: number[]; greedy: number[] }[];

const backends: Record<string, DeviceOptions> = {
  'one worker': { backend: 'cpu', workers: { count: 1 } },
  'two workers': { backend: 'cpu', workers: { count: 2 } },
  WebGPU: { backend: 'webgpu', activations: 'f32' },
};

const site = new Site(TOY_HARNESS, { isolated: true });
const shipped = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
for (const each of [site, shipped]) each.mount('/toy/', GOLDEN_TOY);
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  for (const step of ['share', 'compile', 'finish']) await promisify(execFile)(path.join(ROOT, 'scripts/build-package'), [step, 'pkg-toy', TOY_PACKAGE]);
  await buildHarness(TOY_HARNESS, TOY_PACKAGE);
  for (const each of [site, shipped]) await each.start();
  browser = await openBrowser();
  page = await browser.newPage();
  await page.goto(site.url);
}, 900_000);
afterAll(async () => {
  await browser?.close();
  for (const each of [site, shipped]) await each.stop();
});

describe.each(Object.entries(backends))('on %s', (name, device) => {
  test('it writes the tokens of the native engine', async () => {
    const { adapter, backend } = await page.evaluate(([url, device]) => window.harness.open(url, device), [TOY, device] as const);
    expect(backend).toBe(device.backend);
    expect(adapter.includes('2 workers')).toBe(name === 'two workers');
    for (const { prompt, greedy } of recorded) {
      const found = await page.evaluate(([ids, options]) => window.harness.generate(ids, options), [prompt, GREEDY] as const);
      expect(found).toEqual(greedy);
    }
  });

  test('a batch writes them too', async () => {
    await page.evaluate(([url, device]) => window.states.open(url, device), [TOY, device] as const);
    const [{ prompt, greedy } = { prompt: [], greedy: [0] }] = recorded;
    const answers = await page.evaluate(([prompt, options]) => window.states.batch(prompt, 3, options), [prompt, GREEDY] as const);
    expect(answers.map(({ ids }) => ids)).toEqual([greedy, greedy, greedy]);
  });
});

describe.each([['the CPU', backends['one worker']], ['WebGPU', backends.WebGPU]] as [string, DeviceOptions][])('states on %s', (_, device) => {
  test('saving, restoring and forking change nothing', async () => {
    const far = await page.evaluate(([url, device]) => window.states.exactness(url, device, 8), [TOY, device] as const);
    expect(far).toMatchObject({ again: 0, fork: 0 });
    expect(far.replay).toBeLessThanOrEqual(device.backend === 'cpu' ? 0 : TOLERANCE);
  });
});

test('a state file goes over from the CPU to WebGPU', async () => {
  const options = [{ backend: 'cpu', activations: 'f32' }, { backend: 'webgpu', activations: 'f32' }] as const;
  const { f32, hashes } = await page.evaluate(([url, from, to]) => window.states.across(url, from, to), [TOY, ...options] as const);
  expect(f32).toBeLessThan(TOLERANCE);
  expect(hashes[0]).toBe(hashes[1]);
});

test.each([[TOY, MAMBA], [MAMBA, TOY]])('%s refuses the states of %s', async (own, other) => {
  const codes = await page.evaluate(([own, other]) => window.states.refusals(own, other), [own, other] as const);
  expect(codes).toHaveLength(4);
  expect(codes[1]).toBe('state-model');
  expect(codes).not.toContain('loaded');
});

test('its header alone says whether it fits', async () => {
  const plan = await page.evaluate((url) => window.harness.plan(url, { backend: 'cpu' }), TOY);
  expect(plan.fits).toBe(true);
  // Two layers of 96 channels, three inputs of each as f32.
  expect(plan.needs.state).toBe(2 * 96 * 3 * 4);
});

test('the engine of the page does not know it', async () => {
  const other = await browser.newPage();
  await other.goto(shipped.url);
  const code = await other.evaluate((url) => window.harness.open(url, { backend: 'cpu' }).then(() => 'opened', (thrown: { code: string }) => thrown.code), TOY);
  expect(code).toBe('architecture');
  await other.close();
});
