/**
 * Other pages of the same origin delete what the page keeps, and say odd things: what is on screen stays, and is kept again with the next
 * message. The tests follow on one another. What the browser itself clears is in `site-data.test.ts`.
 */
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { Site } from './site';

const site = new Site(DIST);
const complaints: string[] = [];
let browser: BrowserContext;
let chat: ChatPage;
let page: Page;

site.mount('/copy/', DIST);
withPage(site, {}, complaints, (opened) => ({ browser, chat, page } = opened), '');

const titles = () => page.getByTestId('chats').locator('.chat-title').allInnerTexts();
const questions = () => page.getByTestId('message-user').allInnerTexts();
/** Of all that is said to be wrong, the codes and causes. */
const said = async () => (await page.locator('[data-testid=error], [data-testid=unkept]').evaluateAll((all) => all.map((each) => `${each.getAttribute('data-code')}: ${each.textContent}`)));
const unkept = () => page.getByTestId('unkept');
/** On a busy machine. */
const SOON = { timeout: 20_000 };
/** Answers need not be long here. */
const FIRST = 'What colour is the sky?';
const SECOND = 'And the sea?';
const THIRD = 'Tell me a story about a brave mouse and a lion.';

/** Another page of the origin, of a project of its own. */
async function elsewhere(): Promise<Page> {
  site.give('/other/', '<!doctype html><title>Another project</title>', { 'content-type': 'text/html' });
  const other = await browser.newPage();
  await other.goto(`${site.url}other/`);
  return other;
}

test('a conversation and a document are kept again where another page of the origin deletes the databases', async () => {
  for (const question of [FIRST, SECOND, THIRD]) await chat.ask(question);
  await expect.poll(titles, SOON).toEqual([FIRST]);
  await page.getByTestId('view-documents').click();
  await page.getByTestId('document-file').setInputFiles({ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('The lighthouse stands on the cliff.') });
  await page.getByTestId('document-back').waitFor();
  const other = await elsewhere();
  await other.evaluate(async () => {
    for (const { name = '' } of await indexedDB.databases()) {
      await new Promise((resolve, reject) => Object.assign(indexedDB.deleteDatabase(name), { onsuccess: resolve, onerror: reject, onblocked: reject }));
    }
  });
  await other.close();
  expect(await page.getByTestId('document-back').count()).toBe(1);
  await page.getByTestId('view-chat').click();
  await expect.poll(titles, SOON).toEqual([]);
  expect(await questions()).toEqual([FIRST, SECOND, THIRD]);
  await chat.ask(FIRST);
  await expect.poll(titles, SOON).toEqual([FIRST]);
  expect(await said()).toEqual([]);
});

test('for as long as nothing can be written the page says so, also when the error is dismissed; then it stops, and all is there', async () => {
  await page.evaluate(() => {
    const { put } = IDBObjectStore.prototype;
    const full = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    IDBObjectStore.prototype.put = full;
    Object.assign(window, { free: () => (IDBObjectStore.prototype.put = put) });
  });
  await chat.ask(SECOND);
  expect(await chat.error.getAttribute('data-code')).toBe('app-room');
  await chat.error.getByRole('button', { name: 'Dismiss' }).click();
  await unkept().waitFor();
  expect(await unkept().innerText()).toMatch(/no room left.*reload/);
  await chat.ask(THIRD);
  expect([await unkept().count(), await chat.error.count()]).toEqual([1, 0]);
  await page.evaluate(() => (window as unknown as { free: () => void }).free());
  // Without a word of the visitor's.
  await unkept().waitFor({ state: 'detached', timeout: 25_000 });
  const asked = await questions();
  await page.reload();
  await expect.poll(questions, SOON).toEqual(asked);
  await chat.backend.waitFor();
});

test('odd broadcasts on every channel, and odd messages to the service worker, change nothing', async () => {
  const before = { titles: await titles(), questions: await questions(), address: page.url() };
  const other = await elsewhere();
  await other.evaluate(async () => {
    const odd: unknown[] = [
      null, undefined, 0, -1, NaN, true, '', 'null', 'end', 'x'.repeat(100_000), [], ['end'], {}, { type: 'end' }, { type: 'end', how: 'paused' }, { type: 'ended', url: 5, how: 'paused' },
      { type: 'progress', url: 'x', progress: null }, { app: 'another project', type: 'pause' }, new Map(), new Date(NaN), new Blob(['x']), new Uint8Array(9), 7n, new Error('x'),
    ];
    for (const name of ['web-mamba weights', 'web-mamba-app: conversations', 'web-mamba', 'web-mamba-app']) {
      const channel = new BroadcastChannel(name);
      for (const each of odd) channel.postMessage(each);
    }
    for (const registration of await navigator.serviceWorker.getRegistrations()) for (const each of odd) registration.active?.postMessage(each);
    await new Promise((resolve) => setTimeout(resolve, 500));
  });
  await other.close();
  expect({ titles: await titles(), questions: await questions(), address: page.url() }).toEqual(before);
  expect([await chat.error.count(), await chat.backend.count(), await unkept().count()]).toEqual([0, 1, 0]);
  expect((await chat.ask(FIRST)).answer).not.toBe('');
});

test('they do not end a download either, and two copies of the page under two paths, one below the other, keep their files apart', async () => {
  site.slow('/slow.gguf');
  const copy = new ChatPage(await browser.newPage());
  await copy.page.goto(`${site.url}copy/`);
  await copy.backend.waitFor();
  // What is made in one is in the other: they share the database.
  await expect.poll(() => copy.page.getByTestId('chats').locator('.chat-title').allInnerTexts(), SOON).toEqual(await titles());
  const names = () => page.evaluate(() => caches.keys());
  await expect.poll(async () => (await names()).sort(), { timeout: 60_000 }).toEqual(['web-mamba-page /', 'web-mamba-page /copy/']);
  await page.goto(`${site.url}?model=slow.gguf`);
  await page.getByTestId('pause').waitFor();
  const url = `${site.url}slow.gguf`;
  await copy.page.evaluate(async (model) => {
    const channel = new BroadcastChannel('web-mamba weights');
    for (const odd of [null, 1, 'end', {}, { type: 'end', url: model }, { type: 'ended', url: model, how: 'stopped' }, { type: 'pause', url: model, how: 'paused' }]) channel.postMessage(odd);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }, url);
  expect([await page.getByTestId('pause').count(), await chat.error.count()]).toEqual([1, 0]);
  await page.getByTestId('discard').click();
  await page.getByText('No model is loaded').waitFor();
  await copy.page.close();
});

test('an import that failed is no longer said once one has succeeded', async () => {
  await page.getByTestId('import-chats').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('import-file');
  await page.getByTestId('import-chats').setInputFiles(savedConversations({ Brought: [['a', 'b']] }));
  await chat.error.waitFor({ state: 'detached' });
  expect(await titles()).toContain('Brought');
});

test('the console is clean', () => expect(complaints).toEqual([]));
