/** The page with saved states: `?state=`, the button that shares one, and what a visitor sees of a lost device. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { BrowserContext } from 'playwright-core';
import { expect, test } from 'vitest';
import { openBrowser, picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS } from './folders';
import { loseDevice, makeLosable } from './lost-device';
import { withBrowser } from './opened';
import { Site } from './site';

const site = new Site(DIST);
site.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;

withBrowser(site, { acceptDownloads: true }, (opened) => (browser = opened));

async function visit(query: string): Promise<ChatPage> {
  const page = await browser.newPage();
  await page.goto(`${site.url}?${query}`);
  return new ChatPage(page);
}

/** Tokens of each checkpoint that the page keeps. */
function kept({ page }: ChatPage): Promise<number[]> {
  return page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('web-mamba');
      request.onsuccess = () => resolve(request.result);
    });
    const all = await new Promise<{ length: number }[]>((resolve) => {
      const request = database.transaction('checkpoints').objectStore('checkpoints').getAll();
      request.onsuccess = () => resolve(request.result);
    });
    database.close();
    return all.map(({ length }) => length).sort((a, b) => a - b);
  });
}

test('the page begins from a state that has read a manual, and shares where it has come', async () => {
  const chat = await visit('backend=cpu&state=states/kettle-helper.state');
  await chat.backend.waitFor();
  const { answer } = await chat.ask('How do I clean the kettle?');
  expect(answer).not.toBe('');
  expect(await chat.error.count()).toBe(0);
  // The manual, and the end of the answer, which begins with it.
  const positions = await kept(chat);
  expect(positions[0]).toBe(363);
  expect(positions).toHaveLength(2);
  await picture(chat.page, 'shared-state');
  const [download] = await Promise.all([chat.page.waitForEvent('download'), chat.page.getByTestId('share-state').click()]);
  expect(download.suggestedFilename()).toBe('web-mamba demo 31M v2.state');
  const file = readFileSync(await download.path());
  const plain = gunzipSync(file);
  expect(plain.subarray(0, 8)).toEqual(Buffer.from('\x93MSTATE\n', 'latin1'));
  console.log(`shared: ${file.length} bytes, ${plain.length} unpacked`);
  site.give('/friend.state', file);
  await chat.page.close();

  const friend = await visit(`backend=cpu&state=${encodeURIComponent(`${site.url}friend.state`)}`);
  await friend.backend.waitFor();
  await friend.page.getByTestId('message-user').getByText('How do I clean the kettle?').waitFor();
  expect((await friend.answers.last().innerText()).trim()).toBe(answer);
  expect((await friend.ask('Thank you.')).answer).not.toBe('');
  await friend.page.close();
});

test('a question that is asked while the state is still coming waits for it', async () => {
  let come = (): void => undefined;
  const coming = new Promise<void>((resolve) => (come = resolve));
  site.answer('/slow.state', (_, response) => void coming.then(() => response.end(sample())));
  const chat = await visit('backend=cpu&state=slow.state');
  await chat.backend.waitFor();
  await chat.input.fill('How do I clean the kettle?');
  await chat.send.click();
  await chat.page.getByText('Waiting for the saved memory').waitFor();
  expect(await chat.answers.last().innerText()).toBe('');
  come();
  await chat.stats.last().waitFor();
  await chat.page.getByTestId('figures').click();
  // The manual has 363 tokens: they come before the question.
  const [, position] = /^\s*(\d+) of/.exec(await chat.page.getByTestId('figure-position').innerText()) ?? [];
  expect(Number(position)).toBeGreaterThan(363);
  await chat.page.close();
});

test.each([
  ['another-model.state', 'state-model', () => spoiltHash()],
  ['cut.state', 'state-damaged', () => sample().subarray(0, 100_000)],
  ['page.state', 'not-state', () => Buffer.from('<!doctype html>')],
  ['absent.state', 'http-status', undefined],
])('%s is refused, and the page chats without it', async (name, code, bytes) => {
  if (bytes) site.give(`/${name}`, bytes());
  const chat = await visit(`backend=cpu&state=${name}`);
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe(code);
  await chat.backend.waitFor();
  expect((await chat.ask('How do I make a cup of tea?')).answer).not.toBe('');
  await chat.page.close();
});

function sample(): Buffer {
  return readFileSync(path.join(DIST, 'states/kettle-helper.state'));
}

/** As if another model had made it: the whole file is sound otherwise, which only an engine can write, so the tiny model does. */
function spoiltHash(): Buffer {
  return readFileSync(path.join(GOLDEN_MODELS, '../states/mamba-tiny.state'));
}

test('the visitor of a lost device sees one sentence, and the answer goes on', async () => {
  // A service worker would bring the page's worker past the test's hook.
  const plain = await openBrowser({ serviceWorkers: 'block' });
  const page = await plain.newPage();
  await makeLosable(page);
  await page.goto(`${site.url}?backend=webgpu&model=${encodeURIComponent(`${site.url}golden/falcon-tiny-Q4_K_M.gguf`)}`);
  const chat = new ChatPage(page);
  await chat.backend.waitFor();
  await chat.input.fill('Once upon a time');
  await chat.send.click();
  await chat.answerGrowsTo(10);
  await loseDevice(page);
  await page.getByTestId('rebuilding').waitFor();
  await picture(page, 'rebuilding');
  const before = (await chat.answers.last().textContent())?.trim().length ?? 0;
  await page.getByTestId('rebuilding').waitFor({ state: 'detached' });
  await chat.answerGrowsTo(before + 10);
  expect(await chat.error.count()).toBe(0);
  await chat.stop.click();
  await chat.stats.last().waitFor();
  await plain.close();
});
