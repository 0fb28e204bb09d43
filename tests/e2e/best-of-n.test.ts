/** Several answers to one question at once: as a visitor asks for them, and what the engine reads for them. */
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { openBrowser, picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS, HARNESS } from './folders';
import { loseDevice, makeLosable } from './lost-device';
import { Site } from './site';

const TINY = 'golden/falcon-tiny-Q4_K_M.gguf';
const LIVELY = { temperature: 1, seed: 5, ignoreEos: true };

const app = new Site(DIST);
const bare = new Site(HARNESS);
bare.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;

beforeAll(async () => {
  await Promise.all([app.start(), bare.start()]);
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([app.stop(), bare.stop()]);
});

test('three other answers are written at once, can be looked at meanwhile, and the chat goes on from the one that is shown', async () => {
  const page = await browser.newPage();
  await page.goto(`${app.url}?backend=cpu`);
  const chat = new ChatPage(page);
  await chat.backend.waitFor();
  const { answer: first } = await chat.ask('Tell me a story about a brave mouse and a lion.');
  const shown = async () => (await chat.answers.last().innerText()).trim();
  const numbered = (number: number, of: number) => page.getByTestId('branches').getByText(`${number} of ${of}`, { exact: true }).waitFor();
  const several = page.getByTestId('several');

  await page.getByTestId('again-several').click();
  await several.waitFor();
  expect(await several.innerText()).toBe('3 answers at once, 0 finished');
  await numbered(2, 4);
  await chat.answerGrowsTo(20);
  // The second of them has words too while the first is written.
  await page.getByTestId('branch-later').click();
  await numbered(3, 4);
  await chat.answerGrowsTo(20);
  await picture(page, 'best-of-n');
  await several.waitFor({ state: 'detached' });
  const answers = [await shown()];
  await page.getByTestId('branch-later').click();
  await numbered(4, 4);
  answers.push(await shown());
  await page.getByTestId('branch-earlier').click();
  await page.getByTestId('branch-earlier').click();
  await numbered(2, 4);
  answers.push(await shown());
  expect(new Set([first, ...answers]).size).toBe(4);
  expect(answers.every((answer) => answer.length > 20)).toBe(true);

  const { answer: next } = await chat.ask('Tell me a story about a dog and a cat.');
  expect(next).not.toBe('');
  expect((await chat.answers.first().innerText()).trim()).toBe(answers[2]);

  // Stopped early: what was written stays.
  await page.getByTestId('again-several').click();
  await several.waitFor();
  await page.waitForFunction(() => ([...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? '').trim().length > 0);
  await chat.stop.click();
  await several.waitFor({ state: 'detached' });
  await page.locator('.message.assistant').last().getByTestId('branches').getByText(/^2 of [234]$/).waitFor();
  expect(await chat.error.count()).toBe(0);

  await page.reload();
  await chat.answers.nth(1).waitFor();
  expect(await page.locator('.message.assistant').first().getByTestId('branches').innerText()).toContain('2 of 4');
  await page.close();
});

const backends: Record<string, DeviceOptions> = { cpu: { backend: 'cpu' }, webgpu: { backend: 'webgpu', activations: 'f32' } };

describe.each(Object.entries(backends))('on %s', (_, device) => {
  test('the prompt is read once for all of them, and whichever is gone on from is not read again, also after a reload', async () => {
    const page = await browser.newPage();
    await page.goto(bare.url);
    const open = () => page.evaluate(([url, device]) => window.states.open(url, device), [TINY, device] as const);
    await open();
    const prompt = await page.evaluate((seed) => window.states.someTokens(80, seed), device.backend === 'cpu' ? 21 : 22);
    const options = { ...LIVELY, maxTokens: 12 };
    const several = () => page.evaluate(([prompt, options]) => window.states.batch(prompt, 3, options), [prompt, options] as const);
    const answers = await several();
    expect(answers.map(({ prefilledTokens }) => prefilledTokens)).toEqual([80, 1, 1]);
    expect(new Set(answers.map(({ ids }) => ids.join())).size).toBe(3);
    const goOn = async () => {
      for (const { ids } of answers) {
        const next = [...prompt, ...ids, 7];
        const { prefilledTokens } = await page.evaluate(([next, options]) => window.states.answer(next, { ...options, maxTokens: 2 }), [next, options] as const);
        // The answer's last token, which was written and not read, and the new one.
        expect(prefilledTokens).toBe(2);
      }
    };
    await goOn();
    // Asked for again, nothing but the prompt's last token is read.
    const again = await several();
    expect(again.map(({ prefilledTokens }) => prefilledTokens)).toEqual([1, 1, 1]);
    expect(again.map(({ ids }) => ids)).toEqual(answers.map(({ ids }) => ids));
    await page.reload();
    await open();
    await goOn();
    await page.close();
  });
});

test('a device that is lost while several answers are written is rebuilt, and all of them go on with the same text', async () => {
  const page = await browser.newPage();
  await makeLosable(page);
  await page.goto(bare.url);
  await page.evaluate((url) => window.states.open(url, { backend: 'webgpu', activations: 'f32' }), TINY);
  const prompt = await page.evaluate(() => window.states.someTokens(60, 31));
  const options = { ...LIVELY, maxTokens: 30 };
  const several = (reuse: boolean) => page.evaluate(([prompt, options]) => window.states.batch(prompt, 3, options), [prompt, { ...options, reuse }] as const);
  const undisturbed = await several(false);
  const disturbed = several(true);
  await page.waitForFunction(() => window.states.progress.tokens >= 20);
  await loseDevice(page);
  const answers = await disturbed;
  expect(answers[0]?.others).toEqual(['rebuild', 'rebuilt']);
  expect(answers.map(({ ids }) => ids)).toEqual(undisturbed.map(({ ids }) => ids));
  // Of the prompt, only its last token was read again.
  for (const { prefilledTokens } of answers.slice(1)) expect(prefilledTokens).toBeLessThan(40);
  await page.close();
});
