/** What the built page costs a visitor; the figures are printed, and kept in `tests/record/page.md`. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

/** What hosts send: compressed, where it is text. */
const MOST_BYTES_BEFORE_PAINT = 120_000;
const LONG_TASK_MILLISECONDS = 50;

const site = new Site(DIST);
let browser: BrowserContext;

beforeAll(async () => {
  await site.start();
  browser = await openBrowser({ webgpu: false });
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

const file = (name: string) => readFileSync(path.join(DIST, name));

test('little is transferred before the first paint, and the page can soon be used', async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.getByTestId('chat-input').waitFor();
  const { paint, interactive, before } = await page.evaluate(async () => {
    const paint = await new Promise<number>((resolve) => {
      new PerformanceObserver((list) => {
        const first = list.getEntriesByName('first-contentful-paint')[0];
        if (first) resolve(first.startTime);
      }).observe({ type: 'paint', buffered: true });
    });
    const resources = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
    const [{ domContentLoadedEventEnd: interactive } = { domContentLoadedEventEnd: 0 }] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    const before = resources.filter(({ responseEnd }) => responseEnd > 0 && responseEnd <= paint).map(({ name }) => new URL(name).pathname.slice(1));
    return { paint, interactive, before };
  });
  const sent = ['index.html', ...new Set(before)].filter((name) => name !== '' && !name.endsWith('.gguf') && !name.endsWith('.wasm'));
  const bytes = sent.reduce((sum, name) => sum + gzipSync(file(name)).length, 0);
  const wasm = readdirSync(path.join(DIST, 'assets')).find((name) => name.endsWith('.wasm')) ?? '';
  const engine = file(`assets/${wasm}`);
  console.log(`before first paint: ${bytes} bytes in ${sent.length} files (gzip); first paint ${Math.round(paint)} ms, scripts ready ${Math.round(interactive)} ms; ` +
    `wasm ${engine.length} bytes, ${gzipSync(engine).length} gzip, ${brotliCompressSync(engine).length} brotli`);
  expect(bytes).toBeLessThan(MOST_BYTES_BEFORE_PAINT);
  await page.close();
});

test('while words come, the page is never busy for long, and nothing that was there moves', async () => {
  const chat = new ChatPage(await browser.newPage());
  const { page } = chat;
  await page.goto(site.url);
  await chat.backend.waitFor();
  await chat.ask('Why is the sky blue?');
  await page.evaluate(() => {
    const seen = Object.assign(window, { longTasks: [] as number[], shifts: 0 });
    new PerformanceObserver((list) => seen.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.shifts += (entry as unknown as { value: number }).value;
    }).observe({ type: 'layout-shift' });
  });
  await chat.ask('Tell me a story about a brave mouse and a lion.');
  await chat.ask('Give me three tips for sleeping better.');
  const { longTasks, shifts } = await page.evaluate(() => {
    const { longTasks, shifts } = window as unknown as { longTasks: number[]; shifts: number };
    return { longTasks, shifts };
  });
  console.log(`long tasks while streaming: ${longTasks.map(Math.round).join(', ') || 'none'}; layout shift ${shifts.toFixed(4)}`);
  expect(longTasks.filter((duration) => duration > LONG_TASK_MILLISECONDS)).toEqual([]);
  expect(shifts).toBeLessThan(0.1);
  await page.close();
});
