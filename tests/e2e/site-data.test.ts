/**
 * The browser clears the site's data while the page is open. What is on screen stays, and is kept again, whole, with the next message; for
 * as long as the browser takes nothing, the page says so.
 *
 * After some clearings Chromium answers no request for a database of the origin any more, until it is started again, with nothing that a page
 * could do about it. Both endings are right here, and each clearing has a browser of its own.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenFor, openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

const site = new Site(DIST);
const FIRST = 'What colour is the sky?';
const SECOND = 'Tell me a story about a brave mouse and a lion.';
const TIMEOUT = { timeout: 40_000 };

beforeAll(() => site.start());
afterAll(() => site.stop());

async function clearSiteData(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'all' });
  await session.detach();
}

for (const when of ['between two answers', 'in the middle of an answer']) {
  test(`cleared ${when}: kept again and there after a reload, or said not to be kept`, async () => {
    const browser = await openBrowser({ webgpu: false });
    const complaints: string[] = [];
    try {
      const page = await browser.newPage();
      listenFor(complaints, page);
      const chat = new ChatPage(page);
      await page.goto(site.url);
      await chat.backend.waitFor();
      const titles = () => page.getByTestId('chats').locator('.chat-title').allInnerTexts();
      const questions = () => page.getByTestId('message-user').allInnerTexts();
      const said = () => page.locator('[data-testid=error], [data-testid=unkept]').evaluateAll((all) => all.map((each) => `${each.getAttribute('data-code')}: ${each.textContent}`));
      const silent = async () => (await said()).some((each) => each.startsWith('app-silent'));

      await chat.ask(FIRST);
      await expect.poll(titles, TIMEOUT).toEqual([FIRST]);
      if (when === 'between two answers') {
        await clearSiteData(page);
        await expect.poll(async () => (await silent()) || (await titles()).length === 0, TIMEOUT).toBe(true);
        expect(await questions()).toEqual([FIRST]);
        await chat.ask(SECOND);
      } else {
        await chat.input.fill(SECOND);
        await chat.send.click();
        await chat.answerGrowsTo(10);
        await clearSiteData(page);
        await chat.stats.nth(1).waitFor();
      }
      await expect.poll(async () => (await silent()) || ((await said()).length === 0 && (await titles()).join() === FIRST), TIMEOUT).toBe(true);
      expect(await questions()).toEqual([FIRST, SECOND]);
      const answer = (await chat.answers.last().innerText()).trim();
      expect(answer).not.toBe('');
      if (await silent()) {
        console.log(`${when}: Chromium has fallen silent`);
        expect((await said()).join()).toMatch(/no answer[\s\S]*save your conversations as a file/);
        return;
      }
      await page.reload();
      await expect.poll(questions, TIMEOUT).toEqual([FIRST, SECOND]);
      expect((await chat.answers.last().innerText()).trim()).toBe(answer);
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
}
