/** The page as an app: from a sub-path, without a network, with a newer version, isolated, and asking nobody for anything. */
import { createHash } from 'node:crypto';
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
  browser = await openBrowser({ webgpu: false, viewport: { width: 1200, height: 800 }, acceptDownloads: true });
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

async function withoutNetwork(work: () => Promise<void>): Promise<void> {
  await browser.setOffline(true);
  try {
    await work();
  } finally {
    await browser.setOffline(false);
  }
}

/** Requests that reached the server since `before`, by path. The browser itself may ask whether the service worker has changed. */
const reached = (before: ReadonlyMap<string, number>) =>
  [...site.hits].filter(([name, count]) => count > (before.get(name) ?? 0) && !name.endsWith('/service-worker.js')).map(([name]) => name);

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** What the cache has, by the files' names, and whether each is what its key says. */
const cached = () => page.evaluate(async () => {
  const cache = await caches.open(`web-mamba-page ${new URL('./', location.href).pathname}`);
  return Promise.all((await cache.keys()).map(async (request) => {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await (await cache.match(request))!.arrayBuffer()));
    const { pathname, search } = new URL(request.url);
    return { name: pathname, sound: search === `?${[...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')}` };
  }));
});

test('it runs from a sub-path, with a manifest, icons and a service worker that stores every file', async () => {
  await page.goto(address());
  await chat.backend.waitFor();
  await expect.poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state), { timeout: 60_000 }).toBe('activated');
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.webmanifest'), 'utf8')) as { start_url: string; icons: { src: string }[] };
  expect(manifest.start_url).toBe('./');
  for (const { src } of manifest.icons) expect((await page.request.get(address() + src)).status(), src).toBe(200);
  // The package's module for grammars is of no use to the page.
  const [kept, left] = [false, true].map((isGrammar) => readdirSync(path.join(folder, 'assets')).filter((name) => /^web_mamba_grammar_bg.*\.wasm$/.test(name) === isGrammar));
  const files = kept!.map((name) => `assets/${name}`);
  expect(left).toHaveLength(1);
  const cmaps = readdirSync(path.join(folder, 'cmaps')).map((name) => `cmaps/${name}`);
  const all = ['index.html', 'bench.html', ...files, ...cmaps].map((name) => `/some/where/${name}`);
  // The benchmark, and what only some PDFs need, come when the page itself is there.
  await expect.poll(async () => {
    const names = new Set((await cached()).map(({ name }) => name));
    return all.filter((name) => !names.has(name));
  }, { timeout: 60_000 }).toEqual([]);
  const stored = await cached();
  expect(stored.filter(({ sound }) => !sound)).toEqual([]);
  expect(stored.some(({ name }) => name.endsWith('.gguf') || name.includes(left![0]!))).toBe(false);
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
  await page.getByTestId('tab-questions').click();
  await page.getByTestId('document-question').fill('When was the harbour built?');
  await page.getByTestId('document-ask').click();
  await page.locator('[data-testid=document-answer][aria-busy=false]').waitFor();
  await page.reload();
  await page.getByTestId('document-question').or(page.getByTestId('summary-result')).first().waitFor();
  const [saved] = await Promise.all([page.waitForEvent('download'), page.getByTestId('export-chats').click()]);
  await page.getByTestId('import-chats').setInputFiles(await saved.path());
  await page.getByTestId('imported').getByText('came in').waitFor();
  await page.getByTestId('chat-search').fill('sky');
  await page.getByTestId('chats').locator('.chat-excerpt').first().waitFor();
  await page.getByTestId('chat-search').fill('');
  await page.getByTestId('chats').locator('.chat-open').first().click();
  await chat.answers.first().waitFor();
  expect(strangers).toEqual([]);
  expect(reached(before)).toEqual([]);
});

test('without a network, and with the server gone, it opens and chats', async () => {
  await withoutNetwork(async () => {
    await page.goto(address());
    await chat.backend.waitFor();
    expect((await chat.ask('How do I make a cup of tea?')).answer).not.toBe('');
  });
});

const NEWER = 'Chat with a Mamba model, newer.';
const version = () => page.locator('meta[name=description]').getAttribute('content');
const wasmRequests = () => [...site.hits].filter(([name]) => name.endsWith('.wasm')).reduce((sum, [, count]) => sum + count, 0);

/** Asks for a newer service worker; it may still be on its way then. */
const askForNewer = () => page.evaluate(async () => {
  await (await navigator.serviceWorker.getRegistration())?.update().catch(() => undefined);
});
const workers = () => page.evaluate(async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  return { installing: registration?.installing !== null, waiting: registration?.waiting !== null };
});

test('a version that its host has only in part is not installed, and the one before goes on without a network', async () => {
  const index = readFileSync(path.join(folder, 'index.html'), 'utf8');
  const worker = path.join(folder, 'service-worker.js');
  const newer = index.replace(/(name="description" content=")[^"]*/, `$1${NEWER}`);
  writeFileSync(worker, readFileSync(worker, 'utf8').replace(/"index\.html":"\w+"/, `"index.html":"${sha256(newer)}"`));
  await page.reload();
  await askForNewer();
  await expect.poll(workers, { timeout: 30_000 }).toEqual({ installing: false, waiting: false });
  expect(await page.getByTestId('new-version').count()).toBe(0);
  await withoutNetwork(async () => {
    await page.reload();
    await chat.backend.waitFor();
  });
  writeFileSync(path.join(folder, 'index.html'), newer);
});

test('a new version waits until the visitor asks for it, takes over what did not change, and keeps the conversations', async () => {
  const conversations = await page.getByTestId('chats').locator('li').count();
  expect(conversations).toBeGreaterThan(0);
  const wasm = wasmRequests();
  // The page is opened while the new version still comes.
  const release = site.hold(`${new URL(address()).pathname}index.html`);
  await askForNewer();
  await page.reload();
  expect(await workers()).toEqual({ installing: true, waiting: false });
  await chat.backend.waitFor();
  release();
  await expect.poll(workers, { timeout: 30_000 }).toEqual({ installing: false, waiting: true });
  expect(await version()).not.toBe(NEWER);
  await page.getByTestId('use-new-version').click();
  await page.waitForFunction((newer) => document.querySelector<HTMLMetaElement>('meta[name=description]')?.content === newer, NEWER);
  await chat.backend.waitFor();
  expect(await page.getByTestId('new-version').count()).toBe(0);
  expect(await page.getByTestId('chats').locator('li').count()).toBe(conversations);
  expect(wasmRequests()).toBe(wasm);
  expect((await cached()).filter(({ sound }) => !sound)).toEqual([]);
});

test('the benchmark opens without a network', async () => {
  await withoutNetwork(async () => {
    const bench = await browser.newPage();
    await bench.goto(`${address()}bench.html`);
    await bench.getByTestId('measure').waitFor();
    await bench.close();
  });
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
