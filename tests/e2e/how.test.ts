/** The page that explains, on a screen and on a phone: nothing runs unasked; then a line and figures of this very device. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenFor, openBrowser, picture } from './browser';
import { EVERY_ROUND } from './every-round';
import { DIST } from './folders';
import { Site } from './site';

const site = new Site(DIST);
const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');
beforeAll(() => site.start());
afterAll(() => site.stop());

const engines = () => [...site.hits.keys()].filter((name) => /\.wasm$|worker-|\.gguf$/.test(name)).length;

async function looked(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await picture(page, `${name}-${colorScheme}`);
    const found = await page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
      return (await axe.run()).violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
    });
    expect(found, `${name} ${colorScheme}`).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
  }
}

test.each([['desktop', { width: 1200, height: 1000 }], ['phone', { width: 320, height: 780 }]] as const)('%s', async (device, viewport) => {
  site.hits.clear();
  // The policy of the page would keep axe out.
  const browser = await openBrowser({ webgpu: false, viewport, reducedMotion: 'reduce', bypassCSP: true });
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    listenFor(complaints, page);
    await page.addInitScript({ content: axe });
    await page.goto(`${site.url}how.html?backend=cpu`);
    await page.getByTestId('chart').waitFor();
    expect(engines()).toBe(0);
    expect(await page.getByTestId('requests').innerText()).toMatch(/ 0 to others\.$/);
    expect(await page.locator('polyline.transformer').getAttribute('points')).toMatch(/^[\d., ]+$/);
    expect(await page.locator('polyline.here').count()).toBe(0);
    await looked(page, `how-${device}`);
    expect(complaints).toEqual([]);
    // What is measured is the same on both.
    if (device === 'phone' && !EVERY_ROUND) return;
    await page.getByTestId('measure').click();
    await page.locator('[data-testid=how-status][data-kind=done]').waitFor({ state: 'attached' });
    const said = await page.getByTestId('flat-said').innerText();
    const [, position, percent] = /At token ([\d,]+) this device writes at (\d+) %/.exec(said) ?? [];
    console.log(said);
    expect(Number(position?.replace(',', ''))).toBeGreaterThan(60);
    // Other work on the machine bends the line; a cache's would be at a third of it.
    expect(Number(percent)).toBeGreaterThan(50);
    expect(await page.locator('polyline.here').count()).toBe(1);
    expect(await page.getByTestId('rates').innerText()).toMatch(/this device: .*, CPU\s+[\d.]+\s+[\d.]+/);
    await page.getByText('What the text says').click();
    expect(await page.getByTestId('issue-text').innerText()).toMatch(/^### Benchmark of [\s\S]+Decode[\s\S]+Speed along a text/);
    await page.getByTestId('copy-issue').click();
    await page.getByText('Copied', { exact: true }).or(page.getByText('does not let the page copy')).waitFor();
    await looked(page, `how-measured-${device}`);
    expect(await page.getByTestId('requests').innerText()).toMatch(/ 0 to others\.$/);
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});
