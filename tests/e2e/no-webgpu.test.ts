/** A browser without WebGPU. */
import { expect, test } from 'vitest';
import type { BrowserContext } from 'playwright-core';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS, GOLDEN_SPLIT } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';
import path from 'node:path';

const site = new Site(DIST);
site.mount('/split/', GOLDEN_SPLIT);
let browser: BrowserContext;

withBrowser(site, { webgpu: false }, (opened) => (browser = opened));

test('the page says that the CPU runs the model, and why, and chats', async () => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(site.url);
  await chat.backend.waitFor();
  expect(await chat.backend.innerText()).toMatch(/^CPU — .{10,}/);
  const { answer, lengths } = await chat.ask('Tell me a long story about a brave mouse and a lion.');
  console.log(`backend: ${await chat.backend.innerText()}\nanswer: ${answer}\nfigures: ${await chat.stats.last().innerText()}`);
  expect(answer.length).toBeGreaterThan(20);
  expect(new Set(lengths).size).toBeGreaterThan(3);
});

test('a model without a chat template continues the text; a file of this computer opens again after a reload', async () => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(site.url);
  await chat.backend.waitFor();
  await chat.page.getByTestId('model-picker').click();
  await chat.page.getByTestId('model-file').setInputFiles(path.join(GOLDEN_MODELS, 'mamba-tiny-Q4_K_M.gguf'));
  for (const visit of ['first', 'second']) {
    await chat.page.getByText('mamba-tiny-Q4_K_M').first().waitFor();
    await chat.backend.waitFor();
    await chat.input.fill('The license');
    await chat.send.click();
    await chat.answerGrowsTo(5);
    await chat.page.keyboard.press('Escape');
    await chat.stats.first().waitFor();
    if (visit === 'first') await chat.page.reload();
  }
});

test('every part of a split set is fetched, whichever one the address names', async () => {
  const chat = new ChatPage(await browser.newPage());
  const part = (n: number) => `/split/mamba-tiny-Q4_0-0000${n}-of-00003.gguf`;
  await chat.page.goto(`${site.url}?model=${encodeURIComponent(part(2))}`);
  await chat.backend.waitFor();
  expect([1, 2, 3].map((n) => site.hits.get(part(n)))).toEqual([1, 1, 1]);
  await chat.input.fill('The license');
  await chat.send.click();
  await chat.answerGrowsTo(5);
  await chat.page.keyboard.press('Escape');
  await chat.stats.first().waitFor();
});
