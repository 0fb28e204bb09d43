/** States in the browser, on the CPU and on WebGPU: exactness, conversations that are read once, kills, lost devices, files. */
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { newProfile } from './browser';
import { EVERY_ROUND } from './every-round';
import { GOLDEN_MODELS, HARNESS, ROOT } from './folders';
import { loseDevice, loseDeviceForGood, makeLosable } from './lost-device';
import { withBrowser } from './opened';
import { Site } from './site';
import { SpawnedBrowser } from './spawned-browser';

const TINY = 'golden/falcon-tiny-Q4_K_M.gguf';
const GREEDY = { temperature: 0, ignoreEos: true };
/** As in parity.test.ts: sums in another order. */
const TOLERANCE = 2e-4;

const backends: Record<string, DeviceOptions> = {
  cpu: { backend: 'cpu' },
  'cpu, f32 activations': { backend: 'cpu', activations: 'f32' },
  webgpu: { backend: 'webgpu', activations: 'f32' },
};

/** Enough to be killed in the middle, seconds after the beginning and some checkpoints later. */
const DOCUMENT_TOKENS: Record<string, number> = { cpu: 30_000, 'cpu, f32 activations': 12_000, webgpu: 4000 };

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
site.mount('/public/', path.join(ROOT, 'web/public'));
let browser: BrowserContext;

async function visit(context = browser): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => console.log('page error', error));
  await page.goto(site.url);
  return page;
}

withBrowser(site, {}, (opened) => (browser = opened));

describe.each(Object.entries(backends))('on %s', (name, device) => {
  test('after saving, restoring and forking at random positions, logits are the same bit for bit', async () => {
    const page = await visit();
    const positions = device.backend === 'cpu' ? 40 : 8;
    const far = await page.evaluate(([url, device, positions]) => window.states.exactness(url, device, positions), [TINY, device, positions] as const);
    expect(far).toMatchObject({ again: 0, fork: 0 });
    // A replay in other chunks: the CPU sums in one order, a GPU may not.
    expect(far.replay).toBeLessThanOrEqual(device.backend === 'cpu' ? 0 : TOLERANCE);
    await page.close();
  });

  test('in a conversation of many turns each reads only what is new; so does an edit, and so does the next visit', async ({ task }) => {
    const many = EVERY_ROUND || device.backend === 'cpu' ? 20 : 8;
    const page = await visit();
    await page.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);
    const answer = (prompt: number[]) => page.evaluate(([prompt, options]) => window.states.answer(prompt, options), [prompt, { ...GREEDY, maxTokens: 3 }] as const);
    // A text of its own for each backend and each try: what another one has read would be known here.
    const own = 1000 * (Object.keys(backends).indexOf(name) + Object.keys(backends).length * (task.result?.retryCount ?? 0));
    const tokens = (count: number, seed: number) => page.evaluate(([count, seed]) => window.states.someTokens(count, seed), [count, own + seed] as const);
    const history = await tokens(300, 7);
    const turns: number[] = [];
    for (let turn = 0; turn < many; turn += 1) {
      turns.push(history.length);
      history.push(...(await tokens(5, 100 + turn)));
      const { ids, prefilledTokens } = await answer(history);
      // The last token of the answer before was written and not read.
      expect(prefilledTokens, `turn ${turn}`).toBe(turn === 0 ? 305 : 6);
      history.push(...ids);
    }
    for (const turn of [1, many / 2 - 1, many - 1]) {
      const edited = [...history.slice(0, turns[turn]), ...(await tokens(4, 200 + turn))];
      expect((await answer(edited)).prefilledTokens, `edit of turn ${turn}`).toBe(5);
    }
    await page.reload();
    await page.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);
    expect((await answer([...history, 1, 2, 3])).prefilledTokens).toBe(4);
    const edited = [...history.slice(0, turns[many / 2]), ...(await tokens(4, 300))];
    expect((await answer(edited)).prefilledTokens).toBe(5);
    await page.close();
  });

  // A software GPU takes two minutes for such a document.
  test.runIf(EVERY_ROUND || device.backend === 'cpu')('a browser that is killed in the middle of a document goes on from there', async () => {
    const count = DOCUMENT_TOKENS[name] ?? 0;
    const options = { ...GREEDY, maxTokens: 24 };
    const whole = await visit();
    const document = await whole.evaluate((count) => window.states.someTokens(count, 9), count);
    await whole.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);
    const undisturbed = await whole.evaluate(([prompt, options]) => window.states.answer(prompt, options), [document, { ...options, reuse: false }] as const);
    expect(undisturbed.prefilledTokens).toBe(count);
    await whole.close();

    const profile = newProfile();
    const webgpu = device.backend === 'webgpu';
    const first = await SpawnedBrowser.start(profile, webgpu);
    const page = await first.page(site.url);
    await page.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);
    await page.evaluate(([prompt, options]) => void window.states.answer(prompt, options), [document, options] as const);
    await page.waitForFunction((least) => window.states.progress.prefill > least, 0.6 * count, { timeout: 200_000 });
    await first.kill();

    const second = await SpawnedBrowser.start(profile, webgpu);
    const again = await second.page(site.url);
    await again.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);
    const resumed = await again.evaluate(([prompt, options]) => window.states.answer(prompt, options), [document, options] as const);
    await second.kill();
    console.log(`${name}: killed at 0.6 of ${count} tokens, ${resumed.prefilledTokens} were read after that`);
    expect(resumed.prefilledTokens).toBeLessThan(0.75 * count);
    expect(resumed.ids).toEqual(undisturbed.ids);
  });
});

test('a state goes from one backend to the other, in f32 and in f16', async () => {
  const page = await visit();
  const [cpu, gpu] = [{ backend: 'cpu', activations: 'f32' }, { backend: 'webgpu', activations: 'f32' }] as const;
  for (const [from, to] of [[cpu, gpu], [gpu, cpu]] as const) {
    const { f32, f16, bytes, hashes } = await page.evaluate(([url, from, to]) => window.states.across(url, from, to), [TINY, from, to] as const);
    console.log(`${from.backend} to ${to.backend}: f32 ${f32.toExponential(2)} (${bytes[0]} bytes), f16 ${f16.toExponential(2)} (${bytes[1]} bytes)`);
    expect(hashes[0]).toBe(hashes[1]);
    expect(f32).toBeLessThanOrEqual(TOLERANCE);
    expect(f16).toBeLessThanOrEqual(2e-2);
  }
  await page.close();
});

test('files that are none, of another model, cut or altered are refused, each in its own way', async () => {
  const page = await visit();
  const codes = await page.evaluate((urls) => window.states.refusals(urls[0] ?? '', urls[1] ?? ''), [TINY, 'golden/mamba-tiny-Q8_0.gguf']);
  expect(codes).toEqual(['not-state', 'state-model', 'state-damaged', 'state-damaged']);
  await page.close();
});

// Of a prompt, a checkpoint was made after 1024 tokens.
test.each([['an answer', 8, 'tokens'], ['a prompt', 1100, 'prefill']] as const)('a device that is lost in %s is rebuilt, and the text goes on the same', async (_, at, what) => {
  const page = await browser.newPage();
  await makeLosable(page);
  await page.goto(site.url);
  await page.evaluate((url) => window.states.open(url, { backend: 'webgpu', activations: 'f32' }), TINY);
  const prompt = await page.evaluate((count) => window.states.someTokens(count, 11), what === 'tokens' ? 60 : 2000);
  const options = { ...GREEDY, maxTokens: what === 'tokens' ? 24 : 5 };
  const undisturbed = await page.evaluate(([prompt, options]) => window.states.answer(prompt, { ...options, reuse: false }), [prompt, options] as const);
  const disturbed = page.evaluate(([prompt, options]) => window.states.answer(prompt, options), [prompt, options] as const);
  await page.waitForFunction(([what, at]) => window.states.progress[what] >= at, [what, at] as const);
  await loseDevice(page);
  const answer = await disturbed;
  expect(answer.others).toEqual(['rebuild', 'rebuilt']);
  expect(answer.ids).toEqual(undisturbed.ids);
  // What came after the last checkpoint was read again.
  expect(answer.prefilledTokens).toBeGreaterThan(prompt.length);
  await page.close();
});

test('an answer whose GPU does not come back goes on with the workers that its model was loaded with', async () => {
  const page = await browser.newPage();
  await makeLosable(page);
  await page.goto(site.url);
  const ranks = () => page.workers().filter((worker) => worker.url().includes('rank'));
  // Blocks of 256 weights could not be cut for three.
  await page.evaluate(() => window.states.open('golden/falcon-tiny-F32.gguf', { backend: 'auto', activations: 'f32', workers: { count: 3 } }));
  expect(ranks()).toHaveLength(0);
  const prompt = await page.evaluate(() => window.states.someTokens(40, 12));
  const answer = page.evaluate(([prompt, options]) => window.states.answer(prompt, options), [prompt, { ...GREEDY, maxTokens: 40 }] as const);
  await page.waitForFunction(() => window.states.progress.tokens >= 5);
  await loseDeviceForGood(page);
  const { others, ids } = await answer;
  expect(others).toEqual(['rebuild', 'rebuilt']);
  expect(ids).toHaveLength(40);
  // This one is among the three.
  expect(ranks()).toHaveLength(2);
  await page.close();
});
