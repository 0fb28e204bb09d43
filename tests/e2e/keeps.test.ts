/** What a visitor brings and keeps: one's own export twice, ChatGPT's, answers read aloud by voices of the device, a hint at installing, the role. The tests follow on one another. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { Site } from './site';

const { zipSync, strToU8 } = createRequire(path.join(DIST, '../package.json'))('fflate') as typeof import('../../web/node_modules/fflate');

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

interface Voices {
  voices: { name: string; lang: string; localService: boolean; default: boolean }[];
  spoken: { text: string; voice: string }[];
}

/** A headless browser has no voices: these say what they are asked to. */
function pretendToSpeak(): void {
  const state: Voices = { voices: [], spoken: [] };
  const synthesis = Object.assign(new EventTarget(), {
    getVoices: () => state.voices,
    speak: (utterance: EventTarget & { text: string; voice: { name: string } }) => {
      state.spoken.push({ text: utterance.text, voice: utterance.voice.name });
      setTimeout(() => utterance.dispatchEvent(new Event('end')), 300);
    },
    cancel: () => undefined,
  });
  Object.defineProperty(window, 'speechSynthesis', { value: synthesis });
  Object.defineProperty(window, 'SpeechSynthesisUtterance', { value: class extends EventTarget { voice = null; lang = ''; constructor(readonly text: string) { super(); } } });
  Object.assign(window, { pretended: state });
}

withPage(site, {}, complaints, async (opened) => {
  ({ chat, page } = opened);
  await page.addInitScript(pretendToSpeak);
  await page.goto(site.url);
  await chat.backend.waitFor();
});

/** As a browser offers it, which may have done so itself. */
const offer = () => page.evaluate(() => {
  const event = Object.assign(new Event('beforeinstallprompt', { cancelable: true }), { prompt: async () => void Object.assign(window, { asked: true }) });
  window.dispatchEvent(event);
  return event.defaultPrevented;
});

const titles = () => page.locator('.chat-title').allInnerTexts();
const give = (name: string, buffer: Buffer) => page.getByTestId('import-chats').setInputFiles({ name, mimeType: '', buffer });

test('nothing is hinted at before the page has been of use', async () => {
  await offer();
  await page.getByTestId('suggestion').first().waitFor();
  expect(await page.getByTestId('install-hint').count()).toBe(0);
});

test('one’s own export adds nothing, however often it comes', async () => {
  await page.getByTestId('import-chats').setInputFiles(savedConversations({ Tides: [['Why?', 'The **moon**.\n\n- one\n- two']], Rain: [['When?', 'Soon.']] }));
  await page.getByText('2 conversations came in.').waitFor();
  const downloading = page.waitForEvent('download');
  await page.getByTestId('export-chats').click();
  const file = readFileSync(await (await downloading).path());
  for (const round of [1, 2]) {
    await give(`again-${round}.json`, file);
    await page.getByText('Nothing came in. 2 were here already.').waitFor();
    expect((await titles()).sort()).toEqual(['Rain', 'Tides']);
    await page.getByTestId('chat-search').fill(`x${round}`);
    await page.getByTestId('chat-search').fill('');
    await page.waitForFunction(() => document.querySelectorAll('.chat-title').length === 2);
  }
});

const said = (role: string, ...parts: unknown[]) => ({ author: { role }, content: { content_type: 'text', parts }, recipient: 'all', metadata: {} });
const MAPPING = {
  root: { id: 'root', parent: null, children: ['q'], message: null },
  q: { id: 'q', parent: 'root', children: ['a', 'b'], message: said('user', 'What is a delta?') },
  a: { id: 'a', parent: 'q', children: [], message: said('assistant', 'The end of a river.') },
  b: { id: 'b', parent: 'q', children: [], message: said('assistant', 'A Greek letter:\n\n```js\nconst delta = "Δ";\n```') },
};
const CHATGPT = JSON.stringify([{ title: 'Deltas', create_time: 1.7e9, update_time: 1.7e9 + 60, current_node: 'b', mapping: MAPPING }]);

test('ChatGPT’s export comes in from its zip, with its branches and its code in colours', async () => {
  await give('export.zip', Buffer.from(zipSync({ 'conversations.json': strToU8(CHATGPT), 'picture.png': new Uint8Array(100_000) })));
  await page.getByText('One conversation came in.').waitFor();
  await give('conversations.json', Buffer.from(CHATGPT));
  await page.getByText('Nothing came in. One was here already.').waitFor();
  await page.getByTestId('chats').getByText('Deltas').click();
  await page.locator('.code-keyword').getByText('const').waitFor();
  expect(await page.getByTestId('branches').innerText()).toContain('2 of 2');
  await page.getByTestId('branch-earlier').click();
  await chat.answers.getByText('The end of a river.').waitFor();
  await give('x.zip', Buffer.from(zipSync({ 'a.txt': strToU8('x') })));
  await chat.error.waitFor();
  expect(await chat.error.innerText()).toContain('ChatGPT');
  await page.locator('.error-close').click();
});

test('answers are read aloud by a voice of the device; where there are only others, there is no button', async () => {
  const setVoices = (voices: Voices['voices']) => page.evaluate((given) => {
    (window as unknown as { pretended: Voices }).pretended.voices = given;
    speechSynthesis.dispatchEvent(new Event('voiceschanged'));
  }, voices);
  const remote = { name: 'Cloud', lang: 'en-US', localService: false, default: true };
  await page.getByTestId('chats').getByText('Tides').click();
  await chat.answers.getByText('moon').waitFor();
  await setVoices([remote]);
  expect(await page.getByTestId('read-aloud').count()).toBe(0);
  await setVoices([remote, { name: 'Here', lang: 'en-GB', localService: true, default: false }]);
  const button = page.getByTestId('read-aloud');
  await button.click();
  expect(await button.getAttribute('aria-pressed')).toBe('true');
  expect(await page.evaluate(() => (window as unknown as { pretended: Voices }).pretended.spoken)).toEqual(['The moon.', 'one', 'two'].map((text) => ({ text, voice: 'Here' })));
  await page.waitForFunction(() => document.querySelector('[data-testid=read-aloud]')?.getAttribute('aria-pressed') === 'false');
  await button.click();
  await button.click();
  expect(await button.getAttribute('aria-pressed')).toBe('false');
});

test('the role is said in the chat, and can be changed from there', async () => {
  await page.getByTestId('side-new-chat').click();
  expect(await page.getByTestId('role-line').count()).toBe(0);
  await page.getByTestId('settings').click();
  await page.getByTestId('preset-writer').check();
  await page.keyboard.press('Escape');
  await page.getByText('Role: Writer').waitFor();
  await page.getByTestId('role-line').getByRole('button').click();
  await page.getByTestId('system-text').fill('Be brief.');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await page.getByText('Role: Writer, with your own instructions').waitFor();
});

test('installing is hinted at once the page has been of use, and never again', async () => {
  expect(await offer()).toBe(true);
  await page.getByTestId('chats').getByText('Rain').click();
  await page.getByTestId('install').click();
  expect(await page.evaluate(() => (window as unknown as { asked?: boolean }).asked)).toBe(true);
  await page.getByTestId('install-hint').waitFor({ state: 'detached' });
  await page.reload();
  await chat.backend.waitFor();
  await offer();
  await chat.answers.getByText('Soon.').waitFor();
  expect(await page.getByTestId('install-hint').count()).toBe(0);
  expect(complaints).toEqual([]);
});
