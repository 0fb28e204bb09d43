/** Conversations as a visitor keeps them: across reloads, in branches, as files, in a role. The tests follow on one another. */
import { readFileSync } from 'node:fs';
import type { BrowserContext, Download, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { Site } from './site';

const site = new Site(DIST);
const complaints: string[] = [];
let browser: BrowserContext;
let chat: ChatPage;
let page: Page;

withPage(site, { acceptDownloads: true }, complaints, (opened) => ({ browser, chat, page } = opened), '');

const titles = () => page.getByTestId('chats').locator('.chat-title').allInnerTexts();
const more = (title: string) => page.getByTestId('chats').locator('li', { hasText: title }).getByTestId('chat-more').click();
const read = async (download: Download) => readFileSync(await download.path(), 'utf8');

async function downloaded(click: () => Promise<void>): Promise<Download> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  return download;
}

test('the first visit says what this device can do, and offers one model with a word on how it would run', async () => {
  expect(await page.getByTestId('device').innerText()).toMatch(/Graphics: none that pages can use[\s\S]*Memory: [\s\S]*Storage: .* free[\s\S]*demo model runs here/);
  const offer = page.getByTestId('offer');
  expect(await offer.innerText()).toMatch(/RWKV-7 G1 1\.5B[\s\S]*1\.3 GB to download[\s\S]*1\.5 GB of memory[\s\S]*4,096 tokens/);
  // This browser has no WebGPU: what is offered is no larger than a processor reads in time.
  expect(await offer.getAttribute('data-verdict')).toBe('fits');
  expect(await offer.innerText()).toContain('This device can hold it.');
});

test('a conversation is there again after a reload, with its answers and figures', async () => {
  const { answer } = await chat.ask('Why is the sky blue?');
  expect(await titles()).toEqual(['Why is the sky blue?']);
  await page.reload();
  await page.getByTestId('message-assistant').waitFor();
  expect((await chat.answers.last().innerText()).trim()).toBe(answer);
  expect(await chat.stats.last().innerText()).toMatch(/tokens\/s · first word after/);
  await chat.backend.waitFor();
});

test('another answer and an edited question are branches; earlier ones come back', async () => {
  const first = (await chat.answers.last().innerText()).trim();
  await page.getByTestId('again').click();
  await page.getByTestId('branches').waitFor();
  await chat.stats.last().waitFor();
  expect(await page.getByTestId('branches').innerText()).toContain('2 of 2');
  await page.getByTestId('branch-earlier').click();
  await page.getByText('1 of 2').waitFor();
  expect((await chat.answers.last().innerText()).trim()).toBe(first);
  await page.getByTestId('edit').click();
  await page.getByTestId('edit-text').fill('How do I make a cup of tea?');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('[data-testid=message-user]')?.textContent === 'How do I make a cup of tea?');
  await chat.stats.last().waitFor();
  await page.locator('.message.user').getByTestId('branch-earlier').click();
  await page.waitForFunction(() => document.querySelector('[data-testid=message-user]')?.textContent === 'Why is the sky blue?');
  // Of its two answers, the newer one is shown first.
  await page.locator('.message.assistant').getByTestId('branch-earlier').click();
  await page.getByText('1 of 2').nth(1).waitFor();
  expect((await chat.answers.last().innerText()).trim()).toBe(first);
});

test('an answer that was stopped goes on where it was', async () => {
  await page.getByTestId('new-chat').click();
  await chat.input.fill('Tell me a story about a brave mouse and a lion.');
  await chat.send.click();
  await chat.answerGrowsTo(40);
  await chat.stop.click();
  await page.getByTestId('carry-on').waitFor();
  const begun = (await chat.answers.last().innerText()).trim();
  await page.getByTestId('carry-on').click();
  await chat.answerGrowsTo(begun.length + 20);
  await chat.stats.last().waitFor();
  expect((await chat.answers.last().innerText()).trim().startsWith(begun)).toBe(true);
  expect(await chat.answers.count()).toBe(1);
});

test('figures are hidden until they are asked for; then, while an answer is written, its speed, first word, length and memory are seen, with a plot', async () => {
  await page.getByTestId('new-chat').click();
  await page.getByTestId('figure-rate').waitFor({ state: 'hidden' });
  await page.getByTestId('figures').click();
  await chat.input.fill('Tell me a story about a brave mouse and a lion.');
  // While the stop button is there.
  const seen = page.waitForFunction(() => {
    const live = [...document.querySelectorAll<HTMLElement>('.figure-list dd')].map(({ innerText }) => innerText).join('; ');
    return document.querySelector('[data-testid=stop]') && /^[\d.]+; [\d.]+ s; *\d+ of 2,048 trained; 1\.2 MB, constant$/.test(live);
  });
  await chat.send.click();
  await seen;
  await chat.stats.last().waitFor();
  const shown = () => page.locator('.stats .on-demand').last().evaluate((figures) => figures.getBoundingClientRect().width > 20);
  expect(await shown()).toBe(true);
  expect(await page.getByTestId('figure-state').innerText()).toMatch(/1\.2 MB, constant/);
  expect((await page.getByTestId('figure-position').innerText()).trim()).toMatch(/^\d+ of 2,048 trained$/);
  expect(Number(await page.getByTestId('figure-rate').innerText())).toBeGreaterThan(0);
  await page.getByTestId('plot').locator('canvas').waitFor();
  // A new chat has no figures yet, and the plot of the last one goes.
  await page.getByTestId('new-chat').click();
  await page.getByTestId('plot').locator('canvas').waitFor({ state: 'detached' });
  expect(await page.getByTestId('figure-first').innerText()).toBe('–');
  await page.goBack();
  await chat.stats.last().waitFor();
  await page.getByTestId('figures').click();
  expect(await shown()).toBe(false);
  await page.getByTestId('chat-more').first().click();
  await page.getByTestId('chat-delete').click();
  await page.getByTestId('chat-delete-confirm').click();
});

test('an answer and its code are copied, also where the page came over plain http and has no clipboard of its own', async () => {
  const text = 'Try\nthis <b>:\n\n```js\nconst one = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |';
  await page.getByTestId('import-chats').setInputFiles(savedConversations({ Code: [['How?', text]] }));
  await page.getByText('One conversation came in.').waitFor();
  await page.getByText('Code', { exact: true }).click();
  await page.locator('.code').waitFor();
  // Lines, tables, and HTML as the text that it is.
  expect(await page.locator('.answer p').first().innerText()).toBe('Try\nthis <b>:');
  expect(await page.locator('.answer td').allInnerTexts()).toEqual(['1', '2']);
  await browser.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: site.url });
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await page.locator('.code').getByTestId('copy').click();
  await page.locator('.code .copied').waitFor();
  expect(await copied()).toBe('const one = 1;');
  await page.locator('.under').getByTestId('copy').click();
  await expect.poll(copied).toBe(text);
  await page.evaluate(() => navigator.clipboard.writeText('before'));
  await page.evaluate(() => Object.defineProperty(navigator.clipboard, 'writeText', { value: undefined, configurable: true }));
  await page.waitForFunction(() => document.querySelector('.copied') === null);
  await page.locator('.code').getByTestId('copy').click();
  await page.locator('.code .copied').waitFor();
  expect(await copied()).toBe('const one = 1;');
  await more('Code');
  await page.getByTestId('chat-delete').click();
  await page.getByTestId('chat-delete-confirm').click();
});

test('the title is the conversation’s, and the browser’s way back leads through what was shown', async () => {
  await page.getByText('Why is the sky blue?').first().click();
  await page.waitForFunction(() => document.title === 'Why is the sky blue? · web-mamba');
  await page.getByTestId('view-documents').click();
  await page.waitForFunction(() => document.title === 'web-mamba');
  await page.getByTestId('side-new-chat').click();
  await page.getByTestId('suggestion').first().waitFor();
  await page.goBack();
  await page.locator('#documents:not([hidden])').waitFor();
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('[data-testid=message-user]')?.textContent === 'Why is the sky blue?');
  await page.goForward();
  await page.locator('#documents:not([hidden])').waitFor();
  await page.goBack();
});

test('two tabs on one conversation: what one writes, the other shows', async () => {
  const other = new ChatPage(await browser.newPage());
  await other.page.goto(page.url());
  await other.backend.waitFor();
  const before = await other.answers.count();
  await chat.ask('And the sea?');
  await expect.poll(() => other.answers.count()).toBe(before + 1);
  await expect.poll(async () => (await other.answers.last().innerText()).trim()).toBe((await chat.answers.last().innerText()).trim());
  await other.ask('And the sun?');
  await expect.poll(() => chat.answers.count()).toBe(before + 2);
  expect(await titles()).toHaveLength(2);
  await other.page.close();
});

test('conversations are found by their words, renamed, and deleted only when that is confirmed', async () => {
  await page.getByTestId('chat-search').fill('SKY BLUE');
  await page.waitForFunction(() => document.querySelectorAll('.chat-title').length === 1);
  expect(await titles()).toEqual(['Why is the sky blue?']);
  await page.getByTestId('chat-search').fill('zebra');
  await page.getByText('Nothing here holds “zebra”.').waitFor();
  await page.getByTestId('chat-search').fill('');
  await page.waitForFunction(() => document.querySelectorAll('.chat-title').length === 2);
  await more('Why is the sky');
  await page.getByTestId('chat-rename').click();
  await page.getByTestId('chat-name').fill('About the sky');
  await page.keyboard.press('Enter');
  await page.getByText('About the sky').waitFor();
  await more('Tell me a story');
  await page.getByTestId('chat-delete').click();
  await page.getByTestId('chat-delete-confirm').click();
  await page.waitForFunction(() => document.querySelectorAll('.chat-title').length === 1);
  await page.reload();
  await page.getByText('About the sky').waitFor();
  expect(await titles()).toEqual(['About the sky']);
});

test('Markdown and JSON go out, and JSON comes back; a wrong file changes nothing', async () => {
  await page.getByText('About the sky').click();
  await more('About the sky');
  const markdown = await downloaded(() => page.getByTestId('chat-markdown').click());
  expect(markdown.suggestedFilename()).toBe('About-the-sky.md');
  expect(await read(markdown)).toMatch(/^# About the sky\n\n## You\n\n[\s\S]+\n\n## Model\n\n/);
  const json = await downloaded(() => page.getByTestId('export-chats').click());
  expect(json.suggestedFilename()).toBe('conversations.json');
  const saved = await json.path();
  // A press elsewhere has closed its buttons.
  await more('About the sky');
  await page.getByTestId('chat-delete').click();
  await page.getByTestId('chat-delete-confirm').click();
  await page.getByTestId('no-chats').waitFor();
  await page.getByTestId('import-chats').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('import-file');
  await chat.error.getByRole('button', { name: 'Dismiss' }).click();
  await page.getByTestId('import-chats').setInputFiles(saved);
  await page.getByText('About the sky').click();
  // Every branch came back, not only the one that was shown.
  await page.locator('.message.user').getByTestId('branches').waitFor();
});

test('a role sets the system prompt of this conversation; knowledge is pasted; settings hold after a reload', async () => {
  await page.getByTestId('side-new-chat').click();
  await page.getByTestId('settings').click();
  await page.getByTestId('preset-service').check();
  // The page draws once a frame.
  await page.getByTestId('knowledge-text').waitFor();
  expect(await page.getByTestId('system-text').inputValue()).toContain('customer-service agent');
  await page.getByTestId('knowledge-text').fill('The shop opens at nine.');
  await page.getByTestId('sampling-temperature').fill('0');
  await page.getByTestId('sampling-maxTokens').fill('32');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await chat.ask('When does the shop open?');
  const [, tokens] = /([\d,]+) tokens(?!\/)/.exec(await chat.stats.last().innerText()) ?? [];
  expect(Number(tokens)).toBeGreaterThan(0);
  expect(Number(tokens)).toBeLessThanOrEqual(32);
  await page.reload();
  await chat.answers.last().waitFor();
  await page.getByTestId('settings').click();
  expect(await page.getByTestId('preset-service').isChecked()).toBe(true);
  expect(await page.getByTestId('knowledge-text').inputValue()).toBe('The shop opens at nine.');
  expect(await page.getByTestId('sampling-temperature').inputValue()).toBe('0');
  await page.getByTestId('sampling-reset').click();
  await page.waitForFunction(() => (document.querySelector('[data-testid=sampling-temperature]') as HTMLInputElement | null)?.value === '');
  await page.keyboard.press('Escape');
});

test('a number out of its range is not taken, and the range is said', async () => {
  await page.getByTestId('settings').click();
  await page.getByTestId('sampling-topP').fill('3');
  await page.keyboard.press('Tab');
  await page.getByText('From 0.05 to 1, please; 0.95 still holds.').waitFor();
  expect(await page.getByTestId('sampling-topP').inputValue()).toBe('3');
  expect(await page.getByTestId('sampling-topP').getAttribute('aria-invalid')).toBe('true');
  await page.getByTestId('sampling-topP').fill('0.5');
  await page.keyboard.press('Tab');
  await page.waitForFunction(() => document.querySelector('[data-testid=outside-topP]')?.textContent === '');
  await page.getByTestId('sampling-reset').click();
  await page.keyboard.press('Escape');
});

test('the translator takes a language; a prompt of one’s own comes back after another role replaced it', async () => {
  await page.getByTestId('side-new-chat').click();
  await page.getByTestId('settings').click();
  await page.getByTestId('preset-translator').check();
  await page.getByTestId('language').selectOption('Hindi');
  await expect.poll(() => page.getByTestId('system-text').inputValue()).toContain('into Hindi');
  await page.getByTestId('system-text').fill('Translate like a pirate.');
  await page.keyboard.press('Tab');
  await page.getByTestId('preset-writer').check();
  await expect.poll(() => page.getByTestId('system-text').inputValue()).toContain('experienced writer');
  await page.getByTestId('bring-back').click();
  await expect.poll(() => page.getByTestId('system-text').inputValue()).toBe('Translate like a pirate.');
  await page.getByTestId('preset-assistant').check();
  await page.keyboard.press('Escape');
});

test('past the trained context there is a notice, and the chat goes on', async () => {
  await chat.backend.waitFor();
  await page.getByTestId('side-new-chat').click();
  // Answers end when the model likes; this test only wants that they come.
  await page.getByTestId('settings').click();
  await page.getByTestId('sampling-maxTokens').fill('48');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await chat.ask(`Count the words: ${'one two three four five six seven eight nine ten '.repeat(220)}`);
  await page.getByTestId('past-context').waitFor();
  expect(await page.getByTestId('past-context').innerText()).toContain('2,048 tokens');
  expect((await chat.ask('Why is the sky blue?')).answer.length).toBeGreaterThan(0);
});

test('the console is clean', () => expect(complaints).toEqual([]));
