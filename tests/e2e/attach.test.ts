/** Documents in a chat, as a visitor attaches them: chosen, dropped and pasted; what answers go back to, beside the chat and over it; what a reload keeps. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { CHAPTERS, LOCKED_PASSWORD, lockedPdf, longChapters, pdf } from '../../web/test/make-documents';
import { picture } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { scriptedModel } from './scripted-model';
import { Site } from './site';

const site = new Site(DIST);
const axe = readFileSync(createRequire(path.join(DIST, '../package.json')).resolve('axe-core/axe.min.js'), 'utf8');
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

// The policy of the page would keep axe out. What the model says is written for it: which sentences that is nearest to is then known.
withPage(site, { bypassCSP: true, reducedMotion: 'reduce' }, complaints, async (opened) => {
  ({ chat, page } = opened);
  site.give('/keeper.gguf', scriptedModel({ thought: ['Hm.'], answer: ['Maria Ostrander', ' kept the lamp.'] }));
  page.setDefaultTimeout(10_000);
  await page.addInitScript({ content: axe });
  await page.goto(`${site.url}?backend=cpu&workers=1&model=keeper.gguf`);
  await chat.backend.waitFor();
});

const chip = (name: string) => page.getByTestId('attachment').filter({ hasText: name });
const here = (name: string) => page.locator('[data-testid=attachment][data-state=here]', { hasText: name }).waitFor();

async function looksRight(name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await picture(page, `attach-${name}-${colorScheme}`);
    const violations = await page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
      return (await axe.run()).violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
    });
    expect(violations, name).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${name}: sideways scrolling`).toBeLessThanOrEqual(0);
  }
}

test('a file that is chosen is a chip, and the answer goes back to a sentence that opens beside the chat', async () => {
  await page.getByTestId('attach').setInputFiles({ name: 'Port.pdf', mimeType: 'application/pdf', buffer: await pdf(CHAPTERS) });
  await here('Port.pdf');
  await looksRight('chip');
  await chat.ask('Who was the first keeper?');
  const source = page.getByTestId('source').first();
  await source.waitFor();
  const quote = (await source.locator('q').innerText()).trim();
  expect(quote).toContain('Its first keeper was Maria Ostrander, who kept the lamp for thirty-three years.');
  expect(await source.innerText()).toContain('Port.pdf · Page 2');
  await source.click();
  const beside = page.getByTestId('beside');
  await beside.locator('mark').waitFor();
  expect((await beside.locator('mark').innerText()).replace(/\s+/g, ' ').trim()).toBe(quote.replace(/^[“"]|[”"]$/g, ''));
  // Beside the chat, which goes on being used.
  expect(await beside.evaluate((dialog) => dialog.matches(':modal'))).toBe(false);
  expect(await chat.input.isVisible()).toBe(true);
  await looksRight('beside');
  // Another answer moves the mark, and leaves the keyboard where it is.
  await chat.ask('Who kept it?');
  await beside.locator('mark').waitFor();
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('chat-input');
});

test('a reload keeps what is attached, and a follow-up question is asked after the same text', async () => {
  await page.reload();
  await chat.backend.waitFor();
  await here('Port.pdf');
  expect(await page.getByTestId('source').count()).toBeGreaterThan(0);
  await chat.ask('And who lives there?');
  expect(await page.locator('.message.assistant').last().getByTestId('source').first().innerText()).toContain('Maria Ostrander');
});

test('on a phone the text opens over the chat, and Escape leads back', async () => {
  await page.setViewportSize({ width: 390, height: 780 });
  await page.getByTestId('source').first().click();
  const beside = page.getByTestId('beside');
  await beside.locator('mark').waitFor();
  expect(await beside.evaluate((dialog) => dialog.matches(':modal'))).toBe(true);
  await looksRight('phone-over');
  await page.keyboard.press('Escape');
  await beside.waitFor({ state: 'hidden' });
  await looksRight('phone-answer');
  await page.setViewportSize({ width: 320, height: 700 });
  await looksRight('320');
  await page.setViewportSize({ width: 1200, height: 800 });
});

test('files that are dropped come together; one that cannot be read says why on its chip, and leaves the other alone', async () => {
  await page.getByTestId('new-chat').click();
  await page.getByTestId('attachments').waitFor({ state: 'detached' });
  const locked = [...new Uint8Array(await lockedPdf())];
  const long = longChapters(6).flatMap(({ title, paragraphs }) => [`# ${title}`, ...paragraphs]).join('\n\n');
  await page.evaluate(([locked, long]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(locked)], 'locked.pdf'));
    data.items.add(new File([long], 'long.md', { type: 'text/markdown' }));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [locked, long] as const);
  await here('long.md');
  const failed = chip('locked.pdf').getByTestId('attachment-failed');
  await failed.waitFor();
  expect(await failed.getAttribute('data-code')).toBe('password');
  expect(await failed.innerText()).toContain('password');
  await looksRight('failed');
  await chip('locked.pdf').getByTestId('password').fill('wrong');
  await chip('locked.pdf').getByTestId('unlock').click();
  await failed.waitFor();
  await chip('locked.pdf').getByTestId('password').fill(LOCKED_PASSWORD);
  await chip('locked.pdf').getByTestId('unlock').click();
  await here('locked.pdf');
  await chip('locked.pdf').getByTestId('attachment-detach').click();
  await chip('locked.pdf').waitFor({ state: 'detached' });
  expect(await page.getByTestId('attachment').count()).toBe(1);
});

test('a large paste becomes a document, and can be put back as text', async () => {
  const text = `The lamp of the pier was lit by Agnes Moll in 1911. ${'It rained on the town and on the boats. '.repeat(120)}`;
  await chat.input.focus();
  await page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    document.activeElement?.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, text);
  await here('The lamp of the pier');
  expect(await chat.input.inputValue()).toBe('');
  await looksRight('pasted');
  await page.getByTestId('put-back').click();
  await chip('The lamp of the pier').waitFor({ state: 'detached' });
  expect(await chat.input.inputValue()).toBe(text);
  await chat.input.fill('');
});

test('of two documents, the one that a question is about is read, and its sentence is quoted; one that is deleted is said to be', async () => {
  await page.getByTestId('attach').setInputFiles({ name: 'lamp.txt', mimeType: 'text/plain', buffer: Buffer.from('The lamp of the pier was lit by Agnes Moll in 1911.') });
  await here('lamp.txt');
  await chat.ask('Who lit the lamp of the pier?');
  expect(await page.getByTestId('source').first().innerText()).toMatch(/lit by Agnes Moll[^]*lamp\.txt/);
  await page.getByTestId('view-documents').click();
  const row = page.getByTestId('documents').locator('li', { hasText: 'lamp.txt' });
  await row.getByTestId('document-delete').click();
  await row.getByTestId('document-delete-confirm').click();
  await row.waitFor({ state: 'detached' });
  await page.getByTestId('view-chat').click();
  await page.locator('[data-testid=attachment][data-state=deleted]', { hasText: 'lamp.txt' }).waitFor();
  await looksRight('deleted');
});

test('the console is clean', () => expect(complaints).toEqual([]));
