/** Documents that are made to end the page: each costs its worker and a sentence, and the chat, without a reload, answers after all of them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { bookOf, docxOf, flateBomb, formBomb, spineOf, zipOf, type ZipEntry } from '../../web/test/make-hostile';
import { ChatPage } from './chat-page';
import { EVERY_ROUND } from './every-round';
import { DIST } from './folders';
import { withPage } from './opened';
import { Site } from './site';

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

withPage(site, {}, complaints, (opened) => ({ chat, page } = opened), '?view=documents');

/** Longer than a file may take without getting on. */
const MOST_MS = 90_000;

async function open(name: string, bytes: Uint8Array | string): Promise<void> {
  await page.getByTestId('document-file').setInputFiles({ name, mimeType: '', buffer: Buffer.from(bytes) });
}

/** The failure's code, once it is said and the file is named; what is read in its place would be seen too. */
async function refused(name: string, bytes: Uint8Array | string): Promise<string | null> {
  await open(name, bytes);
  await page.locator('[data-testid=error], [data-testid=document-back]').first().waitFor({ timeout: MOST_MS });
  const code = await chat.error.getAttribute('data-code');
  expect(await chat.error.innerText()).toContain(name);
  await chat.error.getByRole('button', { name: 'Dismiss' }).click();
  return code;
}

async function textOf(name: string, bytes: Uint8Array | string): Promise<string> {
  await open(name, bytes);
  await page.getByTestId('document-back').waitFor({ timeout: MOST_MS });
  await page.getByTestId('tab-text').click();
  const text = (await page.getByTestId('document-full-text').textContent()) ?? '';
  await page.getByTestId('document-back').click();
  await page.getByTestId('documents').waitFor();
  return text.trim();
}

/** Before a release a second is one; else the page's intervals are a tenth of themselves, and what is given up after a minute is after six seconds. */
async function whileSecondsFly<T>(work: () => Promise<T>): Promise<T> {
  if (EVERY_ROUND) return work();
  await page.evaluate(() => {
    const { setInterval } = window;
    const faster = (call: () => void, milliseconds: number) => setInterval(call, milliseconds / 10);
    Object.assign(window, { setInterval: faster, endFlight: () => Object.assign(window, { setInterval }) });
  });
  try {
    return await work();
  } finally {
    await page.evaluate(() => void (window as unknown as { endFlight: () => void }).endFlight());
  }
}

const book = (count: number, entry: (name: string) => ZipEntry) => {
  const names = Array.from({ length: count }, (_, index) => `${index}.xhtml`);
  return bookOf(spineOf(names), names.map(entry));
};

test('a Word file of half a megabyte that unpacks to 13 million elements', async () => {
  expect(await refused('elements.docx', docxOf('<w:p><w:r><w:t>x</w:t></w:r></w:p>', 4_400_000))).toBe('too-complex');
});

test('a PDF whose page unpacks to 1.9 GB, also when it is packed twice', async () => {
  expect(await refused('bomb.pdf', flateBomb(1.9e9))).toBe('too-much');
  expect(await refused('bomb-in-bomb.pdf', flateBomb(1.9e9, 2))).toBe('too-much');
});

test('a PDF whose page shows ten to the ninth forms', async () => {
  const code = await whileSecondsFly(() => refused('forms.pdf', formBomb(10)));
  expect(['too-much', 'too-complex', 'too-long']).toContain(code);
});

test('books: of 20,000 files that claim to be empty, or a gigabyte; of a chapter named 100,000 times', async () => {
  const megabyte = new Uint8Array(1e6);
  expect(await refused('empty.epub', book(20_000, (name) => ({ name, data: megabyte, claimed: 0, shared: true })))).toBe('too-much');
  expect(await refused('claims.epub', book(20_000, (name) => ({ name, data: Buffer.from('<p>x'), claimed: 1e9 })))).toBe('too-much');
  expect(await textOf('again.epub', bookOf(spineOf(Array<string>(100_000).fill('a.xhtml')), [{ name: 'a.xhtml', data: Buffer.from('<p>Once.') }]))).toBe('Once.');
});

test('a million nested blocks, groups and quotes', async () => {
  expect(await textOf('nested.html', `${'<div>'.repeat(1e6)}Once.`)).toBe('Once.');
  expect(await refused('nested.rtf', `{\\rtf1${'{'.repeat(1e6)}Once.`)).toBe('too-complex');
  expect(await textOf('nested.md', `${'>'.repeat(3000)} Once.`)).toContain('Once.');
});

test('books of 60,000 files that claim a gigabyte each, of a million elements, and of 201,000 files; Word files of attributes, and nested', async () => {
  const empty = new Uint8Array();
  const packed = deflateRawSync(new Uint8Array(1e6));
  expect(await refused('60000.epub', book(60_000, (name) => ({ name, packed, claimed: 1e9, shared: true })))).toBe('too-much');
  expect(await refused('package.epub', bookOf(`<package>${'<item/>'.repeat(1e6)}</package>`, []))).toBe('too-complex');
  expect(await refused('many.epub', zipOf(Array.from({ length: 201_000 }, (_, index) => ({ name: index.toString(36), data: empty, shared: true }))))).toBe('too-complex');
  const attributes = Array.from({ length: 200 }, (_, index) => `w:a${index}="1"`).join(' ');
  expect(await refused('attributes.docx', docxOf(`<w:p ${attributes}/>`, 60_000))).toBe('too-complex');
  expect(await refused('nested.docx', docxOf(`${'<w:sdt><w:sdtContent>'.repeat(1e5)}<w:p/>${'</w:sdtContent></w:sdt>'.repeat(1e5)}`, 1))).toBe('extract');
});

test('pages, texts and letters of more than a page can hold, and what is none of them under such a name', async () => {
  expect(await refused('letters.html', '<i>x</i>'.repeat(1.6e6))).toBe('too-complex');
  expect(await refused('headings.html', '<h1>x'.repeat(201_000))).toBe('too-complex');
  expect(await refused('groups.rtf', `{\\rtf1 ${'{\\b '.repeat(1e6)}`)).toBe('too-complex');
  expect(await refused('packed.txt', gzipSync('many words '.repeat(1000)))).toBe('file-kind');
  expect(await refused('module.md', Buffer.concat([Buffer.from('\0asm'), Buffer.alloc(1000)]))).toBe('file-kind');
  expect(await textOf('tables.html', `${'<table><tr><td>'.repeat(1e5)}Once.`)).toBe('Once.');
  expect(await textOf('fonts.html', `${Array.from({ length: 3e4 }, (_, index) => `<font size=${index}><p>`).join('')}Once.`)).toBe('Once.');
  expect(await textOf('lists.md', `${'- '.repeat(1200)}Once.`)).toContain('Once.');
});

test('then ordinary files are read, among them one under a wrong name', async () => {
  const fixture = (name: string) => readFileSync(path.join(import.meta.dirname, '../../web/test/documents', name));
  expect(await textOf('soft-hyphen.pdf', fixture('soft-hyphen.pdf'))).toMatch(/The lighthouse stands on the cliff and the keyboard is new\.$/);
  expect(await textOf('table.docx', fixture('table-cells.docx'))).toBe('Anna Berg\nDirector | Phone 12\nRoom 3');
  expect(await textOf('report.pdf', fixture('utf16-named.html'))).toBe('Plain ASCII report, saved as UTF-8 bytes.');
  expect(await textOf('letter', '{\\rtf1\\ansi\\ansicpg1252 Sm\\\'f6rg\\\'e5s \\\'96 \\u8364?5}')).toBe('Smörgås – €5');
});

test('and the model that was open answers in the chat', async () => {
  await page.getByTestId('view-chat').click();
  expect((await chat.ask('Why is the sky blue?')).answer).not.toBe('');
});

test('the console is clean', () => expect(complaints).toEqual([]));
