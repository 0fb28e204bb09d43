/** Shortcuts, the palette, own prompts, pins, and the list of what stays here with its button that deletes all. The tests follow on one another. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { picture, storedRows } from './browser';
import type { ChatPage } from './chat-page';
import { cutOff } from './cut-off';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { Site } from './site';

const site = new Site(DIST);
const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

// The policy of the page would keep axe out.
withPage(site, { bypassCSP: true, reducedMotion: 'reduce' }, complaints, (opened) => ({ chat, page } = opened), '');

const isOpen = (id: string) => page.getByTestId(id).evaluate((dialog) => (dialog as HTMLDialogElement).open);
const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'));

async function violations(): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    return (await axe.run()).violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

test('`?` shows the shortcuts, Escape closes them, and in the message box it is a letter', async () => {
  await page.getByTestId('import-chats').setInputFiles(savedConversations({ Rivers: [['Which is the longest?', 'The Nile, or the Amazon.']], Hills: [['Which is the highest?', 'None.']] }));
  await page.getByTestId('chats').getByText('Hills').waitFor();
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await page.keyboard.press('?');
  await page.locator('.shortcuts').waitFor();
  expect(await isOpen('shortcuts-dialog')).toBe(true);
  expect(await violations()).toEqual([]);
  await page.keyboard.press('Escape');
  expect(await isOpen('shortcuts-dialog')).toBe(false);
  await page.keyboard.press('/');
  expect(await focused()).toBe('chat-input');
  await page.keyboard.type('so?/');
  expect(await chat.input.inputValue()).toBe('so?/');
  await chat.input.fill('');
});

test('Ctrl+K finds a conversation by what was said in it, a role, and what can be done', async () => {
  const search = page.getByTestId('palette-search');
  const chosen = page.locator('.palette-item[aria-selected=true]');
  await page.keyboard.press('Control+k');
  await search.waitFor();
  expect(await violations()).toEqual([]);
  await page.keyboard.type('amazon');
  await chosen.getByText('Rivers').waitFor();
  await page.keyboard.press('Enter');
  await page.getByTestId('message-user').getByText('longest').waitFor();
  expect(await isOpen('palette-dialog')).toBe(false);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('role translator');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('behaviour');
  await page.keyboard.press('Enter');
  expect(await page.getByTestId('preset-translator').isChecked()).toBe(true);
  // In a dialog, keys are the dialog's.
  await page.keyboard.press('Control+k');
  expect(await isOpen('palette-dialog')).toBe(false);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  await page.keyboard.press('ArrowUp');
  expect(await chosen.evaluate((item) => item === [...document.querySelectorAll('.palette-item')].at(-1))).toBe(true);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+Shift+O');
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=message-user]').length === 0);
  expect(await focused()).toBe('chat-input');
});

test('a conversation’s buttons close by Escape and by a press elsewhere; a pin keeps it on top', async () => {
  const titles = () => page.locator('.chat-title').allInnerTexts();
  expect(await titles()).toEqual(['Hills', 'Rivers']);
  const more = page.getByTestId('chat-more');
  await more.last().click();
  await page.getByTestId('chat-pin').waitFor();
  await page.keyboard.press('Escape');
  expect(await page.getByTestId('chat-pin').count()).toBe(0);
  expect(await focused()).toBe('chat-more');
  await more.last().click();
  await page.locator('.header').click({ position: { x: 400, y: 10 } });
  expect(await page.getByTestId('chat-pin').count()).toBe(0);
  await more.last().click();
  await page.getByTestId('chat-pin').click();
  await page.waitForFunction(() => document.querySelector('.chat-title')?.textContent?.includes('Rivers'));
  await page.reload();
  await chat.backend.waitFor();
  expect(await titles()).toEqual(['Rivers', 'Hills']);
  expect(await page.locator('.chat-pin').getAttribute('aria-label')).toBe('Pinned');
});

test('an own prompt asks for its blanks, goes into the message box, and is there after a reload', async () => {
  await page.getByTestId('side-prompts').click();
  await page.getByTestId('prompt-add').click();
  await page.getByTestId('prompt-text').fill('Explain {{topic}} to {{whom}}, not to {{topic}}.');
  await page.getByTestId('prompt-save').click();
  await page.getByTestId('prompt-use').waitFor();
  expect(await violations()).toEqual([]);
  await page.reload();
  await page.getByTestId('side-prompts').click();
  await page.getByTestId('prompt-use').click();
  await page.getByTestId('prompt-blank').first().fill('tides');
  await page.getByTestId('prompt-blank').last().fill('a child');
  await page.getByTestId('prompt-put').click();
  expect(await chat.input.inputValue()).toBe('Explain tides to a child, not to tides.');
  await chat.input.fill('');
});

test('forced colours keep bubbles and marks', async () => {
  await page.getByTestId('chats').getByText('Rivers').click();
  await page.getByTestId('message-user').waitFor();
  await page.emulateMedia({ forcedColors: 'active' });
  const seen = (selector: string) => page.locator(selector).first().evaluate((element) => {
    const { borderTopStyle, outlineStyle } = getComputedStyle(element);
    return [borderTopStyle, outlineStyle].some((style) => style !== 'none');
  });
  for (const selector of ['.bubble', '.view[aria-current=page]', '.chat[aria-current=true] .chat-main', '.act']) expect(await seen(selector), selector).toBe(true);
  await page.keyboard.press('Control+k');
  await page.locator('.palette-item').first().waitFor();
  expect(await seen('.palette-item[aria-selected=true]')).toBe(true);
  await picture(page, 'hands-forced');
  await page.keyboard.press('Escape');
  await page.emulateMedia({ forcedColors: 'none' });
});

test('at 320 px nothing is cut off, in any dialog, by day and by night', async () => {
  const size = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  const look = async (name: string) => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await picture(page, `hands-320-${colorScheme}-${name}`);
      expect(await violations(), `${name} ${colorScheme}`).toEqual([]);
    }
    expect(await page.evaluate(cutOff), name).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  };
  await look('chat');
  const open = async (testId: string, inside: string) => {
    await page.getByTestId('open-menu').click();
    await page.getByTestId(testId).click();
    await page.getByTestId(inside).waitFor();
    await look(inside);
    await page.keyboard.press('Escape');
  };
  await open('show-kept', 'kept');
  await open('side-prompts', 'prompts');
  for (const [key, inside] of [['?', '.shortcuts'], ['Control+k', '.palette-item'], ['settings', '.roles'], ['model-picker', '.models']] as const) {
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    if (key.length > 1 && !key.includes('+')) await page.getByTestId(key).click();
    else await page.keyboard.press(key);
    await page.locator(`dialog[open] ${inside}`).first().waitFor();
    await look(inside.slice(1));
    await page.keyboard.press('Escape');
  }
  await page.setViewportSize(size ?? { width: 1200, height: 800 });
});

test('what stays here is listed with its sizes, and one button deletes all of it', async () => {
  await page.keyboard.press('Control+Shift+O');
  await page.getByTestId('suggestion').first().waitFor();
  await chat.ask('Why is the sky blue?');
  await page.getByTestId('show-kept').click();
  await page.getByTestId('kept').waitFor();
  const counts = Object.fromEntries(await Promise.all(['models', 'states', 'conversations', 'documents', 'settings'].map(
    async (kind) => [kind, Number(await page.getByTestId(`kept-${kind}`).locator('.kept-count').innerText())] as const)));
  expect(counts).toMatchObject({ models: 1, conversations: 3, documents: 0 });
  expect(counts.states).toBeGreaterThan(0);
  expect(counts.settings).toBeGreaterThan(0);
  expect(await page.getByTestId('kept-models').locator('.kept-bytes').innerText()).toMatch(/^2\d\.\d MB$/);
  expect(await violations()).toEqual([]);
  await page.getByTestId('forget-all').click();
  // Enter once too often deletes nothing.
  expect(await focused()).toBe('kept-keep');
  await page.keyboard.press('Enter');
  expect(await page.getByTestId('forget-all').isVisible()).toBe(true);
  // Until the page begins anew, nothing may fetch the model again.
  const release = site.hold('/models/web-mamba-demo-31m-v2-q4_k_m.gguf');
  await page.getByTestId('forget-all').click();
  await page.getByTestId('forget-confirm').click();
  await page.getByTestId('erased').waitFor();
  expect(await page.getByTestId('erased').innerText()).toContain('was deleted');
  expect(await page.locator('.chat-title').count()).toBe(0);
  expect(await page.evaluate(async () => (await caches.keys()).length + sessionStorage.length)).toBeLessThanOrEqual(1);
  expect(new URL(page.url()).search).toBe('');
  release();
  await chat.backend.waitFor();
  expect((await storedRows(page)).models).toBe(1);
  expect(complaints).toEqual([]);
});
