/** The page as an app: from a sub-path, without a network, with a newer version, isolated, and asking nobody for anything. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docx, CHAPTERS, pdf } from '../../web/test/make-documents';
import { listenFor, openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-dist-'));
const site = new Site(path.join(folder, 'nowhere'));
let browser: BrowserContext;
let chat: ChatPage;
let page: Page;
const complaints: string[] = [];
const address = () => `${site.url}some/where/`;

beforeAll(async () => {
  cpSync(DIST, folder, { recursive: true });
  site.mount('/some/where/', folder);
  await site.start();
  browser = await openBrowser({ webgpu: false, viewport: { width: 1200, height: 800 } });
  chat = new ChatPage(await browser.newPage());
  page = chat.page;
  page.setDefaultTimeout(60_000);
  listenFor(complaints, page);
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Requests that reached the server since `before`, by path. The browser itself may ask whether the service worker has changed. */
const reached = (before: ReadonlyMap<string, number>) =>
  [...site.hits].filter(([name, count]) => count > (before.get(name) ?? 0) && !name.endsWith('/service-worker.js')).map(([name]) => name);

test('it runs from a sub-path, with a manifest, icons and a service worker that stores every file', async () => {
  await page.goto(address());
  await chat.backend.waitFor();
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.webmanifest'), 'utf8')) as { start_url: string; icons: { src: string }[] };
  expect(manifest.start_url).toBe('./');
  for (const { src } of manifest.icons) expect((await page.request.get(address() + src)).status(), src).toBe(200);
  const stored = await page.evaluate(async () => (await (await caches.open('web-mamba-page')).keys()).map(({ url }) => new URL(url).pathname));
  const files = readdirSync(path.join(folder, 'assets')).filter((name) => !name.startsWith('bench'));
  for (const name of ['index.html', ...files.map((each) => `assets/${each}`)]) expect(stored).toContain(`/some/where/${name}`);
  expect(stored.some((name) => name.endsWith('.gguf'))).toBe(false);
});

test('from the second visit on it is cross-origin isolated, whatever the host sends', async () => {
  await page.reload();
  await chat.backend.waitFor();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(await page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
});

test('a whole session after the model is stored reaches no server: chat, documents, settings, a reload', async () => {
  const before = new Map(site.hits);
  const strangers: string[] = [];
  browser.on('request', (request) => !request.url().startsWith(address()) && !request.url().startsWith('blob:') && strangers.push(request.url()));
  await page.reload();
  await chat.backend.waitFor();
  await chat.ask('Why is the sky blue?');
  await page.getByTestId('figures').click();
  await page.getByTestId('settings').click();
  await page.keyboard.press('Escape');
  await page.getByTestId('view-documents').click();
  await page.getByTestId('document-file').setInputFiles([
    { name: 'a.pdf', mimeType: 'application/pdf', buffer: await pdf(CHAPTERS.slice(0, 1)) }, { name: 'b.docx', mimeType: '', buffer: await docx(CHAPTERS) },
  ]);
  await page.getByTestId('summarise').click();
  await page.getByTestId('summary-result').waitFor();
  await page.reload();
  await page.getByTestId('summary-result').waitFor();
  expect(strangers).toEqual([]);
  expect(reached(before)).toEqual([]);
});

test('without a network, and with the server gone, it opens and chats', async () => {
  await browser.setOffline(true);
  await page.goto(address());
  await chat.backend.waitFor();
  expect((await chat.ask('How do I make a cup of tea?')).answer).not.toBe('');
  await browser.setOffline(false);
});

test('a new version waits until the visitor asks for it, takes over what did not change, and keeps the conversations', async () => {
  const conversations = await page.getByTestId('chats').locator('li').count();
  expect(conversations).toBeGreaterThan(0);
  const index = readFileSync(path.join(folder, 'index.html'), 'utf8');
  writeFileSync(path.join(folder, 'index.html'), index.replace('<title>web-mamba</title>', '<title>web-mamba, newer</title>'));
  const worker = path.join(folder, 'service-worker.js');
  writeFileSync(worker, readFileSync(worker, 'utf8').replace(/"index\.html":"\w+"/, '"index.html":"0123456789abcdef"'));
  const wasm = [...site.hits].filter(([name]) => name.endsWith('.wasm')).reduce((sum, [, count]) => sum + count, 0);
  await page.reload();
  expect(await page.title()).toBe('web-mamba');
  await page.getByTestId('use-new-version').click();
  await page.waitForFunction(() => document.title === 'web-mamba, newer');
  await chat.backend.waitFor();
  expect(await page.getByTestId('new-version').count()).toBe(0);
  expect(await page.getByTestId('chats').locator('li').count()).toBe(conversations);
  expect([...site.hits].filter(([name]) => name.endsWith('.wasm')).reduce((sum, [, count]) => sum + count, 0)).toBe(wasm);
});

test('nothing but the page’s own scripts can run, and no text becomes HTML by itself', async () => {
  const policy = await page.evaluate(async () => {
    // The test's own script may do what others may not, until it has ended its turn.
    await new Promise((resolve) => setTimeout(resolve));
    const tried: Record<string, string> = {};
    const attempt = (name: string, work: () => unknown) => {
      try {
        work();
        tried[name] = 'done';
      } catch (thrown) {
        tried[name] = (thrown as Error).name;
      }
    };
    attempt('innerHTML', () => (document.createElement('div').innerHTML = '<b>x</b>'));
    attempt('eval', () => new Function('return 1')());
    attempt('worker of another origin', () => new Worker('https://example.org/x.js'));
    const script = document.createElement('script');
    attempt('inline', () => (script.textContent = 'window.ran = true'));
    document.body.append(script);
    return { ...tried, ran: String('ran' in window), referrer: document.querySelector<HTMLMetaElement>('meta[name=referrer]')?.content };
  });
  expect(policy).toMatchObject({ innerHTML: 'TypeError', eval: 'EvalError', 'worker of another origin': 'TypeError', ran: 'false', referrer: 'no-referrer' });
  // These attempts are reported in the console, and only these.
  expect(complaints.length).toBeGreaterThan(0);
  expect(complaints.filter((complaint) => !/Trusted(HTML|Script)|Content Security Policy|unsafe-eval/.test(complaint))).toEqual([]);
});
