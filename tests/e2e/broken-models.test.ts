/** What goes wrong with `?model=`: each is said with a remedy, and leaves nothing in the store. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, picture, storedRows } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS } from './folders';
import { Site } from './site';

const site = new Site(DIST);
/** Another origin, as most models come from. */
const host = new Site(GOLDEN_MODELS);
const ANY_ORIGIN = { 'access-control-allow-origin': '*' };
let browser: BrowserContext;

/** The smallest file that is GGUF and says another architecture: one metadata key, no tensor. */
function otherArchitecture(): Uint8Array {
  const key = Buffer.from('general.architecture');
  const value = Buffer.from('llama');
  const file = Buffer.alloc(4 + 4 + 8 + 8 + 8 + key.length + 4 + 8 + value.length);
  let at = file.write('GGUF');
  at = file.writeUInt32LE(3, at);
  at = file.writeBigUInt64LE(0n, at);
  at = file.writeBigUInt64LE(1n, at);
  at = file.writeBigUInt64LE(BigInt(key.length), at);
  at += key.copy(file, at);
  at = file.writeUInt32LE(8, at);
  at = file.writeBigUInt64LE(BigInt(value.length), at);
  value.copy(file, at);
  return file;
}

beforeAll(async () => {
  await Promise.all([site.start(), host.start()]);
  browser = await openBrowser({ webgpu: false });
  const model = readFileSync(path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf'));
  host.give('/good.gguf', model, ANY_ORIGIN);
  host.give('/no-cors.gguf', model);
  host.give('/short.gguf', model.subarray(0, model.length / 2), ANY_ORIGIN);
  host.give('/header-only.gguf', model.subarray(0, 100), ANY_ORIGIN);
  host.give('/page.gguf', '<!doctype html><title>Not a model</title>'.repeat(1000), { ...ANY_ORIGIN, 'content-type': 'text/html' });
  host.give('/llama.gguf', otherArchitecture(), ANY_ORIGIN);
  host.answer('/gone.gguf', (_, response) => response.writeHead(404, ANY_ORIGIN).end());
  host.answer('/cut.gguf', (_, response) => {
    response.writeHead(200, { ...ANY_ORIGIN, 'content-length': model.length });
    response.write(model.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 100));
  });
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([site.stop(), host.stop()]);
});

test.each([
  ['cut off by the server', 'short.gguf', 'truncated', /truncated/],
  ['of a header only', 'header-only.gguf', 'truncated', /truncated/],
  ['broken off on the way', 'cut.gguf', 'interrupted-early', /broke off/],
  ['that is a web page', 'page.gguf', 'not-gguf', /not a GGUF/],
  ['that is not there', 'gone.gguf', 'http-status', /404/],
  ['of another architecture', 'llama.gguf', 'architecture', /models of this architecture/],
  ['that its server keeps to itself', 'no-cors.gguf', 'cors', /does not let other pages/],
])('a file %s', async (_, name, code, sentence) => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(`${site.url}?model=${encodeURIComponent(host.url + name)}`);
  await chat.acceptLink();
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe(code);
  expect(await chat.error.locator('.error-sentence').innerText()).toMatch(sentence);
  expect(await chat.error.locator('p').nth(1).innerText()).toMatch(/\w{3,}.*[.]/);
  expect(await storedRows(chat.page)).toEqual({ chunks: 0, models: 0 });
  if (code === 'cors') await picture(chat.page, 'error');
  await chat.page.close();
});

test('an address that this page may not open', async () => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(`${site.url}?model=${encodeURIComponent('http://example.org/model.gguf')}`);
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('address');
});

test('a server that is not there', async () => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(`${site.url}?model=${encodeURIComponent('http://127.0.0.1:9/model.gguf')}`);
  await chat.acceptLink();
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('network');
});

test('after a failure the demo model is one click away, and a good address from another origin opens', async () => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(`${site.url}?model=${encodeURIComponent(`${host.url}gone.gguf`)}`);
  await chat.acceptLink();
  await chat.error.getByText('Use the demo model').click();
  await chat.backend.waitFor();
  expect(new URL(chat.page.url()).search).toBe('');
  await chat.page.getByTestId('model-picker').click();
  await chat.page.getByTestId('model-address').fill(`${host.url}good.gguf`);
  await chat.page.getByTestId('model-open').click();
  await chat.page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('good'));
  await chat.backend.waitFor();
  expect((await storedRows(chat.page)).models).toBe(2);
  expect(new URL(chat.page.url()).searchParams.get('model')).toBe(`${host.url}good.gguf`);
});
