/** A model that thinks before it answers: its thoughts are folded away, are in nothing that is copied, and come only where they are asked for. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { scriptedModel } from './scripted-model';
import { Site } from './site';
import { lastStored } from './stored';

const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');
const QUESTION = 'What is two and two?';
const THOUGHT = 'One pair and one more.\n\nThat is two pairs.';
const ANSWER = 'Two and two are **four**.';
/** All that makes a page wider than a phone. */
const WIDE = [
  'The visitor asks for the sum, so I count:\n\n```js\nfor (let i = 0; i < 3; i += 1) console.log(`a line that is longer than a phone is wide: ${i}`);\n```',
  `\n\n| step | so far | left |\n|---|---|---|\n| one | 2 | 2 |\n| two | 4 | 0 |\n\n1. ${'and'.repeat(60)}\n2. $2 + 2 = 4$\n\n> Is it?`,
].join('');

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

// The policy of the page would keep axe out.
const OPTIONS = { acceptDownloads: true, bypassCSP: true, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'] } as const;
withPage(site, { ...OPTIONS, permissions: [...OPTIONS.permissions] }, complaints, async (opened) => {
  ({ chat, page } = opened);
  site.give('/thinker.gguf', scriptedModel({ thought: ['One pair and one more.', '\n\nThat is two pairs.\n'], answer: ['Two and two', ' are **four**.'] }));
  site.give('/endless.gguf', scriptedModel({ thought: ['One pair and one more.', '\n\nOr is it?'], answer: [''], endless: true }));
  page.setDefaultTimeout(20_000);
  await page.addInitScript({ content: axe });
  await visit('thinker.gguf');
});

async function visit(model: string): Promise<void> {
  await page.goto(`${site.url}?backend=cpu&workers=1&model=${model}`);
  await chat.backend.waitFor();
}

const think = () => page.getByTestId('think');
const thoughts = () => page.getByTestId('thoughts');
const thinks = (pressed: boolean) => page.locator(`[data-testid=think][aria-pressed=${pressed}]`).waitFor();

test('a model that can think does so where the switch says it, which is kept', async () => {
  await thinks(false);
  expect((await chat.ask(QUESTION)).answer).toBe('Two and two are four.');
  expect(await lastStored(page)).toBe(`\n${ANSWER}`);
  expect(await thoughts().count()).toBe(0);
  await page.getByTestId('copy').click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(ANSWER);
  await think().click();
  await thinks(true);
  expect((await chat.ask(QUESTION)).answer).toBe('Two and two are four.');
  expect(await lastStored(page)).toBe(`<think>\n${THOUGHT}\n</think>\n${ANSWER}`);
  await page.reload();
  await chat.backend.waitFor();
  await thinks(true);
  expect(await thoughts().count()).toBe(1);
});

test('thoughts are folded, and open on a click and by the keyboard', async () => {
  const inside = thoughts().locator('.answer');
  expect(await inside.isVisible()).toBe(false);
  await thoughts().locator('summary').click();
  expect(await inside.isVisible()).toBe(true);
  expect((await inside.innerText()).replace(/\s*\n\s*/g, '\n')).toBe('One pair and one more.\nThat is two pairs.');
  await thoughts().locator('summary').press('Enter');
  expect(await inside.isVisible()).toBe(false);
});

test('what is copied and what is exported to be read has no thoughts; what is kept has them', async () => {
  await page.getByTestId('copy').last().click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(ANSWER);
  const exported = async (id: string) => {
    if (!(await page.getByTestId(id).isVisible())) await page.getByTestId('chat-more').first().click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId(id).click()]);
    return readFileSync(await download.path(), 'utf8');
  };
  const markdown = await exported('chat-markdown');
  expect(markdown).toContain(ANSWER);
  expect(markdown).not.toMatch(/think|pair/);
  expect(await exported('chat-json')).toContain(JSON.stringify(`<think>\n${THOUGHT}\n</think>\n${ANSWER}`));
});

test('another answer without thoughts, and a following question, have none', async () => {
  await think().click();
  await page.getByTestId('again').last().click();
  await page.getByTestId('branches').waitFor();
  await chat.stats.last().waitFor();
  await expect.poll(() => lastStored(page)).toBe(`\n${ANSWER}`);
  expect(await thoughts().count()).toBe(0);
  await page.getByTestId('branch-earlier').click();
  await thoughts().waitFor();
});

test('a thought is seen while it grows, stays open where it was opened, and is kept where it is stopped', async () => {
  await visit('endless.gguf');
  await page.getByTestId('settings').click();
  await page.getByTestId('sampling-maxTokens').fill('8192');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await think().click();
  await chat.input.fill(QUESTION);
  await chat.send.click();
  await thoughts().waitFor();
  expect(await thoughts().locator('summary').innerText()).toContain('Thinking');
  await picture(page, 'thoughts-growing');
  await thoughts().locator('summary').click();
  await page.waitForFunction(() => (document.querySelector('.thoughts .answer')?.textContent ?? '').length > 200);
  expect(await thoughts().locator('.answer').isVisible()).toBe(true);
  await chat.stop.click();
  await chat.stats.last().waitFor();
  expect(await thoughts().locator('summary').innerText()).toBe('Thoughts');
  expect(await chat.answers.last().innerText()).toBe('');
  await picture(page, 'thoughts-stopped');
  expect(await page.getByTestId('copy').count()).toBe(0);
});

test('folded and open they fit a screen and a phone, by day and by night', async () => {
  await page.getByTestId('import-chats').setInputFiles(savedConversations({
    Sums: [[QUESTION, `<think>\n${WIDE}\n</think>\n${ANSWER}`], ['And three?', `<think>\nTwo more pairs.\n</think>\nSix.`]],
  }));
  await thinks(true);
  await page.getByTestId('chats').locator('li', { hasText: 'Sums' }).locator('.chat-open').click();
  await thoughts().first().waitFor();
  for (const [device, width, height] of [['desktop', 1200, 800], ['phone', 360, 740]] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const state of ['folded', 'open']) {
        const name = `thoughts-${device}-${colorScheme}-${state}`;
        await picture(page, name);
        expect(await violations(), name).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), name).toBeLessThanOrEqual(0);
        await thoughts().first().locator('summary').click();
      }
    }
  }
});

/** What axe finds wrong, as "rule: element" lines. */
async function violations(): Promise<string[]> {
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

test('the console is clean', () => expect(complaints).toEqual([]));
