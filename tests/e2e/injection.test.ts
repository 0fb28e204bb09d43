/** Hundreds of texts that try to run code or to load something, wherever the page shows what it was given, with its real policy on: none does. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import type { Browser, ElementHandle, Page as FirefoxPage } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ChatPage } from './chat-page';
import { EVERY_ROUND } from './every-round';
import { FIREFOX, openFirefox } from './firefox-browser';
import { DIST, GOLDEN_MODELS } from './folders';
import { withMetadata } from './gguf-metadata';
import { FOUND, INJECTIONS, WATCH } from './injections';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { scriptedModel } from './scripted-model';
import { Site } from './site';

const site = new Site(DIST);
const complaints: string[] = [];
const strangers: string[] = [];
let chat: ChatPage;
let page: Page;

/** The page asks nobody else than its own server, and the hub for what the models of its list are. */
const isStrange = (url: string) => !url.startsWith(site.url) && !url.startsWith('https://huggingface.co/api/') && !/^(data|blob):/.test(url);

/** As names, of which a list takes one line each. */
const NAMES = INJECTIONS.filter((_, index) => index % 9 === 0).map((text) => text.replaceAll('\n', ' '));
/** In a conversation whose questions and answers are all of them, beside some that have them for titles. */
const said: [title: string, turns: [string, string][]][] = [['All', INJECTIONS.map((text) => [text, text])], ...NAMES.map((name): [string, [string, string][]] => [name, [[name, name]]])];
const conversations = savedConversations(Object.fromEntries(said));
/** With words before them, since what elements take for their own is no text of a page's. */
const whole = `A text.\n\n${INJECTIONS.join('\n\n')}`;
const html = `<p>A text.</p>${INJECTIONS.join('\n')}`;

withPage(site, {}, complaints, async (opened) => {
  ({ chat, page } = opened);
  await page.addInitScript(WATCH);
  page.on('request', (request) => isStrange(request.url()) && strangers.push(request.url()));
  page.setDefaultTimeout(20_000);
  await page.goto(`${site.url}?backend=cpu`);
  await chat.backend.waitFor();
});

/** After each place that was tried. */
afterEach(async ({ task }) => {
  if (task.suite?.name === 'Firefox') return;
  expect(await page.evaluate(FOUND)).toEqual([]);
  expect(strangers).toEqual([]);
});

test('there are three hundred of them', () => expect(INJECTIONS.length).toBeGreaterThanOrEqual(300));

test('as questions, as answers and as titles of imported conversations', async () => {
  await page.getByTestId('import-chats').setInputFiles(conversations);
  await page.getByTestId('chats').getByText('All', { exact: true }).click();
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid=message-assistant]').length === count, INJECTIONS.length);
  // Highlighters, formulas and whatever else comes when it is needed.
  await chat.answers.last().scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.querySelector('.formula > :is(math, code)') !== null);
  for (const name of NAMES.slice(0, 10)) {
    await page.getByTestId('chat-search').fill(name);
    await page.waitForTimeout(50);
  }
  await page.getByTestId('chat-search').fill('');
});

test('as names and as texts of documents', async () => {
  await page.getByTestId('view-documents').click();
  const named = NAMES.slice(0, 12).map((name) => ({ name: `${name.replaceAll('/', '∕')}.txt`, mimeType: '', buffer: Buffer.from(`A text.\n\n${name}`) }));
  const kinds = Object.entries({ txt: whole, md: whole, html }).map(([kind, text]) => ({ name: `all.${kind}`, mimeType: '', buffer: Buffer.from(text) }));
  for (const file of [...named, ...kinds]) {
    await page.getByTestId('document-file').setInputFiles(file);
    await page.getByTestId('document-facts').waitFor();
    await page.getByTestId('tab-text').click();
    await page.getByTestId('document-full-text').locator('p').first().waitFor({ state: 'attached' });
    await page.waitForTimeout(30);
    expect(await page.evaluate(FOUND), file.name).toEqual([]);
    await page.getByTestId('document-back').click();
  }
  await page.getByTestId('view-chat').click();
});

test('as names of models and of their files, and in what their templates refuse with', async () => {
  const good = readFileSync(path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf'));
  for (const name of NAMES.slice(12, 20)) {
    const template = `{{ raise_exception(${JSON.stringify(name)}) }}`;
    const buffer = withMetadata(good, { 'general.name': { string: name }, 'tokenizer.chat_template': { string: template } });
    await page.getByTestId('model-picker').click();
    await page.getByTestId('model-file').setInputFiles({ name: `${name.replaceAll('/', '∕')}.gguf`, mimeType: '', buffer });
    await page.waitForFunction((shown) => document.querySelector('[data-testid=model-picker]')?.textContent?.includes(shown), name.slice(0, 8).trim());
    await chat.backend.waitFor();
    await page.getByTestId('side-new-chat').click();
    await chat.input.fill('Hello');
    await chat.send.click();
    // A template that refuses leaves the words as they are.
    await chat.answers.last().waitFor();
    await page.getByTestId('stop').click({ timeout: 1000 }).catch(() => undefined);
    await chat.send.waitFor();
    expect(await page.evaluate(FOUND), name).toEqual([]);
  }
});

test('in addresses', async () => {
  for (const [index, text] of NAMES.entries()) {
    const member = ['model', 'state', 'view', 'chat'][index % 4] as string;
    if (!EVERY_ROUND && index > 12) break;
    await page.goto(`${site.url}?${new URLSearchParams({ backend: 'cpu', [member]: text })}`);
    await page.getByTestId('chat-input').waitFor({ state: 'attached' });
    await page.waitForTimeout(30);
    expect(await page.evaluate(FOUND), `${member}=${text}`).toEqual([]);
  }
});

test('as what a model writes, word by word', async () => {
  // Each is a token: the vocabulary has room for nine, of 256 bytes at most.
  const pieces = Array.from({ length: 9 }, () => '');
  for (const text of INJECTIONS.filter((each) => !/[^\x20-\x7e\n]/.test(each)).filter((_, index) => index % 5 === 0)) {
    const place = pieces.findIndex((piece) => piece.length + text.length < 250);
    if (place >= 0) pieces[place] += `${text}\n\n`;
  }
  site.give('/writer.gguf', scriptedModel({ thought: ['A thought.', '\n\nIt ends.\n'], answer: pieces }));
  await page.goto(`${site.url}?${new URLSearchParams({ backend: 'cpu', workers: '1', model: 'writer.gguf' })}`);
  await chat.backend.waitFor();
  await chat.input.fill('Write.');
  await chat.send.click();
  await chat.stats.last().waitFor({ state: 'attached' });
  expect((await chat.answers.last().innerText()).length).toBeGreaterThan(500);
});

test('the console is clean', () => expect(complaints).toEqual([]));

describe.skipIf(FIREFOX === '')('Firefox', () => {
  let firefox: Browser;
  let visit: FirefoxPage;
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-injection-'));
  const upload = async (id: string, name: string, bytes: Buffer) => {
    const file = path.join(folder, name);
    writeFileSync(file, bytes);
    const input = (await visit.waitForSelector(`[data-testid=${id}]`)) as ElementHandle<HTMLInputElement>;
    await input.uploadFile(file);
  };
  beforeAll(async () => {
    firefox = await openFirefox();
    visit = await firefox.newPage();
    visit.setDefaultTimeout(60_000);
    await visit.evaluateOnNewDocument(WATCH);
    visit.on('request', (request) => isStrange(request.url()) && strangers.push(request.url()));
    await visit.goto(`${site.url}?backend=cpu`);
    await visit.waitForSelector('[data-testid=backend]', { visible: true });
  });
  afterAll(() => firefox?.close());

  test('as questions, as answers and as titles', async () => {
    await upload('import-chats', conversations.name, conversations.buffer);
    await visit.waitForFunction(() => [...document.querySelectorAll('[data-testid=chats] *')].some((each) => each.children.length === 0 && each.textContent?.trim() === 'All'));
    await visit.evaluate(() => {
      const title = [...document.querySelectorAll<HTMLElement>('[data-testid=chats] *')].find((each) => each.children.length === 0 && each.textContent?.trim() === 'All');
      title?.click();
    });
    await visit.waitForFunction((count) => document.querySelectorAll('[data-testid=message-assistant]').length === count, {}, INJECTIONS.length);
    await visit.waitForFunction(() => document.querySelector('.formula > math, .formula > code') !== null);
    expect(await visit.evaluate(FOUND)).toEqual([]);
    expect(strangers).toEqual([]);
  });

  test('as the text of a document', async () => {
    await visit.evaluate(() => document.querySelector<HTMLElement>('[data-testid=view-documents]')?.click());
    await upload('document-file', 'all.html', Buffer.from(html));
    await visit.waitForSelector('[data-testid=document-facts]');
    await visit.evaluate(() => document.querySelector<HTMLElement>('[data-testid=tab-text]')?.click());
    await visit.waitForSelector('[data-testid=document-full-text] p');
    expect(await visit.evaluate(FOUND)).toEqual([]);
    expect(strangers).toEqual([]);
  });
});
