/** Whoever keeps an earlier version of the demo model has it as before, comes to no download unasked, and is offered the new one. */
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { listenFor, picture, storedRows } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

const OLD = 'models/web-mamba-demo-31m-q4_k_m.gguf';
const NEW = 'models/web-mamba-demo-31m-v2-q4_k_m.gguf';
const [OLD_NAME, NEW_NAME] = ['web-mamba demo 31M', 'web-mamba demo 31M v2'];
/** Requests that the model takes: one for each of its chunks of 16 MiB. */
const CHUNKS = 2;

const site = new Site(DIST);
const complaints: string[] = [];
let browser: BrowserContext;
withBrowser(site, { webgpu: false, viewport: { width: 1200, height: 900 } }, (opened) => (browser = opened));

async function visit(query = ''): Promise<ChatPage> {
  const chat = new ChatPage(await browser.newPage());
  chat.page.setDefaultTimeout(60_000);
  listenFor(complaints, chat.page);
  await chat.page.goto(site.url + query);
  return chat;
}

/** Puts what is kept of the model under the address and the name that the earlier version had: no clone carries that version's file. */
function makeEarlier(page: Page): Promise<void> {
  return page.evaluate(async ([from, to, name]) => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('web-mamba');
      request.onsuccess = () => resolve(request.result);
    });
    const transaction = database.transaction(['models', 'chunks'], 'readwrite');
    const [models, chunks] = ['models', 'chunks'].map((store) => transaction.objectStore(store)) as [IDBObjectStore, IDBObjectStore];
    const got = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)));
    const record = await got(models.get(from)) as { parts: object[] };
    models.put({ ...record, url: to, name, origin: { kind: 'address', name, urls: [to] }, parts: record.parts.map((part) => ({ ...part, url: to, name: 'web-mamba-demo-31m-q4_k_m.gguf' })) });
    models.delete(from);
    for (const [, part, index] of await got(chunks.getAllKeys()) as [string, number, number][]) {
      chunks.put(await got(chunks.get([from, part, index])), [to, part, index]);
      chunks.delete([from, part, index]);
    }
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
  }, [site.url + NEW, site.url + OLD, OLD_NAME] as const);
}

const picker = (chat: ChatPage, name: string) =>
  chat.page.waitForFunction((wanted) => document.querySelector('.picker-name')?.textContent === wanted, name);

test('a visit that names no model opens it without a download, chats, and offers the new one', async () => {
  const first = await visit();
  await first.backend.waitFor();
  await picker(first, NEW_NAME);
  expect(await first.page.getByTestId('newer').count()).toBe(0);
  await makeEarlier(first.page);
  await first.page.close();
  expect(site.hits.get(`/${NEW}`)).toBe(CHUNKS);

  const chat = await visit();
  await chat.backend.waitFor();
  await picker(chat, OLD_NAME);
  expect(new URL(chat.page.url()).search).toBe('');
  const newer = chat.page.getByTestId('newer');
  expect(await newer.innerText()).toMatch(new RegExp(`${NEW_NAME}[\\s\\S]*20\\.4 MB to download`));
  expect(await chat.page.getByTestId('suggestion').count()).toBe(0);
  await picture(chat.page, 'earlier-version');
  await chat.page.getByTestId('view-documents').click();
  expect(await chat.page.getByTestId('document-limits').innerText()).toContain(`${OLD_NAME} is not up to summaries`);
  await chat.page.getByTestId('view-chat').click();
  await chat.page.getByTestId('model-picker').click();
  const row = chat.page.getByTestId('stored').locator('li', { hasText: OLD_NAME });
  expect(await row.innerText()).toContain(`an earlier version: ${NEW_NAME} has taken its place`);
  expect(await chat.page.getByTestId('catalogue').innerText()).not.toMatch(/demo 31M\s*\n\s*The first version/);
  await chat.page.keyboard.press('Escape');
  expect((await chat.ask('How do I make a cup of tea?')).answer).not.toBe('');
  expect([site.hits.get(`/${OLD}`), site.hits.get(`/${NEW}`)]).toEqual([undefined, CHUNKS]);
  await chat.page.close();
});

test('the new one comes when the visitor asks for it, is opened from then on, and the earlier one stays in the list', async () => {
  const chat = await visit();
  const { page } = chat;
  await page.getByTestId('newer-get').click();
  await picker(chat, NEW_NAME);
  await chat.backend.waitFor();
  expect(site.hits.get(`/${NEW}`)).toBe(2 * CHUNKS);
  expect(await page.getByTestId('newer').count()).toBe(0);
  expect(await storedRows(page)).toEqual({ chunks: 2 * CHUNKS, models: 2 });
  await page.goto(site.url);
  await chat.backend.waitFor();
  await picker(chat, NEW_NAME);
  await page.getByTestId('model-picker').click();
  await page.getByTestId('stored').locator('li', { hasText: 'an earlier version' }).locator('.model').click();
  await picker(chat, OLD_NAME);
  await chat.backend.waitFor();
  // It need not be downloaded any more.
  expect(await page.getByTestId('newer').innerText()).toContain('It is kept in this browser already.');
  await page.close();
});

test('its old address opens the copy, and says what has taken its place once that is deleted', async () => {
  const chat = await visit(`?model=${OLD}`);
  const { page } = chat;
  await chat.backend.waitFor();
  await picker(chat, OLD_NAME);
  await page.goto(site.url);
  await chat.backend.waitFor();
  await page.getByTestId('model-picker').click();
  const row = page.getByTestId('stored').locator('li', { hasText: 'an earlier version' });
  await row.getByTestId('remove-model').click();
  await row.getByTestId('remove-confirm').click();
  await row.waitFor({ state: 'detached' });
  await page.goto(`${site.url}?model=${OLD}`);
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('replaced');
  expect(await chat.error.innerText()).toContain(`${OLD_NAME} is no longer on this server: ${NEW_NAME} has taken its place.`);
  expect(await chat.error.getByRole('button', { name: 'Try again' }).count()).toBe(0);
  await page.getByTestId('get-newer').click();
  await chat.backend.waitFor();
  await picker(chat, NEW_NAME);
  expect(new URL(page.url()).search).toBe('');
  expect([site.hits.get(`/${OLD}`), site.hits.get(`/${NEW}`)]).toEqual([undefined, 2 * CHUNKS]);
});

test('the console is clean', () => expect(complaints).toEqual([]));
