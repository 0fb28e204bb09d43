/** Several answers side by side, as a document's sections are: what was read is kept over a pause and a reload, on the CPU and on WebGPU. */
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { openBrowser } from './browser';
import { EVERY_ROUND } from './every-round';
import { GOLDEN_MODELS, HARNESS } from './folders';
import { Site } from './site';

/** A base model: without a chat template it continues the text. */
const TINY = 'golden/falcon-tiny-Q4_K_M.gguf';
const OPTIONS = { temperature: 0, ignoreEos: true, sequences: 2 };
/** Enough to be stopped in the middle: a tiny model writes a thousand a second on the CPU. */
const ANSWER_TOKENS: Record<string, number> = { cpu: 400, webgpu: 24 };
/** One worker: how many a trial finds to be worth it may differ after a reload, and with it the order of additions. */
const backends: Record<string, DeviceOptions> = { cpu: { backend: 'cpu', workers: { count: 1 } }, webgpu: { backend: 'webgpu', activations: 'f32' } };
/**
 * Texts that begin in different ways, so that none is the start of another; the last is read in several chunks, but in
 * fewer tokens than the engine would make a checkpoint of by itself.
 */
const TEXTS = [16, 18, 20, 50].map((words, text) => `${text}. ${Array.from({ length: words }, (_, word) => `line ${word} of the text number ${text}`).join('. ')}`);

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;
beforeAll(() => site.start());
afterAll(() => site.stop());

// A software GPU takes a minute: between releases best-of-n.test.ts has it answer several at once.
describe.each(Object.entries(backends).filter(([name]) => EVERY_ROUND || name === 'cpu'))('on %s', (name, device) => {
  let page: Page;
  const run = (stopAt?: { index: number; read?: number }) =>
    page.evaluate(([texts, options, stopAt]) => window.states.sideBySide(texts, options, stopAt), [TEXTS, { ...OPTIONS, maxTokens: ANSWER_TOKENS[name] ?? 0 }, stopAt] as const);
  const load = () => page.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);

  // A profile of its own for each backend: states are kept by the model, wherever it runs.
  beforeAll(async () => {
    browser = await openBrowser({ webgpu: name === 'webgpu' });
    page = await browser.newPage();
    await page.goto(site.url);
    await load();
  });
  afterAll(() => browser.close());

  test('what a pause and a reload leave is not read again, and the answers are the same', async () => {
    const undisturbed = await run();
    const prompts = undisturbed.map(({ read }) => read);
    expect(undisturbed.map(({ known, prefilledTokens }) => [known, prefilledTokens])).toEqual(prompts.map((count) => [0, count]));
    expect(Math.min(...prompts)).toBeGreaterThan(256);
    await page.reload();
    await load();

    // While the first two are written: both were read, the others were not begun.
    const paused = await run({ index: 0 });
    expect(paused.map(({ prefilledTokens }) => prefilledTokens)).toEqual([null, null, null, null]);
    expect(paused.map(({ read }) => read)).toEqual([prompts[0], prompts[1], 0, 0]);
    await page.reload();
    await load();

    // In the middle of the last one.
    const half = Math.floor((prompts[3] ?? 0) / 2);
    const later = await run({ index: 3, read: half });
    expect(later.map(({ known }) => known)).toEqual([(prompts[0] ?? 0) - 1, (prompts[1] ?? 0) - 1, 0, 0]);
    expect(later.slice(0, 2).map(({ prefilledTokens }) => prefilledTokens)).toEqual([1, 1]);
    await page.reload();
    await load();

    const ended = await run();
    console.log(`${name}: prompts of ${prompts.join(', ')} tokens; kept after the second pause: ${ended.map(({ known }) => known).join(', ')}`);
    // The first two had ended: whoever asked has their answers, and their states are gone.
    expect(ended.map(({ known }) => known).slice(0, 3)).toEqual([0, 0, (prompts[2] ?? 0) - 1]);
    expect(ended[3]?.known).toBeGreaterThanOrEqual(half);
    expect((ended[3]?.known ?? 0) + (ended[3]?.prefilledTokens ?? 0)).toBe(prompts[3]);
    expect([later[0], later[1], ended[2], ended[3]].map((answer) => answer?.text)).toEqual(undisturbed.map(({ text }) => text));
  });
});
