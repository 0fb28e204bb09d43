/** Pictures of every state, wide and narrow, light and dark, for people to look at; and what axe says of each. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { longChapters, pdf } from '../../web/test/make-documents';
import { openBrowser, picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

const site = new Site(DIST);
const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');

// A download that never ends.
site.answer('/slow.gguf', (_, response) => {
  response.writeHead(206, { 'content-length': 16 * 1024 * 1024, 'content-range': `bytes 0-${16 * 1024 * 1024 - 1}/${4_200_000_000}`, etag: '"1"' });
  response.write('GGUF');
  const timer = setInterval(() => (response.destroyed ? clearInterval(timer) : response.write(Buffer.alloc(100_000))), 100);
});
beforeAll(() => site.start());
afterAll(() => site.stop());

/** What axe finds wrong, as "rule: element" lines. */
async function violations(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

test.each([
  ['desktop', 'light', { width: 1200, height: 800 }],
  ['desktop', 'dark', { width: 1200, height: 800 }],
  ['phone', 'light', { width: 390, height: 780 }],
  ['phone', 'dark', { width: 390, height: 780 }],
] as const)('%s, %s', async (device, colorScheme, viewport) => {
  const phone = device === 'phone';
  // The policy of the page would keep axe out.
  const browser = await openBrowser({ webgpu: false, colorScheme, viewport, reducedMotion: 'reduce', isMobile: phone, hasTouch: phone, bypassCSP: true });
  try {
    const chat = new ChatPage(await browser.newPage());
    const { page } = chat;
    const look = async (state: string) => {
      await picture(page, `${device}-${colorScheme}-${state}`);
      expect(await violations(page), state).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow, `${state}: sideways scrolling`).toBeLessThanOrEqual(0);
    };
    await page.addInitScript({ content: axe });
    await page.goto(site.url);
    await chat.progress.waitFor();
    await look('1-loading');
    await chat.backend.waitFor();
    await look('2-welcome');
    await page.getByTestId('suggestion').first().click();
    await chat.answerGrowsTo(60);
    await look('3-answering');
    await chat.stats.first().waitFor();
    await look('4-answered');
    await page.getByTestId('figures').click();
    await page.getByTestId('plot').locator('canvas').waitFor();
    await look('a-figures');
    await page.getByTestId('figures').click();
    await page.getByTestId('settings').click();
    await page.getByTestId('preset-service').check();
    await page.getByTestId('knowledge-text').waitFor();
    await look('b-settings');
    await page.keyboard.press('Escape');
    if (phone) await page.getByTestId('open-menu').click();
    await page.getByTestId('chat-more').first().click();
    await look('c-conversations');
    await page.getByTestId('view-documents').click();
    await look('d-documents');
    await page.getByTestId('document-file').setInputFiles({ name: 'Port Wenlow, 1990 to 2001.pdf', mimeType: 'application/pdf', buffer: await pdf(longChapters(12)) });
    await page.getByTestId('summarise').click();
    await page.getByTestId('summary-progress').waitFor();
    await look('e-summarising');
    await page.getByTestId('summary-result').waitFor();
    await page.getByTestId('summary').locator('summary').click();
    await look('f-summary');
    await page.getByTestId('tab-questions').click();
    await page.getByTestId('document-question').fill('How many boats were there in 1995?');
    await page.getByTestId('document-ask').click();
    await page.locator('[data-testid=document-answer][aria-busy=false]').waitFor();
    await look('g-question');
    await page.getByTestId('tab-text').click();
    await look('h-text');
    if (phone) await page.getByTestId('open-menu').click();
    await page.getByTestId('view-chat').click();
    await page.getByTestId('model-picker').click();
    await look('5-models');
    await page.keyboard.press('Escape');
    await page.goto(`${site.url}?model=falcon-mamba-7b-instruct-q4_k_m`);
    await page.getByTestId('licence-accept').waitFor();
    await look('7-licence');
    await page.getByTestId('licence-decline').click();
    await page.goto(`${site.url}?model=slow.gguf`);
    await page.getByTestId('pause').waitFor();
    await page.waitForFunction(() => document.querySelector('.amount')?.textContent?.includes('/s'));
    await look('8-downloading');
    await page.getByTestId('pause').click();
    await page.getByTestId('resume').waitFor();
    await look('9-paused');
    await page.goto(`${site.url}?model=missing.gguf`);
    await chat.error.waitFor();
    await look('6-error');
  } finally {
    await browser.close();
  }
});
