/** A text of ten megabytes: the page stays quick while it is added, counted, summarised, asked about and looked at. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
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
const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-long-'));

beforeAll(async () => {
  await site.start();
  browser = await openBrowser({ webgpu: false, viewport: { width: 1200, height: 800 } });
  const rows = Array.from({ length: BYTES / 60 }, (_, line) => `${line},lamp ${line % 97},keeper ${line % 31},wrote ${line % 13} letters and read ${line % 7} books\n`);
  writeFileSync(path.join(folder, 'long.csv'), rows.join('').slice(0, BYTES));
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Those since the last call that are too long. */
async function longTasks(what: string): Promise<number[]> {
  const tasks = await page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks.splice(0));
  console.log(`long tasks while ${what}: ${tasks.map(Math.round).join(', ') || 'none'}`);
  return tasks.filter((duration) => duration > LONG_TASK_MILLISECONDS);
}

const progress = (pattern: string) => page.waitForFunction((source) => new RegExp(source).test(document.querySelector('[data-testid=summary-progress]')?.textContent ?? ''), pattern);

/** A processor that does other things as well stretches tasks; one that is the page's own comes back every time. */
test('a summary of it streams, and nothing holds the page up', { timeout: 240_000, retry: 2 }, async () => {
  page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(`${site.url}?view=documents`);
  await new ChatPage(page).backend.waitFor();
  await page.evaluate(() => {
    const seen = Object.assign(window, { longTasks: [] as number[] });
    new PerformanceObserver((list) => seen.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  // A file of the disk: what Playwright is given as bytes, it puts together in the page.
  await page.getByTestId('document-file').setInputFiles(path.join(folder, 'long.csv'));
  await page.getByTestId('document-back').waitFor();
  await page.waitForFunction(() => /read in [\d,]+ sections/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
  await longTasks('it is added and counted');
  await page.getByTestId('summarise').click();
  await progress('[1-9]\\d* of \\d+ sections');
  const streaming = await longTasks('sections are written');
  // One paragraph of ten megabytes would be drawn as a whole.
  await page.getByTestId('tab-text').click();
  await page.locator('.document-text p').first().waitFor();
  const drawn = (await page.getByTestId('document-full-text').textContent())?.length ?? 0;
  expect(drawn).toBeGreaterThan(8000);
  expect(drawn).toBeLessThan(200_000);
  await page.locator('.document-text .group').nth(300).scrollIntoViewIfNeeded();
  await page.waitForFunction(() => (document.querySelectorAll('.document-text .group')[300]?.textContent ?? '').length > 1000);
  const reading = await longTasks('its text is looked at');
  await page.getByTestId('tab-summary').click();
  await page.getByTestId('summary-pause').click();
  await page.getByTestId('summary-resume').waitFor();
  const pausing = await longTasks('it is paused');
  await page.close();
  expect({ streaming, reading, pausing }).toEqual({ streaming: [], reading: [], pausing: [] });
});
