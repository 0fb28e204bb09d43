/** What the page's own files are served with, from the first visit on, by `scripts/serve.mjs`; and by the service worker where the host sends nothing. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import type { BrowserContext, Page, Response } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST, ROOT } from './folders';
import { Site } from './site';
import { Stranger } from './stranger';

const NONE = "default-src 'none'";
let server: ChildProcess;
let url: string;
let browser: BrowserContext;
const stranger = new Stranger();

beforeAll(async () => {
  await stranger.start();
  stranger.files.set('/evil.js', { body: Buffer.from('postMessage("came")') });
  server = spawn(process.execPath, [path.join(ROOT, 'scripts/serve.mjs'), DIST, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  url = await new Promise((resolve) => server.stdout?.once('data', (line: Buffer) => resolve(String(line).trim())));
});
afterAll(async () => {
  server?.kill();
  await stranger.stop();
});
beforeEach(async () => {
  browser = await openBrowser({ webgpu: false });
});
afterEach(() => browser?.close());

/** Status and headers of one request, as it is written: no client tidies its path. */
function ask(target: string, headers: Record<string, string> = {}, method = 'GET', base = url): Promise<{ status: number; headers: Record<string, string> }> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: target, headers, method }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers as Record<string, string> }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** What every answer has, whatever it is. */
function expectGuarded(headers: Record<string, string>, about: string): void {
  expect(headers, about).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin' });
  expect(headers['content-security-policy'], about).toContain(NONE);
  expect(headers['content-security-policy'], about).toContain("frame-ancestors 'none'");
}

test('every answer of the server has them: files, errors, ranges, what has not changed', async () => {
  const etag = (await ask('/')).headers.etag ?? '';
  const scripts = readdirSync(path.join(DIST, 'assets')).filter((name) => name.endsWith('.js')).map((name) => `/assets/${name}`);
  const answers = [
    await ask('/'), await ask('/bench.html'), await ask('/nothing.html'), await ask('/nothing.js'), await ask('/%'), await ask('//'), await ask('/../package.json'),
    await ask('/', { 'if-none-match': `W/${etag}` }), await ask('/', { 'if-none-match': `"other", ${etag}` }), await ask('/', {}, 'HEAD'),
    await ask('/icon.svg', { range: 'bytes=0-9' }), await ask('/icon.svg', { range: 'bytes=999999-' }),
    await ask('/licences.txt'), await ask('/models/README.md'), await ask('/manifest.webmanifest'), await ask('/service-worker.js'),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 404, 400, 400, 404, 304, 304, 200, 206, 416, 200, 200, 200, 200]);
  for (const { status, headers } of answers) expectGuarded(headers, String(status));
  for (const name of scripts) {
    const { headers } = await ask(name);
    expectGuarded(headers, name);
    expect(headers['content-security-policy']).toContain("script-src 'self' 'wasm-unsafe-eval'");
    expect(headers['content-security-policy']).not.toMatch(/unsafe-inline|'unsafe-eval'|script-src[^;]*https?:/);
  }
  const page = (await ask('/')).headers['content-security-policy'] ?? '';
  // The page says the same itself, for hosts that send nothing; all but what a meta cannot say.
  const meta = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(readFileSync(path.join(DIST, 'index.html'), 'utf8'))?.[1];
  expect(page).toBe(`${meta}; frame-ancestors 'none'`);
  expect(page).toContain("require-trusted-types-for 'script'");
  expect((await ask('/icon.svg')).headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'");
});

/** What a worker that is served with our headers is allowed to do. */
const PROBE = `
  addEventListener('message', async ({ data: host }) => {
    const name = (work) => Promise.resolve().then(work).then(() => 'done', (error) => error.name);
    postMessage({
      eval: await name(() => (0, eval)('1')),
      function: await name(() => new Function('return 1')()),
      classic: await name(() => importScripts(host + 'evil.js')),
      module: await name(() => import(host + 'evil.js')),
      blob: await name(() => import(URL.createObjectURL(new Blob(['1'], { type: 'text/javascript' })))),
      data: await name(() => import('data:text/javascript,1')),
      http: await name(() => fetch('http://192.0.2.1/')),
      wasm: await name(() => WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))),
    });
  });`;

async function probe(page: Page, base: string): Promise<Record<string, string>> {
  return page.evaluate(async ([script, host]) => {
    const worker = new Worker(script);
    const answer = new Promise<Record<string, string>>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data as Record<string, string>);
      worker.onerror = (event) => reject(new Error(event.message));
    });
    worker.postMessage(host);
    return answer;
  }, [`${base}probe.js`, stranger.url] as const);
}

test('on the first visit everything that the page fetches has them, and workers run nothing but its own scripts', async () => {
  const chat = new ChatPage(await browser.newPage());
  const { page } = chat;
  const answers: Response[] = [];
  browser.on('response', (response) => answers.push(response));
  await page.goto(url);
  await chat.backend.waitFor();
  const own = answers.filter((each) => each.url().startsWith(url) && !each.fromServiceWorker());
  expect(own.length).toBeGreaterThan(5);
  for (const each of own) expectGuarded(await each.allHeaders(), each.url());
  expect(own.some((each) => /assets\/worker-.*\.js$/.test(each.url()))).toBe(true);
  // The engine's own worker, asked when the tool that asks has left it: its evaluation would be allowed more.
  const worker = page.workers().find((each) => /assets\/worker-/.test(each.url()));
  const refused = await worker?.evaluate(`(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const name = (work) => Promise.resolve().then(work).then(() => 'done', (error) => error.name);
    return [await name(() => (0, eval)('1')), await name(() => import('${stranger.url}evil.js')), await name(() => fetch('http://192.0.2.1/'))];
  })()`);
  expect(refused).toEqual(['EvalError', 'TypeError', 'TypeError']);
  expect(stranger.requests).toEqual([]);
});

test('a worker under these headers neither evaluates text nor imports from elsewhere, with and without a service worker', async () => {
  const site = new Site(DIST);
  const bare = new Site(DIST, { bare: true });
  await Promise.all([site.start(), bare.start()]);
  try {
    const { headers } = await ask('/service-worker.js', {}, 'GET', site.url);
    site.give('/probe.js', PROBE, { 'content-type': 'text/javascript', 'content-security-policy': headers['content-security-policy'] ?? '', 'x-content-type-options': 'nosniff' });
    const page = await browser.newPage();
    await page.goto(site.url);
    expect(await probe(page, site.url)).toEqual({
      eval: 'EvalError', function: 'EvalError', classic: 'NetworkError', module: 'TypeError', blob: 'TypeError', data: 'TypeError', http: 'TypeError', wasm: 'done',
    });
    expect(stranger.requests).toEqual([]);
    // Where the host sends nothing, the service worker does from the second visit on.
    const chat = new ChatPage(await browser.newPage());
    await chat.page.goto(bare.url);
    await chat.backend.waitFor();
    await chat.page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state);
    await expect.poll(() => chat.page.evaluate(() => navigator.serviceWorker.controller !== null), { timeout: 30_000 }).toBe(true);
    const answer = await chat.page.reload();
    await chat.backend.waitFor();
    expectGuarded((await answer?.allHeaders()) ?? {}, 'page');
    const script = await chat.page.evaluate(async () => {
      const source = [...document.querySelectorAll('script')][0]?.src ?? '';
      return Object.fromEntries((await fetch(source)).headers);
    });
    expectGuarded(script, 'script');
    const [worker] = chat.page.workers().filter((each) => /assets\/worker-/.test(each.url()));
    const evaluated = await worker?.evaluate(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      try {
        return String((0, eval)('1'));
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(evaluated).toBe('EvalError');
  } finally {
    await Promise.all([site.stop(), bare.stop()]);
  }
});

test('no other page may frame it, and none of its files is run as what it is not', async () => {
  const frames = new Site(DIST);
  await frames.start();
  try {
    frames.give('/frame.html', `<iframe src="${url}"></iframe><script src="${url}models/README.md"></script>`, { 'content-type': 'text/html' });
    const page = await browser.newPage();
    const failed: string[] = [];
    page.on('requestfailed', (each) => failed.push(each.url()));
    page.on('console', (message) => failed.push(message.text()));
    await page.goto(`${frames.url}frame.html`);
    await expect.poll(() => failed.join('\n')).toContain("frame-ancestors 'none'");
    expect(page.frames().map((frame) => frame.url()).filter((each) => each.startsWith(url))).toEqual([]);
    expect(failed).toContain(`${url}models/README.md`);
  } finally {
    await frames.stop();
  }
});

test('what a worker could reach on a host without headers is not in the engine’s scripts: no evaluation, no import from elsewhere', () => {
  // The two workers have the engine's packages in them.
  const names = readdirSync(path.join(DIST, 'assets')).filter((name) => /^(worker|rank\.worker|web_mamba)-.*\.js$/.test(name));
  expect(names.map((name) => name.replace(/-.*/, '')).sort()).toEqual(['rank.worker', 'worker']);
  for (const name of names) {
    const code = readFileSync(path.join(DIST, 'assets', name), 'utf8');
    expect(code, name).not.toMatch(/\beval\(|new Function\(|(?<![\w$.`])Function\(|importScripts|setTimeout\(["'`]/);
    for (const [, target] of code.matchAll(/\bimport\(([^)]*)\)/g)) expect(target, name).toMatch(/^(["'`])\.\/[\w.-]+\.js\1$/);
    // A worker's script has its address from the build, relative to the one that starts it.
    for (const [, rest] of code.matchAll(/new (?:Shared)?Worker\(([^)]*\))/g)) expect(rest?.replace(/\/\*.*?\*\/|\s/g, ''), name).toMatch(/^(newURL\()+`[\w.-]+\.js`,import\.meta\.url\)$|^(newURL\()+`[\w.-]+\.js`\)$/);
  }
});

test('the licences of all that the page carries are a click away, and every file of the page is of something listed', async () => {
  const chat = new ChatPage(await browser.newPage());
  await chat.page.goto(url);
  await chat.backend.waitFor();
  await chat.page.getByTestId('settings').click();
  const link = chat.page.getByTestId('licences');
  const [opened] = await Promise.all([browser.waitForEvent('page'), link.click()]);
  await opened.waitForLoadState();
  const text = await opened.evaluate(() => document.body.innerText);
  for (const name of ['markdown-it', 'linkify-it', 'temml', 'lit-html', 'comlink', 'mammoth', 'jszip', 'pako', 'pdfjs-dist', 'parse5', 'idb', 'fflate', 'hash-wasm', 'uplot', '@fontsource/noto-sans-math', 'wgpu', 'naga', 'tokenizers', 'wasm-bindgen', 'Rust standard library']) {
    expect(text).toMatch(new RegExp(`^${name} ?[\\w.+-]*: [\\w(]`, 'm'));
  }
  expect(text).toContain('SIL OPEN FONT LICENSE');
  expect(text).toContain('Apache License');
});
