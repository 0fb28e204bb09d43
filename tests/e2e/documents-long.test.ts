/** A text of ten megabytes: the page stays quick while it is added, counted, summarised, asked about and looked at. */
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

const LONG_TASK_MILLISECONDS = 50;
const BYTES = 10e6;

const site = new Site(DIST);
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  await site.start();
  browser = await openBrowser({ webgpu: false, viewport: { width: 1200, height: 800 } });
  page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(`${site.url}?view=documents`);
  await new ChatPage(page).backend.waitFor();
  await page.evaluate(() => {
    const seen = Object.assign(window, { longTasks: [] as number[] });
    new PerformanceObserver((list) => seen.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

/** Those since the last call. */
async function longTasks(what: string): Promise<number[]> {
  const tasks = await page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks.splice(0));
  console.log(`long tasks while ${what}: ${tasks.map(Math.round).join(', ') || 'none'}`);
  return tasks.filter((duration) => duration > LONG_TASK_MILLISECONDS);
}

const progress = (pattern: string) => page.waitForFunction((source) => new RegExp(source).test(document.querySelector('[data-testid=summary-progress]')?.textContent ?? ''), pattern);

test('a summary of it streams, and nothing holds the page up', async () => {
  const row = (line: number) => `${line},lamp ${line % 97},keeper ${line % 31},wrote ${line % 13} letters and read ${line % 7} books\n`;
  let text = '';
  for (let line = 0; text.length < BYTES; line += 1) text += row(line);
  await page.getByTestId('document-file').setInputFiles({ name: 'long.csv', mimeType: '', buffer: Buffer.from(text) });
  await page.getByTestId('document-back').waitFor();
  await page.waitForFunction(() => /read in [\d,]+ sections/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
  const adding = await longTasks('it is added and counted');
  await page.getByTestId('summarise').click();
  await progress('[1-9]\\d* of \\d+ sections');
  const streaming = await longTasks('sections are written');
  // One paragraph of ten megabytes would be drawn as a whole.
  await page.getByTestId('tab-text').click();
  await page.locator('.document-text p').first().waitFor();
  const drawn = (await page.getByTestId('document-full-text').textContent())?.length ?? 0;
  expect(drawn).toBeGreaterThan(8000);
  expect(drawn).toBeLessThan(200_000);
  await page.locator('.document-text .group').nth(600).scrollIntoViewIfNeeded();
  await page.waitForFunction(() => (document.querySelectorAll('.document-text .group')[600]?.textContent ?? '').length > 1000);
  const reading = await longTasks('its text is looked at');
  await page.getByTestId('tab-summary').click();
  await page.getByTestId('summary-pause').click();
  await page.getByTestId('summary-resume').waitFor();
  const pausing = await longTasks('it is paused');
  expect({ adding, streaming, reading, pausing }).toEqual({ adding: [], streaming: [], reading: [], pausing: [] });
}, 240_000);
