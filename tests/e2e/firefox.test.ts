/** The page in a real Firefox, over WebDriver BiDi: the same first visit, chat, reload and document as in Chromium. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { CHAPTERS, longChapters, pdf } from '../../web/test/make-documents';
import { newProfile } from './browser';
import { cutOff } from './cut-off';
import { FIREFOX, openFirefox, stand } from './firefox-browser';
import { DIST, OUTPUT } from './folders';
import { savedConversations } from './saved-conversations';
import { Site } from './site';
import { TEXTS } from './texts-said';

const MODEL = '/models/web-mamba-demo-31m-v2-q4_k_m.gguf';
const TIMEOUT = 120_000;

const site = new Site(DIST);
site.slow('/slow.gguf');
const complaints: string[] = [];
let firefox: Browser;
let page: Page;

const by = (id: string) => `[data-testid=${id}]`;
const seen = (id: string) => page.waitForSelector(by(id), { visible: true, timeout: TIMEOUT });
const count = (id: string) => page.$$eval(by(id), (found) => found.length);
const text = (id: string) => page.$$eval(by(id), (found) => ((found.at(-1) as HTMLElement | undefined)?.innerText ?? '').trim());
const press = async (id: string) => (await seen(id))?.click();

async function picture(name: string): Promise<void> {
  mkdirSync(OUTPUT, { recursive: true });
  await page.screenshot({ path: path.join(OUTPUT, `firefox-${name}.png`) });
}

/** Writes a question and sends it; gives a function that waits for the figures below its answer. */
async function ask(question: string): Promise<() => Promise<unknown>> {
  const before = await count('stats');
  await page.focus(by('chat-input'));
  await page.keyboard.type(question);
  await page.keyboard.press('Enter');
  return () => page.waitForFunction((least) => document.querySelectorAll('[data-testid=stats]').length > least, { timeout: TIMEOUT }, before);
}

describe.skipIf(FIREFOX === '')('Firefox', () => {
  beforeAll(async () => {
    await site.start();
    firefox = await openFirefox(2 * TIMEOUT);
    page = await firefox.newPage();
    await page.setViewport({ width: 1200, height: 800 });
    page.on('console', (message) => ['error', 'warn'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
  });
  // What the page says then is all that is known of a visit that hangs.
  beforeEach(() => onTestFailed(async () => console.log(complaints.join('\n'), await stand(page), [...site.hits])));
  afterAll(async () => {
    await firefox?.close();
    await site.stop();
  });

  // On a machine with much other work a new Firefox's first page hung now and then, for a reason that is not known; a second one did not. Thirty first visits under load did not show it either.
  test('a first visit downloads the demo model, says that the CPU runs it and why, and words appear as they are made', { retry: 1 }, async () => {
    await page.goto(site.url);
    await seen('backend');
    expect(await text('backend')).toMatch(/^CPU — .{10,}/);
    await page.evaluate(() => {
      const lengths: number[] = ((window as unknown as { lengths: number[] }).lengths = []);
      new MutationObserver(() => {
        const length = ([...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? '').length;
        if (lengths.at(-1) !== length) lengths.push(length);
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
    });
    const ended = await ask('How do I make a cup of tea?');
    await ended();
    const answer = await text('message-assistant');
    console.log(`${await firefox.version()}\nbackend: ${await text('backend')}\nanswer: ${answer}\nfigures: ${await text('stats')}`);
    expect(answer.length).toBeGreaterThan(20);
    const lengths = await page.evaluate(() => (window as unknown as { lengths: number[] }).lengths);
    expect(new Set(lengths).size).toBeGreaterThan(5);
    await picture('chat');
  });

  test('the stop button ends an answer early and keeps its words', async () => {
    // In the page itself: on its way through the protocol a press would come after the end.
    await page.evaluate(() => new MutationObserver((_, observer) => {
      const stop = document.querySelector<HTMLElement>('[data-testid=stop]');
      const length = ([...document.querySelectorAll('[data-testid=message-assistant]')].at(-1)?.textContent ?? '').trim().length;
      if (!stop || length < 12 || document.querySelectorAll('[data-testid=message-assistant]').length < 2) return;
      observer.disconnect();
      stop.click();
    }).observe(document.body, { childList: true, subtree: true, characterData: true }));
    const ended = await ask('Tell me a long story about a brave mouse and a lion.');
    await ended();
    expect(await text('stats')).toContain('stopped');
    expect((await text('message-assistant')).length).toBeGreaterThan(5);
  });

  test('a reload downloads nothing, has the conversation, and is isolated, so that workers share memory', async () => {
    const before = site.hits.get(MODEL);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    const address = new URL(page.url());
    address.searchParams.set('workers', '2');
    await page.goto(address.href);
    await seen('backend');
    expect(await count('message-assistant')).toBe(2);
    expect(await page.evaluate(() => [crossOriginIsolated, navigator.serviceWorker.controller !== null])).toEqual([true, true]);
    const ended = await ask('Why is the sky blue?');
    await ended();
    expect(await text('message-assistant')).not.toBe('');
    expect(page.workers().map((worker) => worker.url()).filter((url) => /rank/.test(url))).toHaveLength(1);
    expect(site.hits.get(MODEL)).toBe(before);
    expect(before).toBe(2);
  });

  test('another answer is a branch beside the first, with the keyboard alone; the browser’s way back leads to the chat before', async () => {
    const first = await text('message-assistant');
    await page.$$eval(by('again'), (found) => (found.at(-1) as HTMLElement).focus());
    await page.keyboard.press('Enter');
    await seen('branches');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('chat-input');
    await page.waitForSelector(by('stop'), { hidden: true, timeout: TIMEOUT });
    expect(await text('branches')).toContain('2 of 2');
    await press('branch-earlier');
    await page.waitForFunction((answer) => ([...document.querySelectorAll<HTMLElement>('[data-testid=message-assistant]')].at(-1)?.innerText ?? '').trim() === answer, { timeout: TIMEOUT }, first);
    await press('side-new-chat');
    await seen('suggestion');
    await page.goBack();
    await page.waitForFunction(() => document.querySelectorAll('[data-testid=message-assistant]').length === 3, { timeout: TIMEOUT });
  });

  test('conversations come in from a file, and go out as one', async () => {
    const upload = savedConversations({ 'From a file': [['One?', 'Two.']] });
    const file = path.join(newProfile(), upload.name);
    writeFileSync(file, upload.buffer);
    await (await page.$(by('import-chats')) as ElementHandle<HTMLInputElement>).uploadFile(file);
    await page.waitForFunction(() => document.body.innerText.includes('One conversation came in.'), { timeout: TIMEOUT });
    await page.evaluate(() => {
      const createObjectURL = URL.createObjectURL.bind(URL);
      URL.createObjectURL = (blob: Blob) => {
        void blob.text().then((saved) => Object.assign(window, { saved }));
        return createObjectURL(blob);
      };
    });
    await press('export-chats');
    await page.waitForFunction(() => (window as unknown as { saved?: string }).saved?.includes('From a file'), { timeout: TIMEOUT });
  });

  test('texts of every kind: tasks, formulas, Hebrew from the right, and quotes in quotes without an end', async () => {
    const upload = savedConversations({ Texts: TEXTS, Quotes: [['q', '>'.repeat(3000)]] });
    const file = path.join(newProfile(), upload.name);
    writeFileSync(file, upload.buffer);
    await (await page.$(by('import-chats')) as ElementHandle<HTMLInputElement>).uploadFile(file);
    const open = (title: string) => page.waitForFunction((wanted) => {
      const row = [...document.querySelectorAll<HTMLElement>('.chat-open')].find(({ innerText }) => innerText.startsWith(wanted));
      row?.click();
      return row !== undefined;
    }, { timeout: TIMEOUT }, title);
    await open('Quotes');
    await page.waitForFunction(() => document.querySelector('.answer blockquote blockquote'), { timeout: TIMEOUT });
    await open('Texts');
    await page.waitForFunction(() => document.querySelectorAll('.formula > :is(math, code)').length === 6, { timeout: TIMEOUT });
    expect(await page.$$eval('.answer math', (all) => all.every((each) => each.getBoundingClientRect().width > 8))).toBe(true);
    expect(await page.$eval('.answer ol', (list) => getComputedStyle(list).direction)).toBe('rtl');
    expect(await page.$$eval('.answer td', (cells) => cells.slice(0, 3).map((cell) => getComputedStyle(cell).textAlign))).toEqual(['left', 'center', 'right']);
    await page.setViewport({ width: 1200, height: 1500 });
    await picture('texts');
    await page.setViewport({ width: 1200, height: 800 });
  });

  test('code has its colours; at 320 px nothing is cut off, in the chat, the palette and what stays here', async () => {
    const upload = savedConversations({ Code: [['c', '```js\nconst a = "b"; // so\n```']] });
    const file = path.join(newProfile(), upload.name);
    writeFileSync(file, upload.buffer);
    await (await page.$(by('import-chats')) as ElementHandle<HTMLInputElement>).uploadFile(file);
    await page.waitForFunction(() => {
      const row = [...document.querySelectorAll<HTMLElement>('.chat-open')].find(({ innerText }) => innerText.startsWith('Code'));
      row?.click();
      return row !== undefined;
    }, { timeout: TIMEOUT });
    await page.waitForSelector('.code-keyword', { visible: true, timeout: TIMEOUT });
    await page.setViewport({ width: 320, height: 640 });
    expect(await page.evaluate(cutOff)).toEqual([]);
    await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true })));
    await seen('palette-item');
    expect(await page.evaluate(cutOff)).toEqual([]);
    await picture('palette');
    await page.keyboard.press('Escape');
    await page.$eval(by('show-kept'), (button) => (button as HTMLElement).click());
    await seen('kept-total');
    expect(await page.evaluate(cutOff)).toEqual([]);
    await picture('kept');
    await page.keyboard.press('Escape');
    await page.setViewport({ width: 1200, height: 800 });
  });

  test('thoughts are folded away, and open on a click', async () => {
    const upload = savedConversations({ Sums: [['What is two and two?', '<think>\nOne pair and one more.\n\nThat is two pairs.\n</think>\nTwo and two are **four**.']] });
    const file = path.join(newProfile(), upload.name);
    writeFileSync(file, upload.buffer);
    await (await page.$(by('import-chats')) as ElementHandle<HTMLInputElement>).uploadFile(file);
    await page.waitForFunction(() => {
      const row = [...document.querySelectorAll<HTMLElement>('.chat-open')].find(({ innerText }) => innerText.startsWith('Sums'));
      row?.click();
      return row !== undefined;
    }, { timeout: TIMEOUT });
    await (await page.waitForSelector('.thoughts > summary', { timeout: TIMEOUT }))?.click();
    await page.waitForSelector('.thoughts[open] .answer', { visible: true, timeout: TIMEOUT });
    expect(await page.$eval('.thoughts .answer', (inside) => (inside as HTMLElement).innerText)).toMatch(/^One pair and one more\.\s+That is two pairs\.$/);
    expect(await text('message-assistant')).toBe('Two and two are four.');
    await picture('thoughts');
    await (await page.waitForSelector('.thoughts > summary', { timeout: TIMEOUT }))?.click();
    await page.waitForSelector('.thoughts:not([open])', { timeout: TIMEOUT });
  });

  test('a pasted text is summarised, and asked about', async () => {
    await press('view-documents');
    await page.$$eval('summary', (found) => found.find((each) => each.textContent?.includes('paste a text'))?.click());
    await seen('document-text');
    await page.$eval(by('document-text'), (area, value) => {
      (area as HTMLTextAreaElement).value = value;
      area.dispatchEvent(new Event('input', { bubbles: true }));
    }, CHAPTERS[0]?.paragraphs.join('\n\n') ?? '');
    await press('document-add');
    await press('summarise');
    await seen('summary-result');
    expect((await text('summary-result')).length).toBeGreaterThan(10);
    await press('tab-questions');
    await page.type(by('document-question'), 'When was the harbour built?');
    await press('document-ask');
    await page.waitForSelector('[data-testid=document-answer][aria-busy=false]', { timeout: TIMEOUT });
    expect((await text('document-answer')).length).toBeGreaterThan(30);
    await picture('document');
  });

  test('a PDF is read in sections, side by side', async () => {
    await press('document-back');
    const file = Buffer.from(await pdf(longChapters(24))).toString('base64');
    // A file that is dropped, since BiDi has no file of a buffer to choose.
    await page.evaluate((base64) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], 'long.pdf', { type: 'application/pdf' }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }, file);
    await press('summarise');
    await seen('summary-result');
    expect(await page.$$eval(`${by('section-summaries')} li`, (found) => found.length)).toBeGreaterThan(1);
    await picture('sections');
  });

  test('a download shows its speed and time left, pauses, and goes on', async () => {
    await page.goto(`${site.url}?model=slow.gguf`);
    await page.waitForFunction(() => /MB\/s|kB\/s/.test(document.querySelector<HTMLElement>('.speed')?.innerText ?? ''), { timeout: TIMEOUT });
    await press('pause');
    await press('resume');
    await seen('pause');
  });

  test('the console is clean', () => expect(complaints).toEqual([]));
});
