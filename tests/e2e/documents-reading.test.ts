/** A document is read once: every question and every kind of summary starts from what was read, also after a reload, until it is deleted. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { documentTokens, readFigures, startsFromTheDocument, type ReadFigures } from './read-figures';
import { Site } from './site';

const TEXT = Array.from({ length: 20 }, (_, line) => `In year ${line + 1} the keeper of lamp ${line * 7} wrote ${line * 3} letters to the harbour.`).join('\n\n');

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;
let tokens: number;

withPage(site, {}, complaints, async (opened) => {
  ({ chat, page } = opened);
  await page.getByTestId('document-file').setInputFiles({ name: 'lamps.txt', mimeType: '', buffer: Buffer.from(TEXT) });
  tokens = await documentTokens(page);
}, '?view=documents');

async function ask(question: string): Promise<ReadFigures> {
  await page.getByTestId('tab-questions').click();
  const before = await page.getByTestId('answer-figures').count();
  await page.getByTestId('document-question').fill(question);
  await page.getByTestId('document-ask').click();
  const answered = page.getByTestId('answer-figures').nth(before);
  await answered.waitFor();
  return readFigures(await answered.innerText());
}

async function summarise(style: string): Promise<ReadFigures> {
  await page.getByTestId('tab-summary').click();
  const before = await page.getByTestId('summary-figures').count();
  await page.getByTestId(`style-${style}`).check({ force: true });
  await page.getByTestId('summarise').click();
  await page.getByTestId('summary-figures').nth(before).waitFor();
  return readFigures(await page.getByTestId('summary-figures').first().innerText());
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

test('the second question, and each kind of summary, read only what is new', async () => {
  expect(tokens).toBeGreaterThan(300);
  const first = await ask('Who wrote 9 letters?');
  expect(first.known).toBe(0);
  expect(first.read).toBeGreaterThan(tokens);
  const second = await ask('What happened in year 7?');
  startsFromTheDocument(second, tokens);
  const [short, bullets] = [await summarise('short'), await summarise('bullets')];
  [short, bullets].forEach((figures) => startsFromTheDocument(figures, tokens));
  console.log(`a document of ${tokens} tokens: ${[first, second, short, bullets].map(({ read }) => read).join(', ')} read for two questions and two summaries`);
});

test('so they do after a reload', async () => {
  await page.reload();
  await chat.backend.waitFor();
  startsFromTheDocument(await ask('Which lamp had letters in year 3?'), tokens);
  startsFromTheDocument(await summarise('facts'), tokens);
});

test('with the document, its states are deleted', async () => {
  expect(await states()).toBeGreaterThan(0);
  await page.getByTestId('document-back').click();
  await page.getByTestId('document-delete').click();
  await page.getByTestId('document-delete-confirm').click();
  await expect.poll(states).toBe(0);
});

test('the console is clean', () => expect(complaints).toEqual([]));
