/** What a first visit says of the small model that it opens: what it is for, what to ask it, and what it is not up to. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS, ROOT } from './folders';
import { withPage } from './opened';
import { Site } from './site';

const [MODEL] = JSON.parse(readFileSync(path.join(ROOT, 'web/models.json'), 'utf8')) as { name: string; goodFor: string; prompts: string[] }[];
const site = new Site(DIST);
site.mount('/golden/', GOLDEN_MODELS);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;
withPage(site, {}, complaints, (opened) => ({ chat, page } = opened), '');

test('the first page says in one line what the model is for, and suggests what was tried with it', async () => {
  const line = page.getByTestId('good-for');
  expect(await line.innerText()).toBe(MODEL?.goodFor);
  expect(await line.evaluate((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return new Set([...range.getClientRects()].map(({ top }) => top)).size;
  })).toBe(1);
  expect(await page.getByTestId('suggestion').allInnerTexts()).toEqual(MODEL?.prompts);
  await picture(page, 'first-answer');
});

test('a suggestion is answered', async () => {
  await page.getByTestId('suggestion').first().click();
  await chat.stats.first().waitFor();
  expect(await page.getByTestId('message-user').innerText()).toBe(MODEL?.prompts[0]);
  expect((await chat.answers.innerText()).length).toBeGreaterThan(40);
});

test('in a role, which would make something else of them, nothing is suggested', async () => {
  await page.getByTestId('new-chat').click();
  await page.getByTestId('suggestion').first().waitFor();
  await page.getByTestId('settings').click();
  expect(await page.getByTestId('no-roles').innerText()).toContain('web-mamba demo 31M v2 does not do as a role says');
  await page.getByTestId('preset-translator').check();
  await page.keyboard.press('Escape');
  await page.getByTestId('suggestion').first().waitFor({ state: 'detached' });
  await page.getByTestId('settings').click();
  await page.getByTestId('preset-assistant').check();
  await page.keyboard.press('Escape');
  await page.getByTestId('suggestion').first().waitFor();
});

test('the documents say as plainly that it is not up to summaries, and which models are', async () => {
  await page.getByTestId('view-documents').click();
  const note = page.getByTestId('document-limits');
  expect(await note.innerText()).toMatch(/^web-mamba demo 31M v2 is not up to summaries.* choose RWKV-7 G1 .*Falcon3-Mamba-7B-Instruct.*Falcon-Mamba-7B-Instruct/);
  await picture(page, 'documents-limits');
  await page.getByTestId('document-choose-model').click();
  await page.getByTestId('catalogue').waitFor();
  await page.keyboard.press('Escape');
});

test('of a model that nobody here knows, nothing of this is said', async () => {
  await page.goto(`${site.url}?model=golden/falcon-tiny-Q4_K_M.gguf`);
  await chat.backend.waitFor();
  for (const id of ['good-for', 'limits', 'suggestion']) expect(await page.getByTestId(id).count(), id).toBe(0);
  await page.getByTestId('view-documents').click();
  await page.getByTestId('document-file').waitFor({ state: 'attached' });
  expect(await page.getByTestId('document-limits').count()).toBe(0);
});

test('the console is clean', () => expect(complaints).toEqual([]));
