/** A visitor's way through the page, with WebGPU on a software adapter; the tests follow on one another. */
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenFor, newProfile, openBrowser, picture, storedRows } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

const MODEL = '/models/web-mamba-demo-31m-v2-q4_k_m.gguf';
/** Requests that the model takes: one for each of its chunks of 16 MiB. */
const CHUNKS = 2;
const site = new Site(DIST);
const profile = newProfile();
let browser: BrowserContext;
let chat: ChatPage;
const strangers: string[] = [];
const complaints: string[] = [];

async function visit(query = ''): Promise<void> {
  chat = new ChatPage(await browser.newPage());
  chat.page.on('request', (request) => !request.url().startsWith(site.url) && strangers.push(request.url()));
  listenFor(complaints, chat.page);
  await chat.page.goto(site.url + query);
}

beforeAll(async () => {
  await site.start();
  browser = await openBrowser({ profile });
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

test('a first visit shows the download, says where the model runs, and chats while words appear', async () => {
  await visit('?backend=webgpu');
  await chat.progress.waitFor();
  await picture(chat.page, 'first-visit');
  await chat.backend.waitFor();
  expect(await chat.progress.count()).toBe(0);
  expect(await chat.backend.innerText()).toMatch(/^WebGPU · .+ — .{5,}/);
  const { answer, lengths } = await chat.ask('How do I make a cup of tea?');
  console.log(`backend: ${await chat.backend.innerText()}\nanswer: ${answer}\nfigures: ${await chat.stats.last().innerText()}`);
  expect(answer.length).toBeGreaterThan(20);
  expect(new Set(lengths.filter((length) => length > 0)).size).toBeGreaterThan(3);
  expect(site.hits.get(MODEL)).toBe(CHUNKS);
});

test('a second question carries the chat on', async () => {
  await chat.ask('Why is the sky blue?');
  expect(await chat.page.getByTestId('message-user').count()).toBe(2);
  expect(await chat.answers.count()).toBe(2);
  expect((await chat.answers.last().innerText()).length).toBeGreaterThan(10);
});

test('the stop button ends an answer early and keeps its words', async () => {
  await chat.input.fill('Tell me a long story about a brave mouse and a lion.');
  await chat.send.click();
  await chat.answerGrowsTo(12);
  await chat.stop.click();
  await chat.stats.nth(2).waitFor();
  expect(await chat.stats.last().innerText()).toContain('stopped');
  const kept = await chat.answers.last().innerText();
  await chat.page.waitForTimeout(500);
  expect(await chat.answers.last().innerText()).toBe(kept);
});

test('the keyboard alone is enough: Shift+Enter breaks a line, Enter sends, Escape stops', async () => {
  await chat.page.getByTestId('new-chat').click();
  await chat.page.getByTestId('suggestion').first().waitFor();
  expect(await chat.answers.count()).toBe(0);
  await chat.input.focus();
  await chat.page.keyboard.type('Tell me a story');
  await chat.page.keyboard.press('Shift+Enter');
  await chat.page.keyboard.type('about a fox.');
  await chat.page.keyboard.press('Enter');
  expect(await chat.page.getByTestId('message-user').innerText()).toBe('Tell me a story\nabout a fox.');
  expect(await chat.input.inputValue()).toBe('');
  await chat.answerGrowsTo(5);
  await chat.page.keyboard.press('Escape');
  await chat.stats.first().waitFor();
  expect(await chat.stats.last().innerText()).toContain('stopped');
});

test('a reload needs no download', async () => {
  // From here on upon the CPU, where a model is soon there.
  await chat.page.goto(`${site.url}?backend=cpu`);
  await chat.page.reload();
  await chat.backend.waitFor();
  expect(await chat.askForSomeWords('How do I make a cup of tea?')).not.toBe('');
  expect(site.hits.get(MODEL)).toBe(CHUNKS);
});

test('with the model gone from the server, a later visit still chats', async () => {
  site.lose(MODEL);
  await browser.close();
  browser = await openBrowser({ profile });
  await visit('?backend=cpu');
  expect(await chat.askForSomeWords('Why is the sky blue?')).not.toBe('');
  expect(site.hits.get(MODEL)).toBe(CHUNKS);
  expect((await storedRows(chat.page)).models).toBe(1);
});

test('?backend=cpu is obeyed, and its reason is said', async () => {
  await visit('?backend=cpu');
  await chat.backend.waitFor();
  expect(await chat.backend.getAttribute('data-backend')).toBe('cpu');
  expect(await chat.backend.locator('.reason').innerText()).not.toBe('');
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
});

test('nothing was asked of other servers, and the console is clean', () => {
  expect(strangers).toEqual([]);
  expect(complaints).toEqual([]);
});
