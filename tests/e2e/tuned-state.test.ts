/** The page with a state that another program tuned: `?state=` begins new chats from it, a reload keeps it, and other chats are as they were. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { expect, test } from 'vitest';
import { openBrowser, picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS, ROOT } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';
import { lastStored } from './stored';

const TUNED = path.join(ROOT, 'tests/golden/states/tuned');
/** What the native tool writes after the question, from zeros and from each file. */
const { question, answers } = JSON.parse(readFileSync(path.join(TUNED, 'answers.json'), 'utf8')) as { question: string; answers: Record<string, string> };
const site = new Site(DIST);
site.mount('/golden/', GOLDEN_MODELS);
site.mount('/tuned/', TUNED);
let browser: BrowserContext;

withBrowser(site, { acceptDownloads: true }, (opened) => (browser = opened));

async function visit(query: Record<string, string>, visitor = browser): Promise<ChatPage> {
  const page = await visitor.newPage();
  const address = new URL(site.url);
  const common = { backend: 'cpu', workers: '1', activations: 'f32', model: 'golden/rwkv7-a-F32.gguf' };
  for (const [name, value] of Object.entries({ ...common, ...query })) address.searchParams.set(name, value);
  await page.goto(address.href);
  const chat = new ChatPage(page);
  await chat.backend.waitFor();
  return chat;
}

async function ask(chat: ChatPage): Promise<string> {
  await chat.ask(question);
  expect(await chat.error.count()).toBe(0);
  await expect.poll(() => new URL(chat.page.url()).searchParams.get('chat')).not.toBeNull();
  return lastStored(chat.page);
}

async function askInNewChat(chat: ChatPage): Promise<string> {
  await chat.page.getByTestId('side-new-chat').click();
  return ask(chat);
}

/** The answer to the same question once more, in the conversation that is shown. */
async function askAgain(chat: ChatPage): Promise<string> {
  const before = await chat.answers.count();
  await chat.ask(question);
  expect(await chat.answers.count()).toBe(before + 1);
  return lastStored(chat.page);
}

test('chats begin from a tuned state, a reload keeps it, and chats without it are not affected', async () => {
  const plain = await visit({});
  await plain.page.getByTestId('settings').click();
  await plain.page.getByTestId('sampling-temperature').fill('0');
  await plain.page.getByTestId('sampling-maxTokens').fill('32');
  await plain.page.keyboard.press('Tab');
  await plain.page.keyboard.press('Escape');
  expect(await ask(plain)).toBe(answers.none);
  const without = new URL(plain.page.url()).searchParams.get('chat') ?? '';
  await plain.page.close();

  const begun = await visit({ state: 'tuned/time-state.pth' });
  await begun.page.getByTestId('tuned-state').waitFor();
  expect(await begun.page.getByTestId('tuned-state').innerText()).toContain('time-state.pth');
  expect(await begun.page.getByTestId('tuned-state').innerText()).toContain('value by key');
  await picture(begun.page, 'tuned-state');
  expect(await ask(begun)).toBe(answers['time-state.pth']);
  expect(answers['time-state.pth']).not.toBe(answers.none);
  const second = await askAgain(begun);
  const chat = new URL(begun.page.url()).searchParams.get('chat') ?? '';

  // The chat that was made without it goes on without it, in this very engine.
  await begun.page.reload();
  await begun.backend.waitFor();
  expect(await askInNewChat(begun)).toBe(answers['time-state.pth']);
  await begun.page.close();
  const before = await visit({ state: 'tuned/time-state.pth', chat: without });
  const fromZeros = await askAgain(before);
  await before.page.close();
  const again = await visit({ chat: without });
  await again.answers.nth(1).waitFor();
  await again.page.close();
  const zeros = await visit({});
  expect(await ask(zeros)).toBe(answers.none);
  expect(await askAgain(zeros)).toBe(fromZeros);
  // And one that began from it goes on from it where the address no longer names it.
  expect(second).not.toBe(fromZeros);
  await zeros.page.close();
  const later = await visit({ chat });
  await later.answers.nth(1).waitFor();
  await later.page.getByTestId('again').last().click();
  await later.page.getByTestId('branches').last().waitFor();
  await expect.poll(() => lastStored(later.page), { timeout: 20_000 }).toBe(second);
  expect(await later.error.count()).toBe(0);
  expect(await askInNewChat(later)).toBe(answers.none);
  await later.page.close();
});

test.each(['time-state-web-rwkv.st', 'time-state.safetensors'])('%s begins a chat as it does natively', async (name) => {
  const chat = await visit({ state: `tuned/${name}` });
  await chat.page.getByTestId('tuned-state').waitFor();
  expect(await ask(chat)).toBe(answers[name]);
  await chat.page.close();
});

test('the order can be said in the address', async () => {
  const chat = await visit({ state: 'tuned/time-state.pth', order: 'key-value' });
  expect(await chat.page.getByTestId('tuned-state').innerText()).toContain('key by value');
  expect(await ask(chat)).toBe(answers['time-state.pth, key-value']);
  await chat.page.close();
});

test('a tuned state of another model is refused, and the page chats without it', async () => {
  const chat = await visit({ state: 'tuned/time-state.pth', model: 'golden/mamba-tiny-Q8_0.gguf' });
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('tuned-state');
  await chat.input.fill(question);
  await chat.send.click();
  await chat.stats.last().waitFor();
  await chat.page.close();
});

test('a shared conversation goes on where its tuned state never was, and says so where it would have to be read anew', async () => {
  const chat = await visit({ state: 'tuned/time-state.pth' });
  await ask(chat);
  const [download] = await Promise.all([chat.page.waitForEvent('download'), chat.page.getByTestId('share-state').click()]);
  site.give('/friend.state', readFileSync(await download.path()));
  await chat.page.close();
  const friends = await openBrowser();
  const friend = await visit({ state: 'friend.state' }, friends);
  await friend.page.getByTestId('message-user').getByText(question).waitFor();
  expect(await friend.page.getByTestId('tuned-state').count()).toBe(0);
  expect((await friend.ask('And you?')).answer).not.toBe('');
  expect(await friend.error.count()).toBe(0);
  await friend.page.getByTestId('edit').first().click();
  await friend.page.getByTestId('edit-text').fill('Where are you?');
  await friend.page.getByTestId('edit-text').press('Enter');
  await friend.error.waitFor();
  expect(await friend.error.getAttribute('data-code')).toBe('state-beginning');
  await picture(friend.page, 'tuned-state-gone');
  // A new conversation is one from zeros.
  await friend.page.getByTestId('side-new-chat').click();
  expect((await friend.ask(question)).answer).not.toBe('');
  expect(await friend.error.count()).toBe(0);
  await friends.close();
});
