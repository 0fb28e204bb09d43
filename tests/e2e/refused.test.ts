/** What a browser or a server refuses the page: each is said with a remedy, wherever it happened. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { Site } from './site';

const CARD = '/models/README.md';

const site = new Site(DIST);
let chat: ChatPage;
let page: Page;
// A service worker would have the card.
withPage(site, { serviceWorkers: 'block' }, [], (opened) => ({ chat, page } = opened), '');

async function said(code: string): Promise<void> {
  await page.waitForFunction((wanted) => document.querySelector('[data-testid=error]')?.getAttribute('data-code') === wanted, code);
  const [sentence, remedy] = await chat.error.locator('p').allInnerTexts();
  expect(sentence).toMatch(/^\S.*\.$/);
  expect(remedy).toMatch(/^\S.*\.$/);
  await chat.error.getByRole('button', { name: 'Dismiss' }).click();
  await chat.error.waitFor({ state: 'detached' });
}

test('a picker that the browser does not open, and a file that is gone when it has been picked', async () => {
  for (const refusal of ['SecurityError', 'NotFoundError']) {
    // Stands for the picker's window, which no test can press.
    await page.evaluate((name) => {
      const refuse = () => Promise.reject(new DOMException('', name));
      Object.assign(window, { showOpenFilePicker: name === 'SecurityError' ? refuse : async () => [{ kind: 'file', name: 'm.gguf', getFile: refuse }] });
    }, refusal);
    await page.getByTestId('model-picker').click();
    await page.getByTestId('model-file').dispatchEvent('click');
    await said('files-refused');
  }
});

test('a model’s card that is not there, and one that breaks off', async () => {
  site.lose(CARD);
  await page.getByTestId('limits').getByRole('link').click();
  await said('card');
  site.answer(CARD, (_, response) => {
    response.writeHead(200, { 'content-length': 10_000 });
    response.write('# About', () => setTimeout(() => response.destroy(), 100));
  });
  await page.getByTestId('limits').getByRole('link').click();
  await said('card');
  expect(await page.locator('dialog[open]').count()).toBe(0);
});

test('what nobody foresaw', async () => {
  await page.evaluate(() => void Promise.reject(new Error('a promise that nobody holds')));
  await page.getByText('a promise that nobody holds').waitFor();
  await said('unexpected');
});
