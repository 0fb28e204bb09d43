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

test('three other answers are written at once, side by side, until one is chosen, from which the chat goes on', async () => {
  const page = await browser.newPage();
  await page.goto(`${app.url}?backend=cpu`);
  const chat = new ChatPage(page);
  await chat.backend.waitFor();
  const { answer: first } = await chat.ask('Tell me a story about a brave mouse and a lion.');
  const numbered = (number: number, of: number) => page.getByTestId('branches').getByText(`${number} of ${of}`, { exact: true }).waitFor();
  const together = page.getByTestId('side-by-side');
  const column = (number: number) => page.getByTestId('choice').nth(number);
  const written = (number: number) => column(number).locator('.answer').innerText();
  const ended = () => page.waitForFunction(() => [...document.querySelectorAll('[data-testid=choice]')].every((each) => each.ariaBusy === 'false'));

  await page.getByTestId('again-several').click();
  await together.getByText('3 answers at once, 0 finished').waitFor();
  expect(await page.getByTestId('choice').count()).toBe(3);
  // All of them grow while they are written.
  await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=choice] .answer')].every((each) => (each.textContent ?? '').trim().length > 20));
  await picture(page, 'best-of-n');
  await page.setViewportSize({ width: 390, height: 780 });
  await picture(page, 'best-of-n-phone');
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1200, height: 800 });
  await ended();
  const answers = [await written(0), await written(1), await written(2)].map((text) => text.trim());
  expect(new Set([first, ...answers]).size).toBe(4);
  expect(answers.every((answer) => answer.length > 20)).toBe(true);
  await page.getByText('choose the one to go on with').first().waitFor();
  await column(2).getByTestId('choose').click();
  await together.waitFor({ state: 'detached' });
  await numbered(4, 4);
  expect((await chat.answers.last().innerText()).trim()).toBe(answers[2]);
  // The others are its versions.
  await page.getByTestId('branch-earlier').click();
  await page.getByTestId('branch-earlier').click();
  await numbered(2, 4);
  expect((await chat.answers.last().innerText()).trim()).toBe(answers[0]);

  const { answer: next } = await chat.ask('Tell me a story about a dog and a cat.');
  expect(next).not.toBe('');
  expect((await chat.answers.first().innerText()).trim()).toBe(answers[0]);

  // Stopped early: what was written stays, and those that had no word yet are none.
  await page.getByTestId('again-several').click();
  await together.waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=choice] .answer')].every((each) => (each.textContent ?? '').trim().length > 0));
  await chat.stop.click();
  await ended();
  expect(await chat.error.count()).toBe(0);

  // A reload shows one of them, and the others as its versions.
  await page.reload();
  await chat.answers.nth(1).waitFor();
  expect(await page.locator('.message.assistant').first().getByTestId('branches').innerText()).toContain('2 of 4');
  expect(await page.locator('.message.assistant').last().getByTestId('branches').innerText()).toContain('2 of 4');
  expect(await together.count()).toBe(0);
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
