/** A document is read once: every question and every kind of summary starts from what was read, also after a reload, until it is deleted. */
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenFor, openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

/** A question and what is around it. */
const QUESTION_TOKENS = 60;
const TEXT = Array.from({ length: 20 }, (_, line) => `In year ${line + 1} the keeper of lamp ${line * 7} wrote ${line * 3} letters to the harbour.`).join('\n\n');

const site = new Site(DIST);
const complaints: string[] = [];
let browser: BrowserContext;
let chat: ChatPage;
let page: Page;
let documentTokens: number;

beforeAll(async () => {
  await site.start();
  browser = await openBrowser({ webgpu: false, viewport: { width: 1200, height: 800 } });
  chat = new ChatPage(await browser.newPage());
  page = chat.page;
  page.setDefaultTimeout(40_000);
  listenFor(complaints, page);
  await page.goto(`${site.url}?view=documents`);
  await chat.backend.waitFor();
  await page.getByTestId('document-file').setInputFiles({ name: 'lamps.txt', mimeType: '', buffer: Buffer.from(TEXT) });
  await page.waitForFunction(() => / tokens/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
  documentTokens = Number(/([\d,]+) tokens/.exec(await page.getByTestId('document-facts').innerText())?.[1]?.replace(',', ''));
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

/** Tokens that were read, and that were known. */
function figures(text: string): { read: number; known: number } {
  const [, read = '', known = '0'] = /([\d,]+) tokens read(?:, ([\d,]+) known)?/.exec(text) ?? [];
  return { read: Number(read.replace(',', '')), known: Number(known.replace(',', '')) };
}

async function ask(question: string): Promise<{ read: number; known: number }> {
  await page.getByTestId('tab-questions').click();
  const before = await page.getByTestId('answer-figures').count();
  await page.getByTestId('document-question').fill(question);
  await page.getByTestId('document-ask').click();
  const answered = page.getByTestId('answer-figures').nth(before);
  await answered.waitFor();
  return figures(await answered.innerText());
}

async function summarise(style: string): Promise<{ read: number; known: number }> {
  await page.getByTestId('tab-summary').click();
  const before = await page.getByTestId('summary-figures').count();
  await page.getByTestId(`style-${style}`).check({ force: true });
  await page.getByTestId('summarise').click();
  await page.getByTestId('summary-figures').nth(before).waitFor();
  return figures(await page.getByTestId('summary-figures').first().innerText());
}

const states = () => page.evaluate(async () => {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('web-mamba');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const count = await new Promise<number>((resolve) => {
    const request = database.transaction('checkpoints').objectStore('checkpoints').count();
    request.onsuccess = () => resolve(request.result);
  });
  database.close();
  return count;
});

/** What every prompt begins with is the document, but for the few tokens around it that may join with what follows. */
function startsFromTheDocument({ read, known }: { read: number; known: number }): void {
  expect(known).toBeGreaterThan(documentTokens - 8);
  expect(read).toBeLessThan(QUESTION_TOKENS);
}

test('the second question, and each kind of summary, read only what is new', async () => {
  expect(documentTokens).toBeGreaterThan(300);
  const first = await ask('Who wrote 9 letters?');
  expect(first.known).toBe(0);
  expect(first.read).toBeGreaterThan(documentTokens);
  const second = await ask('What happened in year 7?');
  startsFromTheDocument(second);
  const [short, bullets] = [await summarise('short'), await summarise('bullets')];
  [short, bullets].forEach(startsFromTheDocument);
  console.log(`a document of ${documentTokens} tokens: ${[first, second, short, bullets].map(({ read }) => read).join(', ')} read for two questions and two summaries`);
});

test('so they do after a reload', async () => {
  await page.reload();
  await chat.backend.waitFor();
  startsFromTheDocument(await ask('Which lamp had letters in year 3?'));
  startsFromTheDocument(await summarise('facts'));
});

test('with the document, its states are deleted', async () => {
  expect(await states()).toBeGreaterThan(0);
  await page.getByTestId('document-back').click();
  await page.getByTestId('document-delete').click();
  await page.getByTestId('document-delete-confirm').click();
  await expect.poll(states).toBe(0);
});

test('the console is clean', () => expect(complaints).toEqual([]));
