/** The page with a keyboard alone: everything can be reached, and its place is never lost. The tests follow on one another. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { Site } from './site';

const site = new Site(DIST);
site.slow('/slow.gguf');
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

withPage(site, {}, complaints, (opened) => ({ chat, page } = opened), '');

/** What has the focus: its test id, else its element and class. */
const focused = () => page.evaluate(() => {
  const { activeElement: element } = document;
  return element?.getAttribute('data-testid') ?? `${element?.localName}.${element?.className}`;
});
const press = (key: string) => page.keyboard.press(key);

/** Presses Tab until something has the focus; gives what it came by. */
async function tabTo(id: string, key = 'Tab'): Promise<string[]> {
  const passed: string[] = [];
  for (let presses = 0; presses < 120; presses += 1) {
    await press(key);
    passed.push(await focused());
    if (passed.at(-1) === id) return passed;
  }
  throw new Error(`Tab never reaches ${id}: ${passed.join(', ')}`);
}

test('the first Tab offers to skip to the message box, and Enter does', async () => {
  await press('Tab');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('skip');
  await press('Enter');
  expect(await focused()).toBe('chat-input');
});

test('Tab comes by everything once, in the order that is seen, and each thing has a name and shows that it has the focus', async () => {
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await page.reload();
  await chat.backend.waitFor();
  const passed = await tabTo('figures');
  const expected = ['view-chat', 'view-documents', 'side-new-chat', 'chat-search', 'import-chats', 'model-picker', 'settings', 'suggestion', 'offer-get', 'offer-other', 'chat-input', 'figures'];
  expect(passed.filter((id) => expected.includes(id)).filter((id, index, all) => all.indexOf(id) === index)).toEqual(expected);
  const unseen = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('button, a[href], input, textarea, summary')].filter((each) => {
    if (!each.checkVisibility({ visibilityProperty: true }) || each.matches(':disabled')) return false;
    each.focus();
    const marked = [each, each.closest('.file')].some((one) => one && getComputedStyle(one).outlineStyle !== 'none') || each.closest('.composer');
    return !marked || !(each.ariaLabel ?? each.textContent ?? '').trim() && !(each as HTMLInputElement).labels?.length;
  }).map(({ outerHTML }) => outerHTML.slice(0, 120)));
  expect(unseen).toEqual([]);
});

test('a dialog gives the focus back to what opened it', async () => {
  for (const [opener, inside] of [['settings', 'preset-assistant'], ['model-picker', 'model-address']] as const) {
    await page.getByTestId(opener).focus();
    await press('Enter');
    await page.getByTestId(inside).waitFor();
    await tabTo(inside);
    await press('Escape');
    await page.waitForFunction(() => document.querySelector('dialog[open]') === null);
    expect(await focused()).toBe(opener);
  }
});

test('a question, another answer, a message that is edited and left as it was', async () => {
  await page.getByTestId('chat-input').focus();
  await page.keyboard.type('Why is the sky blue?');
  await press('Enter');
  expect(await focused()).toBe('chat-input');
  await chat.stats.first().waitFor();
  await tabTo('edit', 'Shift+Tab');
  await press('Enter');
  expect(await focused()).toBe('edit-text');
  await press('Escape');
  expect(await focused()).toBe('edit');
  await press('Enter');
  await tabTo('edit-cancel');
  await press('Enter');
  expect(await focused()).toBe('edit');
  await tabTo('again');
  await press('Enter');
  await page.getByTestId('branches').waitFor();
  expect(await focused()).toBe('chat-input');
  await chat.stats.last().waitFor();
});

test('Escape in the search box empties it and leaves the running answer alone', async () => {
  await page.getByTestId('chat-search').focus();
  await page.keyboard.type('x');
  await press('Escape');
  expect(await page.getByTestId('chat-search').inputValue()).toBe('');
  await page.getByTestId('chat-input').focus();
  await page.keyboard.type('Tell me a long story about a brave mouse and a lion.');
  // In the page itself: on its way through the protocol a key would come after the answer's end.
  const lengths = page.evaluate(() => new Promise<number[]>((resolve) => new MutationObserver((_, observer) => {
    const length = () => [...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent?.trim().length ?? 0;
    const escape = (id: string) => document.querySelector(`[data-testid=${id}]`)?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    if (!document.querySelector('[data-testid=stop]') || length() < 12) return;
    observer.disconnect();
    const before = length();
    escape('chat-search');
    setTimeout(() => {
      resolve([before, length()]);
      escape('chat-input');
    }, 100);
  }).observe(document.body, { childList: true, subtree: true, characterData: true })));
  await press('Enter');
  const [before = 0, after = 0] = await lengths;
  expect(after).toBeGreaterThan(before);
  await page.getByText('stopped').waitFor();
});

test('renaming and deleting keep the place in the list; the first press of Enter deletes nothing', async () => {
  await page.getByTestId('import-chats').setInputFiles(savedConversations({ Second: [['a', 'b']], First: [['c', 'd']] }));
  await page.getByText('2 conversations came in.').waitFor();
  const row = (title: string) => page.getByTestId('chats').locator('li', { hasText: title });
  const focusedRow = () => page.evaluate(() => document.activeElement?.closest('li')?.querySelector('.chat-title')?.textContent);
  await row('First').getByTestId('chat-more').focus();
  await press('Enter');
  await tabTo('chat-rename');
  await press('Enter');
  expect(await focused()).toBe('chat-name');
  await press('Escape');
  expect([await focused(), await focusedRow()]).toEqual(['chat-more', 'First']);
  await press('Enter');
  await tabTo('chat-rename');
  await press('Enter');
  await page.keyboard.type('Renamed');
  await press('Enter');
  await row('Renamed').waitFor();
  expect([await focused(), await focusedRow()]).toEqual(['chat-more', 'Renamed']);
  await press('Enter');
  await tabTo('chat-delete');
  await press('Enter');
  expect(await focused()).toBe('chat-keep');
  await press('Enter');
  expect([await focused(), await focusedRow()]).toEqual(['chat-more', 'Renamed']);
  await press('Enter');
  await tabTo('chat-delete');
  await press('Enter');
  await tabTo('chat-delete-confirm');
  await press('Enter');
  await page.waitForFunction(() => !document.body.textContent?.includes('Renamed'));
  expect([await focused(), await focusedRow()]).toEqual(['chat-more', 'Second']);
});

test('a download is paused and goes on with the same keys; an error that is dismissed leaves the keyboard at the message box', async () => {
  await page.goto(`${site.url}?model=slow.gguf`);
  await page.getByTestId('pause').focus();
  await press('Enter');
  await page.getByTestId('resume').waitFor();
  expect(await focused()).toBe('resume');
  await page.goto(`${site.url}?model=missing.gguf`);
  await chat.error.waitFor();
  await chat.error.getByRole('button', { name: 'Dismiss' }).focus();
  await press('Enter');
  await chat.error.waitFor({ state: 'detached' });
  await expect.poll(focused).toBe('chat-input');
  complaints.splice(0);
});

test('an error that comes while a dialog is open is shown in it, and outside when it is closed', async () => {
  await page.goto(site.url);
  await chat.backend.waitFor();
  await page.evaluate(() => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await page.getByTestId('settings').focus();
  await press('Enter');
  await page.getByTestId('sampling-topK').fill('7');
  await press('Tab');
  await page.getByTestId('settings-dialog').getByTestId('error').waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('app-room');
  expect(await chat.error.innerText()).not.toMatch(/[{}]/);
  const seen = await chat.error.evaluate((card) => {
    const { left, top, width, height } = card.getBoundingClientRect();
    return card.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  });
  expect(seen).toBe(true);
  await press('Escape');
  await page.locator('main').getByTestId('error').waitFor();
  await page.reload();
});

test('on a phone an error comes in the open drawer; a screen that becomes wide is no longer behind it', async () => {
  await page.setViewportSize({ width: 390, height: 780 });
  await chat.backend.waitFor();
  await page.getByTestId('open-menu').focus();
  await press('Enter');
  expect(await focused()).toBe('close-menu');
  await page.getByTestId('import-chats').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
  await page.locator('#sidebar').getByTestId('error').waitFor();
  expect(await page.locator('main[inert]').count()).toBe(1);
  await page.setViewportSize({ width: 1200, height: 800 });
  await page.waitForFunction(() => document.querySelector('main[inert], .sidebar.open') === null);
  await page.setViewportSize({ width: 390, height: 780 });
  await page.getByTestId('open-menu').focus();
  await press('Enter');
  await press('Escape');
  expect(await focused()).toBe('open-menu');
});

test('the console is clean', () => expect(complaints).toEqual([]));
