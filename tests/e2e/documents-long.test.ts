/** A text of ten megabytes: the page stays quick while it is summarised, looked at and paused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { DIST } from './folders';
import { withPage } from './opened';
import { longestTask, longTasks, PageTasks } from './page-tasks';
import { Site } from './site';

const BYTES = 10e6;

const site = new Site(DIST);
let page: Page;
withPage(site, {}, [], (opened) => {
  ({ page } = opened);
  page.setDefaultTimeout(120_000);
}, '?view=documents');

const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-long-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Another one at each try: a summary of the same would go on from where the try before left it. */
function longText(): string {
  const first = `begun ${Date.now()}\n`;
  const rows = Array.from({ length: BYTES / 60 }, (_, line) => `${line},lamp ${line % 97},keeper ${line % 31},wrote ${line % 13} letters and read ${line % 7} books\n`);
  return (first + rows.join('')).slice(0, BYTES);
}

const progress = (pattern: string) => page.waitForFunction((source) => new RegExp(source).test(document.querySelector('[data-testid=summary-progress]')?.textContent ?? ''), pattern);

test('a summary of it streams, and nothing holds the page up', { timeout: 240_000 }, async () => {
  await page.goto(`${site.url}?view=documents`);
  const tasks = await PageTasks.watch(page);
  onTestFinished(() => tasks.end());
  /** Tasks since the last call that were long. */
  const longWhile = async (what: string): Promise<number[]> => {
    const taken = await tasks.taken();
    console.log(`while ${what}: ${longestTask(taken)}`);
    return longTasks(taken);
  };
  // A file of the disk: what Playwright is given as bytes, it puts together in the page.
  writeFileSync(path.join(folder, 'long.csv'), longText());
  await page.getByTestId('document-file').setInputFiles(path.join(folder, 'long.csv'));
  await page.getByTestId('document-back').waitFor();
  await page.waitForFunction(() => /read in [\d,]+ sections/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
  // The text crosses from its worker and into the store as a whole.
  await longWhile('it is added and counted');
  await page.getByTestId('summarise').click();
  await progress('[1-9]\\d* of \\d+ sections');
  const streaming = await longWhile('sections are written');
  // One paragraph of ten megabytes would be drawn as a whole.
  await page.getByTestId('tab-text').click();
  await page.locator('.document-text p').first().waitFor();
  const drawn = (await page.getByTestId('document-full-text').textContent())?.length ?? 0;
  expect(drawn).toBeGreaterThan(8000);
  expect(drawn).toBeLessThan(200_000);
  await page.locator('.document-text .group').nth(300).scrollIntoViewIfNeeded();
  await page.waitForFunction(() => (document.querySelectorAll('.document-text .group')[300]?.textContent ?? '').length > 1000);
  const reading = await longWhile('its text is looked at');
  await page.getByTestId('tab-summary').click();
  await page.getByTestId('summary-pause').click();
  await page.getByTestId('summary-resume').waitFor();
  const pausing = await longWhile('it is paused');
  expect({ streaming, reading, pausing }).toEqual({ streaming: [], reading: [], pausing: [] });
});
