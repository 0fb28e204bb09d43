/** Documents as a visitor uses them: real files in, summaries in one pass and in sections, a pause over a reload, questions. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { CHAPTERS, docx, emptyPdf, epub, html, lockedPdf, longChapters, markdown, partlyScannedPdf, pdf } from '../../web/test/make-documents';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { Site } from './site';

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

withPage(site, { acceptDownloads: true, permissions: ['clipboard-read', 'clipboard-write'] }, complaints, (opened) => {
  ({ chat, page } = opened);
  // What is longer than the model's trained context takes a while to read.
  page.setDefaultTimeout(120_000);
}, '?view=documents');

const file = (name: string, buffer: Buffer | string) => ({ name, mimeType: '', buffer: Buffer.from(buffer) });
const facts = () => page.getByTestId('document-facts').innerText();

/** Notes how far a summary is, each time that it is drawn; gives a function that says it all, a line each. */
async function noteProgress(): Promise<() => Promise<string>> {
  await page.evaluate(() => {
    const seen = Object.assign(window, { progress: [] as string[] }).progress;
    new MutationObserver(() => {
      const drawn = document.querySelector('[data-testid=summary-progress]');
      if (drawn) seen.push((drawn.textContent ?? '').replace(/\s+/g, ' '));
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  return () => page.evaluate(() => (window as unknown as { progress: string[] }).progress.join('\n'));
}

async function back(): Promise<void> {
  await page.getByTestId('document-back').click();
  await page.getByTestId('documents').waitFor();
}

test('several files at once: PDF, Word, EPUB, HTML, Markdown and text all come with their words', async () => {
  const files = [
    file('a.pdf', await pdf(CHAPTERS)), file('b.docx', await docx(CHAPTERS)), file('c.epub', await epub(CHAPTERS)),
    file('d.html', html(CHAPTERS)), file('e.md', markdown(CHAPTERS)), file('f.txt', CHAPTERS[0]?.paragraphs.join('\n\n') ?? ''),
  ];
  await page.getByTestId('document-file').setInputFiles(files);
  await page.getByTestId('document-back').waitFor();
  await page.waitForFunction(() => document.querySelector('[data-testid=document-facts]')?.textContent?.includes(' tokens'));
  expect(await facts()).toMatch(/^PDF · [\d,]+ characters · \d+ tokens · fits the 2,048 tokens .* one pass/);
  for (const name of ['a.pdf', 'b.docx', 'c.epub', 'd.html', 'e.md', 'f.txt']) {
    if (await page.getByTestId('document-back').isVisible()) await back();
    await page.getByTestId('documents').locator('li', { hasText: name }).getByTestId('document-open').click();
    await page.getByTestId('tab-text').click();
    const text = ((await page.getByTestId('document-full-text').textContent()) ?? '').replace(/\s+/g, ' ');
    const paragraphs = (name === 'f.txt' ? CHAPTERS.slice(0, 1) : CHAPTERS).flatMap((chapter) => chapter.paragraphs);
    for (const paragraph of paragraphs) expect(text, name).toContain(paragraph);
  }
});

test('what cannot be read is said, each with a remedy, and the others are not held up', async () => {
  await back();
  for (const [name, bytes, code] of [
    ['scan.pdf', await emptyPdf(), 'scan'], ['locked.pdf', await lockedPdf(), 'password'],
    ['broken.pdf', Buffer.from('%PDF-1.7 nothing'), 'extract'], ['photo.png', Buffer.from('x'), 'file-kind'],
  ] as const) {
    await page.getByTestId('document-file').setInputFiles(file(name, bytes));
    await page.waitForFunction((wanted) => document.querySelector('[data-testid=error]')?.getAttribute('data-code') === wanted, code);
    expect(await chat.error.innerText()).toContain(name);
    await chat.error.getByRole('button', { name: 'Dismiss' }).click();
  }
  expect(await page.getByTestId('documents').locator('li').count()).toBe(6);
  // All of them at once: each is named.
  await page.getByTestId('document-file').setInputFiles([file('scan.pdf', await emptyPdf()), file('photo.png', 'x'), file('locked.pdf', await lockedPdf())]);
  await page.waitForFunction(() => document.querySelector('[data-testid=error]')?.getAttribute('data-code') === 'several-files');
  for (const words of ['scan.pdf', 'photo.png', 'locked.pdf', 'OCR', 'without the password']) expect(await chat.error.innerText()).toContain(words);
  await chat.error.getByRole('button', { name: 'Dismiss' }).click();
});

test('a file that takes long can be left out while it is read', async () => {
  await page.getByTestId('document-file').setInputFiles(file('huge.pdf', await pdf(longChapters(600))));
  await page.getByTestId('adding-cancel').click();
  await page.getByTestId('adding').waitFor({ state: 'detached' });
  expect(await page.getByTestId('documents').locator('li').count()).toBe(6);
  expect(await chat.error.count()).toBe(0);
});

test('of a file that is partly scanned, and of one in an old encoding, it is said what was read', async () => {
  await page.getByTestId('document-file').setInputFiles(file('partly.pdf', await partlyScannedPdf('Only this page has words.')));
  await page.getByTestId('document-back').waitFor();
  expect(await page.getByTestId('document-notes').innerText()).toContain('2 of 3 pages hold no text');
  await back();
  await page.getByTestId('document-file').setInputFiles(file('old.txt', Buffer.from('Größe und Übermut', 'latin1')));
  await page.getByTestId('document-back').waitFor();
  expect(await page.getByTestId('document-notes').innerText()).toContain('windows-1252');
  for (const name of ['partly.pdf', 'old.txt']) {
    await back();
    await page.getByTestId('documents').locator('li', { hasText: name }).getByTestId('document-delete').click();
    await page.getByTestId('document-delete-confirm').click();
    await page.getByTestId('documents').locator('li', { hasText: name }).waitFor({ state: 'detached' });
    if (name === 'partly.pdf') await page.getByTestId('documents').locator('li', { hasText: 'old.txt' }).getByTestId('document-open').click();
  }
});

test('a short document is summarised in one pass; the summary is copied out as a file and is there after a reload', async () => {
  await page.getByTestId('documents').locator('li', { hasText: 'f.txt' }).getByTestId('document-open').click();
  await page.getByTestId('style-bullets').check({ force: true });
  await page.getByTestId('summarise').click();
  await page.getByTestId('summary-result').waitFor();
  const written = (await page.getByTestId('summary-result').innerText()).trim();
  expect(written.length).toBeGreaterThan(10);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('summary-export').click()]);
  expect(download.suggestedFilename()).toBe('ftxt.md');
  expect(readFileSync(await download.path(), 'utf8')).toMatch(/^# f\.txt\n\n[\s\S]+\*Bullet points · web-mamba demo 31M v2\*/);
  await page.reload();
  await page.getByTestId('summary-result').waitFor();
  expect((await page.getByTestId('summary-result').innerText()).trim()).toBe(written);
});

test('every kind of summary is written under its name, with its speed, and is copied; then what others take is said', async () => {
  const kinds = [['short', 'Short'], ['detailed', 'Detailed'], ['facts', 'Key facts'], ['custom', 'Your own instruction']] as const;
  await chat.backend.waitFor();
  for (const [index, [style, title]] of kinds.entries()) {
    await page.getByTestId(`style-${style}`).check({ force: true });
    if (style === 'custom') await page.getByTestId('instruction').fill('Say what the boats do.');
    const progress = style === 'detailed' ? await noteProgress() : undefined;
    await page.getByTestId('summarise').click();
    await page.getByTestId('summary-result').nth(index + 1).waitFor();
    if (progress) expect(await progress()).toMatch(/Writing.*tokens\/s · at most .* left/);
    const newest = page.getByTestId('summary').first();
    expect(await newest.locator('h3').innerText()).toContain(`${title} · web-mamba demo 31M v2`);
    await newest.getByTestId('copy').first().click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied.length).toBeGreaterThan(10);
    expect(await newest.getByTestId('summary-result').innerText()).toContain(copied.replace(/[*#_`>-]/g, '').trim().split(/\s+/)[0]);
  }
  expect(await facts()).toMatch(/one pass · about \d+ (s|min)$/);
  await page.reload();
  await page.waitForFunction(() => / · about \d+ (s|min)$/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
});

test('a question is answered from the document', async () => {
  await page.getByTestId('tab-questions').click();
  await chat.backend.waitFor();
  await page.getByTestId('document-question').fill('When was the harbour built?');
  await page.getByTestId('document-ask').click();
  await page.locator('[data-testid=document-answer][aria-busy=false]').waitFor();
  const answer = await page.getByTestId('document-answer').innerText();
  expect(answer).toContain('When was the harbour built?');
  expect(answer).toContain('From the whole document.');
  expect((await page.getByTestId('document-answer').locator('.answer').innerText()).length).toBeGreaterThan(3);
});

test('a long document is read in sections, paused, and goes on after a reload without reading again what was done', async () => {
  await back();
  await page.getByTestId('document-file').setInputFiles(file('long.pdf', await pdf(longChapters(60))));
  await page.getByTestId('document-back').waitFor();
  await page.waitForFunction(() => /read in \d+ sections/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
  const sections = Number(/in (\d+) sections/.exec(await facts())?.[1]);
  expect(sections).toBeGreaterThan(3);
  await page.getByTestId('summarise').click();
  await page.getByTestId('summary-progress').waitFor();
  await page.waitForFunction(() => /[1-9]\d* of \d+ sections/.test(document.querySelector('[data-testid=summary-progress]')?.textContent ?? ''));
  expect(await page.getByTestId('summary-progress').innerText()).toMatch(/[\d,]+ of [\d,]+ tokens\s+\d+ of \d+ sections · [\d.]+ tokens\/s · [\d.]+ (s|min|h) left/);
  // Leaving it and coming back changes nothing.
  await back();
  await page.getByTestId('documents').locator('li', { hasText: 'long.pdf' }).getByTestId('document-open').click();
  await page.getByTestId('summary-progress').waitFor();
  await page.getByTestId('summary-pause').click();
  await page.getByTestId('summary-resume').waitFor();
  const paused = Number(/(\d+) of \d+ sections are done/.exec(await page.getByTestId('summary-paused').innerText())?.[1]);
  expect(paused).toBeGreaterThan(0);
  expect(paused).toBeLessThan(sections);
  const kept = await page.getByTestId('section-summaries').locator('.answer').allInnerTexts();
  expect(kept).toHaveLength(paused);
  await page.reload();
  await page.getByTestId('summary-resume').click();
  await page.getByTestId('summary-result').waitFor();
  expect((await page.getByTestId('summary-result').innerText()).length).toBeGreaterThan(10);
  await page.getByTestId('summary').locator('summary').click();
  const items = page.getByTestId('section-summaries').locator('li');
  expect(await items.count()).toBe(sections);
  const written = await items.locator('.answer').allInnerTexts();
  expect(written).toHaveLength(sections);
  for (const each of kept) expect(written).toContain(each);
  expect(await items.first().getByTestId('place').innerText()).toMatch(/^Pages? 1/);
  await items.nth(2).getByTestId('place').click();
  await page.locator('.document-text .marked').first().waitFor();
  expect(await page.locator('.document-text .marked').first().evaluate((element) => document.activeElement === element)).toBe(true);
});

test('a question about a long document is answered from the parts that fit it, and leads to them', async () => {
  await page.getByTestId('tab-questions').click();
  await page.getByTestId('document-question').fill('How many boats were there in 2003?');
  await page.getByTestId('document-ask').click();
  await page.locator('[data-testid=document-answer][aria-busy=false]').waitFor();
  const places = await page.getByTestId('document-answer').getByTestId('place').allInnerTexts();
  expect(places.some((label) => /\b14\b|–1[4-9]|Pages? 1[0-4]/.test(label)), places.join()).toBe(true);
});

test('a pasted text, and a dropped file, are documents too; deleting one asks first', async () => {
  await back();
  await page.getByText('Or paste a text').click();
  await page.getByTestId('document-text').fill('# The garden\n\nRoses need sun and water.');
  await page.getByTestId('document-add').click();
  await page.getByRole('heading', { name: 'The garden' }).waitFor();
  await back();
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], 'dropped.md', { type: 'text/markdown' }));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  }, markdown(CHAPTERS));
  await page.getByRole('heading', { name: 'dropped.md' }).waitFor();
  await back();
  const rows = page.getByTestId('documents').locator('li');
  const before = await rows.count();
  await rows.filter({ hasText: 'dropped.md' }).getByTestId('document-delete').click();
  await page.getByTestId('document-delete-confirm').click();
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid=documents] > li').length === count, before - 1);
});

/** Notes what the page stores from now on, in its order: how many sections of a summary are written, its end, a question to the chat, its answer. */
const noteStored = () => page.evaluate(() => {
  const log = Object.assign(window, { stored: [] as string[] }).stored;
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (this: IDBObjectStore, value, key) {
    if (this.name === 'summaries') log.push(value.result === null ? String(value.sections.filter(({ summary }: { summary: unknown }) => summary !== null).length) : 'summary');
    if (this.name === 'conversations') log.push(value.messages.at(-1).state.kind === 'done' ? 'answer' : 'question');
    return put.call(this, value, key);
  };
});

test('a chat question comes between the sections of a document that is read, and the summary goes on', async () => {
  await page.getByTestId('view-chat').click();
  await chat.input.fill('Why is the sky blue?');
  await page.getByTestId('view-documents').click();
  await page.getByTestId('documents').locator('li', { hasText: 'long.pdf' }).getByTestId('document-open').click();
  await noteStored();
  await page.getByTestId('summarise').click();
  await page.waitForFunction(() => /[1-9][\d,]* of [\d,]+ tokens/.test(document.querySelector('[data-testid=summary-progress]')?.textContent ?? ''));
  await page.getByTestId('view-chat').click();
  await chat.send.click();
  await chat.stats.waitFor();
  expect(await chat.answers.innerText()).not.toBe('');
  await page.getByTestId('view-documents').click();
  await page.getByTestId('summary-result').nth(1).waitFor();
  // On a fast machine the summary may have ended before its view is drawn again: what was stored first says what came first.
  const stored = await page.evaluate(() => (window as unknown as { stored: string[] }).stored);
  console.log(`stored, in this order: ${stored.join(', ')}`);
  const [asked, answered] = [stored.indexOf('question'), stored.indexOf('answer')];
  const writtenBefore = (index: number) => Number(stored.slice(0, index).findLast((each) => /^\d+$/.test(each)));
  expect(asked).toBeGreaterThan(0);
  expect(answered).toBeLessThan(stored.indexOf('summary'));
  // Those of one group at the most are finished first.
  expect(writtenBefore(answered) - writtenBefore(asked)).toBeLessThanOrEqual(4);
});

test('the console is clean', () => expect(complaints).toEqual([]));
