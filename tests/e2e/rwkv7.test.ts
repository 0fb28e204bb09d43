/**
 * The page with an RWKV-7 file: it chats, summarises, and goes on after a reload and in a browser that was killed, without reading
 * again what it had read. Its vocabulary is the World one, its template `rwkv-world`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { newProfile } from './browser';
import { ChatPage } from './chat-page';
import { DIST, GOLDEN_MODELS, ROOT } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';
import { SpawnedBrowser } from './spawned-browser';
import { lastStored, noteReading } from './stored';

const STATES = path.join(ROOT, 'tests/golden/states');
const TUNED = JSON.parse(readFileSync(path.join(STATES, 'tuned/answers.json'), 'utf8')) as { question: string; answers: Record<string, string> };
/** Of more than a hundred tokens each, in this vocabulary of bytes and a few words. */
const QUESTIONS = ['sky', 'sea', 'hill', 'mouse', 'lion'].map((thing) => `There is a ${thing}. ${`Nobody knows why the ${thing} is as it is.\n\n`.repeat(3)}Why is it?`);
/** So much less than this is not kept for the next visit. */
const LEAST_KEPT = 256;
const ANSWER_TOKENS = 32;
/** A software GPU is slow. */
const SHORT = 16;
const CPU = { model: 'golden/rwkv7-b-Q4_K_M.gguf', backend: 'cpu', workers: '1' };
const TUNED_CPU = { model: 'golden/rwkv7-a-F32.gguf', backend: 'cpu', workers: '1', activations: 'f32' };
const GPU = { model: 'golden/rwkv7-a-F32.gguf', backend: 'webgpu', activations: 'f32' };

const site = new Site(DIST);
site.mount('/golden/', GOLDEN_MODELS);
site.mount('/states/tuned/', path.join(STATES, 'tuned'));
site.mount('/converted/', STATES);
let browser: BrowserContext;

withBrowser(site, {}, (opened) => (browser = opened));

interface Visit {
  chat: ChatPage;
  page: Page;
  read(): Promise<number[]>;
}

async function visit(page: Page, query: Record<string, string>): Promise<Visit> {
  page.setDefaultTimeout(60_000);
  await page.setViewportSize({ width: 1200, height: 800 });
  const read = await noteReading(page);
  await page.goto(`${site.url}?${new URLSearchParams(query)}`);
  const chat = new ChatPage(page);
  await chat.backend.waitFor();
  return { chat, page, read };
}

async function alwaysTheLikeliest({ page }: Visit, tokens = ANSWER_TOKENS): Promise<void> {
  await page.getByTestId('settings').click();
  await page.getByTestId('sampling-temperature').fill('0');
  await page.getByTestId('sampling-maxTokens').fill(String(tokens));
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
}

/** Asks, and gives the answer as it is kept. */
async function answerOf({ chat, page }: Visit, question: string): Promise<string> {
  await chat.ask(question);
  expect(await chat.error.count()).toBe(0);
  await expect.poll(() => new URL(page.url()).searchParams.get('chat')).not.toBeNull();
  return lastStored(page);
}

const chatOf = ({ page }: Visit) => new URL(page.url()).searchParams.get('chat') ?? '';
const lines = (count: number) => Array.from({ length: count }, (_, line) => `Line ${line}: the keeper of lamp ${line * 7} wrote ${line} letters.`).join('\n\n');

async function summarise({ page }: Visit, text: string): Promise<void> {
  await page.getByTestId('view-documents').click();
  await page.getByText('Or paste a text').click();
  await page.getByTestId('document-text').fill(text);
  await page.getByTestId('document-add').click();
  await page.getByTestId('document-back').waitFor();
  await page.getByTestId('summarise').click();
}

test('a conversation and a document go on after a reload and in a browser that was killed, as if nothing had been', async () => {
  const undisturbed = await visit(await browser.newPage(), CPU);
  await alwaysTheLikeliest(undisturbed);
  const wanted: string[] = [];
  for (const question of QUESTIONS) wanted.push(await answerOf(undisturbed, question));
  expect(new Set(wanted).size).toBe(wanted.length);
  const readWanted = await undisturbed.read();
  await undisturbed.page.close();

  const profile = newProfile();
  const first = await SpawnedBrowser.start(profile);
  const talk = await visit(await first.page('about:blank'), CPU);
  await alwaysTheLikeliest(talk);
  for (const turn of [0, 1, 2]) expect(await answerOf(talk, QUESTIONS[turn] ?? '')).toBe(wanted[turn]);
  const chat = chatOf(talk);
  await talk.page.reload();
  await talk.chat.backend.waitFor();
  await talk.chat.answers.nth(2).waitFor();
  expect(await answerOf(talk, QUESTIONS[3] ?? '')).toBe(wanted[3]);
  const afterReload = await talk.read();
  const begun = await visit(await first.page('about:blank'), { ...TUNED_CPU, state: 'states/tuned/time-state.pth' });
  await alwaysTheLikeliest(begun);
  expect(await answerOf(begun, TUNED.question)).toBe(TUNED.answers['time-state.pth']);
  const tunedChat = chatOf(begun);
  await begun.page.close();
  await summarise(talk, lines(400));
  const reading = await talk.page.waitForFunction(() => {
    const [, now, all] = /([\d,]+) of ([\d,]+) tokens/.exec(document.querySelector('[data-testid=summary-progress]')?.textContent ?? '') ?? [];
    const [done, total] = [now, all].map((digits) => Number(digits?.replaceAll(',', '')));
    return done !== undefined && total !== undefined && done > 0.4 * total && total;
  });
  const total = Number(await reading.jsonValue());
  await first.kill();

  const second = await SpawnedBrowser.start(profile);
  const later = await visit(await second.page('about:blank'), { ...CPU, chat });
  await later.chat.answers.nth(3).waitFor();
  expect(await answerOf(later, QUESTIONS[4] ?? '')).toBe(wanted[4]);
  const afterKill = await later.read();
  await later.page.getByTestId('view-documents').click();
  if (!(await later.page.getByTestId('summary-resume').isVisible())) await later.page.getByTestId('document-open').click();
  await later.page.getByTestId('summary-resume').click();
  await later.page.getByTestId('summary-result').waitFor();
  const rest = (await later.read()).slice(afterKill.length).reduce((sum, read) => sum + read, 0);
  console.log(`read: ${readWanted} undisturbed, ${afterReload} after a reload, ${afterKill} after a kill; of a text of ${total} tokens ${rest}`);
  // The conversation before them is not read again, but for what was too little to be kept.
  [...afterReload, ...afterKill].forEach((read, index) => expect(read).toBeLessThan((readWanted[3 + index] ?? 0) + LEAST_KEPT));
  expect(rest).toBeLessThan(0.9 * total);
  const summary = (await later.page.getByTestId('summary-result').innerText()).trim();
  expect(summary).not.toBe('');
  await later.page.reload();
  await later.page.getByTestId('summary-result').waitFor();
  expect((await later.page.getByTestId('summary-result').innerText()).trim()).toBe(summary);
  // What a chat began from is kept with it: its address names no state.
  const tuned = await visit(await second.page('about:blank'), { ...TUNED_CPU, chat: tunedChat });
  await tuned.page.getByTestId('again').last().click();
  await tuned.page.getByTestId('branches').waitFor();
  await expect.poll(() => lastStored(tuned.page)).toBe(TUNED.answers['time-state.pth']);
  expect(await tuned.chat.error.count()).toBe(0);
  await second.kill();
});

test('a state that the native tool has converted begins a chat as the tuned one does', async () => {
  const begun = await visit(await browser.newPage(), { ...TUNED_CPU, state: 'converted/rwkv7-a-tuned.state' });
  await alwaysTheLikeliest(begun);
  expect(await answerOf(begun, TUNED.question)).toBe(TUNED.answers['time-state.pth']);
  await begun.page.close();
});

test('on WebGPU a chat begins from a tuned state, and goes on after a reload', async () => {
  const talk = await visit(await browser.newPage(), { ...GPU, state: 'states/tuned/time-state.pth' });
  expect(await talk.chat.backend.getAttribute('data-backend')).toBe('webgpu');
  await alwaysTheLikeliest(talk, SHORT);
  const { lengths } = await talk.chat.ask(TUNED.question);
  expect(new Set(lengths.filter((length) => length > 0)).size, 'words appear as they are made').toBeGreaterThan(2);
  await begins(talk, TUNED.answers['time-state.pth']);
  await talk.page.reload();
  await talk.chat.backend.waitFor();
  await talk.chat.answers.first().waitFor();
  await answerOf(talk, QUESTIONS[3] ?? '');
  await talk.page.close();
});

/** The answer that is kept is as the native tool's begins. */
async function begins({ page }: Visit, answer = ''): Promise<void> {
  await expect.poll(() => lastStored(page)).not.toBe('');
  const kept = await lastStored(page);
  expect(kept).toBe(answer.slice(0, kept.length));
}
