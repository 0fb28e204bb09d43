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
import { savedConversations } from './saved-conversations';
import { Site } from './site';
import { TEXTS } from './texts-said';

const site = new Site(DIST);
const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');

site.slow('/slow.gguf');
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

/** Names of what is animated for longer than a moment. */
function moving(): string[] {
  return document.getAnimations().flatMap((animation) => {
    const { duration, iterations } = animation.effect?.getComputedTiming() ?? {};
    return Number(duration) > 1 || (iterations ?? 1) > 1 ? [(animation as CSSAnimation).animationName ?? 'transition'] : [];
  });
}

/** All that a chat can hold, and a text that is longer than the demo model was trained for. */
const SAID: Record<string, [string, string][]> = {
  Everything: [
    ['How do I count?', 'So:\n\n```js\nfor (let i = 0; i < 3; i += 1) console.log(`a line that is longer than a phone is wide: ${i}`);\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted [link](https://example.org)'],
    ['And then?', ''],
  ],
  Texts: TEXTS,
  Long: [[`Count: ${'one two three four five six seven eight nine ten '.repeat(220)}`, 'Many.']],
};

/** Each state is looked at by day and by night: the first is the one that the page is opened in. */
test.each([
  ['desktop', { width: 1200, height: 800 }, ['light', 'dark']],
  ['phone', { width: 390, height: 780 }, ['dark', 'light']],
] as const)('%s', async (device, viewport, colorSchemes) => {
  const phone = device === 'phone';
  // The policy of the page would keep axe out.
  const browser = await openBrowser({ webgpu: false, colorScheme: colorSchemes[0], viewport, reducedMotion: 'reduce', isMobile: phone, hasTouch: phone, bypassCSP: true });
  try {
    const chat = new ChatPage(await browser.newPage());
    const { page } = chat;
    const look = async (state: string) => {
      for (const colorScheme of colorSchemes) {
        const name = `${device}-${colorScheme}-${state}`;
        await page.emulateMedia({ colorScheme });
        await picture(page, name);
        expect(await violations(page), name).toEqual([]);
        expect(await page.evaluate(moving), `${name}: moves, though less motion was asked for`).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(overflow, `${name}: sideways scrolling`).toBeLessThanOrEqual(0);
      }
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
    await page.getByTestId('document-file').setInputFiles({ name: 'Port Wenlow, 1990 to 2013.pdf', mimeType: 'application/pdf', buffer: await pdf(longChapters(24)) });
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
    const menu = async () => phone && (await page.getByTestId('open-menu').click());
    const row = (title: string) => page.getByTestId('chats').locator('li', { hasText: title });
    await menu();
    await page.getByTestId('import-chats').setInputFiles(savedConversations(SAID));
    await page.getByText('3 conversations came in.').waitFor();
    await look('i-imported');
    await row('Everything').getByTestId('chat-more').click();
    await page.getByTestId('chat-rename').click();
    await look('j-rename');
    await page.keyboard.press('Escape');
    await row('Everything').getByTestId('chat-more').click();
    await page.getByTestId('chat-delete').click();
    await look('k-delete');
    await page.getByTestId('chat-keep').click();
    await row('Everything').locator('.chat-open').click();
    await page.locator('.code').waitFor();
    await look('l-code');
    await page.getByTestId('edit').first().click();
    await look('m-edit');
    await page.getByTestId('edit-cancel').click();
    await menu();
    await row('Texts').locator('.chat-open').click();
    await page.waitForFunction(() => document.querySelectorAll('.formula > :is(math, code)').length === 6);
    await look('r-texts');
    await menu();
    await row('Long').locator('.chat-open').click();
    await page.getByText('Many.').waitFor();
    await page.getByTestId('again-several').click();
    await page.getByTestId('several').waitFor();
    await look('n-several');
    await page.getByTestId('past-context').waitFor();
    await look('o-past-context');
    await chat.stats.last().waitFor();
    await page.goto(site.url);
    await chat.backend.waitFor();
    await page.getByTestId('limits').locator('a').click();
    await page.getByTestId('model-card').getByRole('heading').first().waitFor();
    await look('p-model-card');
    await page.keyboard.press('Escape');
    await page.goto(`${site.url}bench.html`);
    await page.getByTestId('measure').waitFor();
    await look('q-benchmark');
    await page.goto(`${site.url}?model=falcon-mamba-7b-instruct-q4_k_m`);
    await page.getByTestId('licence-accept').waitFor();
    await look('7-licence');
    await page.getByTestId('licence-decline').click();
    await page.goto(`${site.url}?model=slow.gguf`);
    await page.getByTestId('pause').waitFor();
    await page.waitForFunction(() => document.querySelector('.amount')?.textContent?.includes('/s'));
    // Seen, and not only there: on a phone too.
    expect(await page.getByTestId('progress').innerText()).toMatch(/MB of 4\.2 GB\s*· [\d.]+ [kM]B\/s · [\d.]+ (min|h|s)/);
    const { clipped, speed } = await page.locator('.amount').evaluate((amount) => ({
      clipped: amount.scrollWidth > amount.clientWidth + 1, speed: amount.querySelector('.speed')!.getBoundingClientRect().toJSON() as DOMRect,
    }));
    expect(clipped).toBe(false);
    expect(speed.width).toBeGreaterThan(40);
    expect(speed.right).toBeLessThanOrEqual(viewport.width);
    await look('8-downloading');
    await page.getByTestId('pause').click();
    await page.getByTestId('resume').waitFor();
    await look('9-paused');
    await page.getByTestId('model-picker').click();
    await page.getByTestId('remove-model').first().click();
    await look('r-storage');
    await page.keyboard.press('Escape');
    await page.goto(`${site.url}?model=missing.gguf`);
    await chat.error.waitFor();
    await look('6-error');
    await page.goto(`${site.url}?${new URLSearchParams({ model: `https://xn--80ak6aa92e.example:8443/${'folder/'.repeat(60)}model.gguf`, state: 'https://states.example/a.state' })}`);
    await page.getByTestId('link-accept').waitFor();
    await look('v-link');
    await page.getByTestId('link-decline').click();
    await chat.error.waitFor();
    await look('w-declined');
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => 4 }));
    await page.goto(site.url);
    await page.getByTestId('offer').waitFor();
    await look('s-refused-offer');
    await page.getByTestId('offer-other').click();
    await look('t-refused-models');
    await page.goto(`${site.url}?model=falcon-mamba-7b-instruct-q4_k_m`);
    await chat.error.waitFor();
    await look('u-refused');
  } finally {
    await browser.close();
  }
});
