/** What a visitor does with downloads and kept models: pause, go on, cancel, accept a licence, verify, save as a file, delete. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Route } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, picture, storedRows } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS } from './folders';
import { Origin } from '../../web/test/origin';
import { Site } from './site';

const DEMO = path.join(DIST, 'models/web-mamba-demo-31m-v2-q4_k_m.gguf');
const SMALL = path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf');
const site = new Site(DIST);
const origin = new Origin({ cors: true });
let browser: BrowserContext;

beforeAll(async () => {
  await Promise.all([site.start(), origin.start()]);
  origin.files.set('/slow.gguf', readFileSync(DEMO));
  browser = await openBrowser({ webgpu: false, acceptDownloads: true });
  // Without the picker, which no test can press, a file is saved as browsers without one save it.
  await browser.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([site.stop(), origin.stop()]);
});

async function visit(model: string): Promise<ChatPage> {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(`${site.url}?model=${encodeURIComponent(model)}`);
  if (model.startsWith(origin.url)) await chat.acceptLink();
  return chat;
}

test('a download is paused, survives a reload, goes on where it was, and the model answers', async () => {
  origin.delay = 10;
  const chat = await visit(`${origin.url}slow.gguf`);
  const { page } = chat;
  // The first chunk has 16.8 MB.
  await page.waitForFunction(() => Number(/^(1[7-9]|20)\.\d MB/.exec(document.querySelector('.amount')?.textContent ?? '')?.[1]) >= 17);
  expect(await chat.progress.innerText()).toMatch(/Downloading slow.*MB of 20\.4 MB/s);
  await page.getByTestId('pause').click();
  await page.getByTestId('resume').waitFor();
  expect(await chat.error.count()).toBe(0);
  expect(await storedRows(page)).toEqual({ chunks: 1, models: 1 });
  await picture(page, 'paused');
  origin.delay = 0;
  origin.sent = 0;
  await page.reload();
  await chat.backend.waitFor();
  expect(origin.sent).toBe(20_374_400 - 16 * 1024 * 1024);
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
  await page.close();
});

test('a download that is cancelled leaves nothing behind', async () => {
  origin.delay = 20;
  const chat = await visit(`${origin.url}slow.gguf?cancel`);
  await chat.page.getByTestId('discard').click();
  await chat.page.getByText('No model is loaded').waitFor();
  expect(await chat.error.count()).toBe(0);
  expect((await storedRows(chat.page)).models).toBe(1);
  origin.delay = 0;
  await chat.page.close();
});

test('the hub is asked for the size before a licence is shown, which comes before the first byte, and the hub’s file is held to the hash that it lists', async () => {
  const bytes = readFileSync(SMALL);
  const asked: string[] = [];
  const listing = (oid: string) => [{ type: 'file', path: 'falcon-mamba-7B-instruct-Q4_K_M.gguf', size: bytes.length, oid: 'x', lfs: { oid, size: bytes.length, pointerSize: 134 } }];
  let oid = createHash('sha256').update('another file').digest('hex');
  const headers = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'ETag, Content-Range' };
  await browser.route('https://huggingface.co/**', async (route: Route) => {
    const url = new URL(route.request().url());
    asked.push(url.pathname);
    if (url.pathname.startsWith('/api/')) return route.fulfill({ json: listing(oid), headers });
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(route.request().headers().range ?? '') ?? [];
    const end = Math.min(Number(last), bytes.length - 1);
    return route.fulfill({
      status: 206, body: bytes.subarray(Number(first), end + 1), headers: { ...headers, 'content-range': `bytes ${first}-${end}/${bytes.length}`, etag: `"${oid}"` },
    });
  });
  const chat = await visit('falcon-mamba-7b-instruct-q4_k_m');
  const { page } = chat;
  await page.getByTestId('licence-accept').waitFor();
  expect(await page.getByTestId('licence-dialog').innerText()).toMatch(/TII Falcon-Mamba License 2\.0/);
  // What the hub says, not what the catalogue has.
  expect(await page.getByTestId('licence-dialog').innerText()).toMatch(/The download has [\d.]+ [kM]B/);
  expect(await page.getByTestId('licence-cost').innerText()).toContain('not known yet');
  expect(await page.getByTestId('licence-link').getAttribute('href')).toMatch(/^https:\/\/falconllm\.tii\.ae\//);
  expect(asked.filter((path) => !path.startsWith('/api/'))).toEqual([]);
  await page.keyboard.press('Escape');
  await page.getByText('No model is loaded').waitFor();
  await page.reload();
  await page.getByTestId('licence-accept').click();
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('wrong-bytes');
  expect((await storedRows(page)).models).toBe(1);
  oid = createHash('sha256').update(bytes).digest('hex');
  await chat.error.getByRole('button', { name: 'Try again' }).click();
  await page.getByTestId('licence-accept').click();
  await chat.backend.waitFor();
  expect(asked[0]).toBe('/api/models/tiiuae/falcon-mamba-7b-instruct-Q4_K_M-GGUF/tree/main');
  await page.getByTestId('model-picker').click();
  expect(await page.getByTestId('stored').innerText()).toContain('verified (SHA-256)');
  await page.close();
});

test('the benchmark shows a licence too, before the first byte', async () => {
  // The hub is out of reach: the licence is shown all the same, after a moment.
  await browser.unroute('https://huggingface.co/**');
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on('request', (request) => new URL(request.url()).host.includes('huggingface') && asked.push(request.url()));
  await page.goto(`${site.url}bench.html?model=falcon-mamba-7b-q4_k_m`);
  await page.getByTestId('measure').click();
  await page.getByTestId('licence-accept').waitFor();
  await picture(page, 'bench-licence');
  await page.keyboard.press('Escape');
  await page.getByTestId('licence-accept').waitFor({ state: 'hidden' });
  expect(await page.getByTestId('measure').isEnabled()).toBe(true);
  expect(asked.filter((url) => !url.startsWith('https://huggingface.co/api/'))).toEqual([]);
  await page.close();
});

test('a kept model is verified, mended, saved as a file and deleted', async () => {
  const chat = await visit('demo');
  const { page } = chat;
  await chat.backend.waitFor();
  await page.getByTestId('model-picker').click();
  const row = page.getByTestId('stored').locator('li', { hasText: 'slow' });
  await row.getByTestId('verify-model').click();
  await row.getByTestId('task-ended').waitFor();
  expect(await row.innerText()).toContain('Every chunk is as it arrived');
  const [download] = await Promise.all([page.waitForEvent('download'), row.getByTestId('export-model').click()]);
  expect(download.suggestedFilename()).toBe('slow.gguf');
  const saved = readFileSync(await download.path());
  expect(createHash('sha256').update(saved).digest('hex')).toBe(createHash('sha256').update(readFileSync(DEMO)).digest('hex'));
  // A disk that lost a chunk.
  await page.evaluate(async (url) => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('web-mamba');
      request.onsuccess = () => resolve(request.result);
    });
    await new Promise((resolve) => {
      const request = database.transaction('chunks', 'readwrite').objectStore('chunks').put(new Uint8Array(5), [url, 0, 1]);
      request.onsuccess = resolve;
    });
    database.close();
  }, `${origin.url}slow.gguf`);
  await row.getByTestId('verify-model').click();
  await row.getByText('Damaged chunks: 1').waitFor();
  await picture(page, 'damaged');
  origin.sent = 0;
  await row.locator('.model').click();
  await page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('slow'));
  await chat.backend.waitFor();
  expect(origin.sent).toBe(20_374_400 - 16 * 1024 * 1024);
  await page.goto(site.url);
  await chat.backend.waitFor();
  const before = await storedRows(page);
  await page.getByTestId('model-picker').click();
  await row.getByTestId('remove-model').click();
  await picture(page, 'removing');
  await row.getByTestId('remove-confirm').click();
  await row.waitFor({ state: 'detached' });
  expect(await storedRows(page)).toEqual({ chunks: (before.chunks ?? 0) - 2, models: (before.models ?? 0) - 1 });
  await page.close();
});

test('a file that the visitor picks is read where it is, and again after a reload; nothing is copied', async () => {
  const chat = await visit('demo');
  const { page } = chat;
  await chat.backend.waitFor();
  const before = await storedRows(page);
  // Stands for the picker's window, which no test can press: a real handle, to a file in the page's own file system.
  await page.evaluate(async (url) => {
    const bytes = await (await fetch(url)).arrayBuffer();
    const handle = await (await navigator.storage.getDirectory()).getFileHandle('picked.gguf', { create: true });
    const writable = await handle.createWritable();
    await writable.write(bytes);
    await writable.close();
    Object.assign(window, { showOpenFilePicker: async () => [handle] });
  }, '/models/web-mamba-demo-31m-v2-q4_k_m.gguf');
  await page.getByTestId('model-picker').click();
  await page.getByTestId('model-file').dispatchEvent('click');
  await page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('picked'));
  await chat.backend.waitFor();
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
  expect(await storedRows(page)).toEqual({ chunks: before.chunks, models: (before.models ?? 0) + 1 });
  await page.reload();
  await chat.backend.waitFor();
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
  await page.getByTestId('model-picker').click();
  expect(await page.getByTestId('stored').innerText()).toContain('read where you have it');
  await page.close();
});

test('a model file that is dropped on the page opens, and what is kept is asked to last', async () => {
  const chat = await visit('demo');
  const { page } = chat;
  const devtools = await browser.newCDPSession(page);
  await devtools.send('Browser.grantPermissions', { permissions: ['durableStorage'], origin: new URL(site.url).origin });
  await chat.backend.waitFor();
  await page.evaluate(async (url) => {
    const data = new DataTransfer();
    data.items.add(new File([await (await fetch(url)).arrayBuffer()], 'dropped.gguf'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  }, '/models/web-mamba-demo-31m-v2-q4_k_m.gguf');
  await page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('dropped'));
  await chat.backend.waitFor();
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
  expect(await page.evaluate(() => navigator.storage.persisted())).toBe(true);
  await page.getByTestId('model-picker').click();
  expect(await page.getByTestId('room').innerText()).toContain('will not clear them by itself');
  expect(await page.getByTestId('stored').innerText()).toContain('dropped');
  await page.close();
});

test('two tabs: the second shows the download of the first, and its pause is one for both', async () => {
  origin.delay = 20;
  const first = await visit(`${origin.url}slow.gguf?both`);
  await first.page.getByText('Downloading slow').waitFor();
  const second = await visit(`${origin.url}slow.gguf?both`);
  await second.page.getByText('Another tab is downloading slow').waitFor();
  await picture(second.page, 'elsewhere');
  await second.page.getByTestId('pause').click();
  await Promise.all([first, second].map(({ page }) => page.getByTestId('resume').waitFor()));
  origin.delay = 0;
  await second.page.getByTestId('resume').click();
  await second.backend.waitFor();
  await Promise.all([first.page.close(), second.page.close()]);
});
