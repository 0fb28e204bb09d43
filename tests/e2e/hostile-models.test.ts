/**
 * Models whose chat templates or vocabularies are made to do harm, in the page: each ends in text or in a typed error within a second (the
 * page gives a model whose template cannot be used the words as they are), and then another model opens and chats, without a reload. The templates are those that the crate's own tests hold to their bounds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ChatPage } from './chat-page';
import { some } from './every-round';
import { DIST, GOLDEN_MODELS, HARNESS, ROOT } from './folders';
import { withMetadata } from './gguf-metadata';
import { withPage } from './opened';
import { Site } from './site';

type Piece = string | [text: string, times: number];

const TEMPLATES = path.join(ROOT, 'tests/golden/templates');
const HARMFUL = readdirSync(path.join(TEMPLATES, 'harmful')).map((name) => ({ name, template: readFileSync(path.join(TEMPLATES, 'harmful', name), 'utf8') }));
/** Those of the same folder that were too large for it. */
const LARGE = [
  { name: 'attr-chain', template: `{{ x${'.a'.repeat(100_000)} }}` },
  { name: 'not-deep', template: `{{ ${'not '.repeat(100_000)}x }}` },
];
const KINDS = (JSON.parse(readFileSync(path.join(TEMPLATES, 'hostile.json'), 'utf8')) as { kind: string; templates: Piece[][] }[]).map(({ kind, templates }) => ({
  kind, templates: templates.map((pieces) => pieces.map((piece) => (typeof piece === 'string' ? piece : piece[0].repeat(piece[1]))).join('')),
}));
const MODEL = readFileSync(path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_0.gguf'));
const GOOD = readFileSync(path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf'));
/** `empty-prompt`: the template makes nothing of what was said. */
const ENDINGS: ReadonlySet<string> = new Set(['text', 'chat-template', 'empty-prompt']);
/** A template, from the question to the first event or the failure. */
const MOST_MS = 1000;
/** A busy machine may take longer, but not every time. */
const TRIES = 3;

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;
let harness: Page;
let served = 0;

site.mount('/harness/', HARNESS);
withPage(site, {}, complaints, async (opened) => {
  ({ chat, page } = opened);
  harness = await opened.browser.newPage();
  await harness.goto(`${site.url}harness/`);
  await harness.waitForFunction(() => 'harness' in window);
}, '');

const withTemplate = (template: string) => withMetadata(MODEL, { 'tokenizer.chat_template': { string: template } });

interface Ended {
  /** `text`, or the failure's code. */
  outcome: string;
  /** From the question on. */
  milliseconds: number;
  /** Of the prompt. */
  tokens: number;
}

/** Opens a model in the harness's one worker, asks it, and leaves at its first word. */
async function asked(file: Buffer): Promise<Ended> {
  served += 1;
  site.give(`/hostile-${served}.gguf`, file);
  return harness.evaluate((url) => window.harness.askOnce(url), `${site.url}hostile-${served}.gguf`);
}

/** Where nothing was said yet, the chat is new already. */
async function newChat(): Promise<void> {
  if (await page.getByTestId('new-chat').isEnabled()) await page.getByTestId('new-chat').click();
  // A page that has just been given megabytes to draw has its next frame seconds later.
  await expect.poll(() => chat.answers.count(), { timeout: 30_000 }).toBe(0);
}

/** Outcomes by how many there were, and the longest time. */
async function allEnd(files: readonly Buffer[]): Promise<{ outcomes: Record<string, number>; longest: number }> {
  const outcomes: Record<string, number> = {};
  let longest = 0;
  for (const [index, file] of files.entries()) {
    let ended = await asked(file);
    for (let tries = 1; tries < TRIES && ended.milliseconds > MOST_MS; tries += 1) ended = await asked(file);
    expect(ended.milliseconds, `number ${index}: ${ended.outcome}`).toBeLessThan(MOST_MS);
    outcomes[ended.outcome] = (outcomes[ended.outcome] ?? 0) + 1;
    longest = Math.max(longest, ended.milliseconds);
  }
  return { outcomes, longest };
}

const told = (kind: string, count: number, { outcomes, longest }: { outcomes: Record<string, number>; longest: number }) =>
  console.log(`${kind}: ${count} models, ${JSON.stringify(outcomes)}, the longest ${longest.toFixed(0)} ms`);

test('a template that is ordinary makes the prompt; one that cannot be used leaves the words as they are', async () => {
  const [ordinary, unusable] = [await asked(withTemplate("{{ 'Hello ' * 50 }}")), await asked(withTemplate("{{ 'Hello ' * 50 }}{{"))];
  expect([ordinary.outcome, unusable.outcome]).toEqual(['text', 'text']);
  expect(ordinary.tokens).toBeGreaterThan(10 * unusable.tokens);
});

test.each(KINDS)('templates: $kind', async ({ kind, templates }) => {
  const ended = await allEnd(templates.map(withTemplate));
  told(kind, templates.length, ended);
  expect(templates.length).toBeGreaterThanOrEqual(10);
  expect(Object.keys(ended.outcomes).filter((each) => !ENDINGS.has(each))).toEqual([]);
});

test('vocabularies: control tokens of megabytes, and special tokens by the thousand', async () => {
  const control = 3;
  const vocabulary = (texts: string[], types = texts.map(() => control)) =>
    withMetadata(MODEL, { 'tokenizer.ggml.tokens': { strings: texts }, 'tokenizer.ggml.token_type': { int32s: types } });
  const numbered = (count: number, text: (number: number) => string) => Array.from({ length: count }, (_, number) => text(number));
  const files = [
    ...[257, 100_000, 4_000_000].map((bytes) => vocabulary(numbered(512, (number) => (number === 500 ? '<'.repeat(bytes) : `<|${number}|>`)))),
    vocabulary(numbered(512, (number) => `${number}${'a'.repeat(240)}`)),
    vocabulary(numbered(512, (number) => 'a'.repeat(number + 1))),
    vocabulary(numbered(512, () => 'a')),
    vocabulary(numbered(512, () => '')),
    vocabulary(numbered(20_000, (number) => `<|${number}|>`)),
    vocabulary(numbered(20_000, (number) => `${number}${'a'.repeat(200)}`)),
    vocabulary(numbered(512, (number) => `${'é'.repeat(100)}${number}`)),
    vocabulary(numbered(512, (number) => `\u0000${number}`)),
    // Its own tokens, every one of them special.
    ...[control, 4].map((type) => withMetadata(MODEL, { 'tokenizer.ggml.token_type': { int32s: Array<number>(512).fill(type) } })),
  ];
  const ended = await allEnd(files);
  told('vocabularies', files.length, ended);
  expect(Object.keys(ended.outcomes).filter((each) => ![...ENDINGS, 'tokenizer', 'tensor', 'metadata'].includes(each))).toEqual([]);
});

test('then another model opens and answers in the same worker', async () => {
  site.give('/good.gguf', GOOD);
  expect(await harness.evaluate((url) => window.harness.askOnce(url), `${site.url}good.gguf`)).toMatchObject({ outcome: 'text' });
});

/** The worker has had the like of each, above; before a release the page has all of them, too. */
const IN_PAGE = some([...HARMFUL, ...LARGE], 4);

test('in the page, as files of this computer: each answers, or says why not, and the page goes on', async () => {
  const outcomes: Record<string, number> = {};
  for (const { name, template } of IN_PAGE) {
    await page.getByTestId('model-picker').click();
    const file = `${path.basename(name, '.jinja')}.gguf`;
    await page.getByTestId('model-file').setInputFiles({ name: file, mimeType: '', buffer: withTemplate(template) });
    await page.waitForFunction((shown) => document.querySelector('[data-testid=model-picker]')?.textContent?.includes(shown), path.basename(file, '.gguf'));
    await chat.backend.waitFor();
    await newChat();
    await chat.input.fill('Hello');
    await chat.send.click();
    // Words, an end, or an error; "Thinking" is none of these.
    await page.waitForFunction(() => {
      const answer = [...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? '';
      return document.querySelector('[data-testid=error], [data-testid=stats]') !== null || answer.trim().length > 30;
    });
    await page.getByTestId('stop').click({ timeout: 500 }).catch(() => undefined);
    await page.getByTestId('send').waitFor();
    const outcome = (await chat.error.count()) > 0 ? ((await chat.error.getAttribute('data-code')) ?? '') : 'text';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  console.log(`in the page: ${JSON.stringify(outcomes)}`);
  expect(Object.keys(outcomes).filter((each) => !ENDINGS.has(each))).toEqual([]);
});

test('and the demo model opens and chats, without a reload', async () => {
  await page.getByTestId('model-picker').click();
  await page.getByTestId('model-dialog').getByText('web-mamba demo').first().click();
  await page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('demo'));
  await chat.backend.waitFor();
  await newChat();
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
  expect(await chat.error.count()).toBe(0);
});

test('the console is clean', () => expect(complaints).toEqual([]));
