/** Files made to take a page's memory or time: each ends in text or in a failure with a code, and soon. */
import { randomBytes } from 'node:crypto';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import './browser';
import { extract } from '../src/documents/extract/extract';
import { StallWatch } from '../src/documents/extract/extractor';
import type { DocumentKind } from '../src/data/document-records';
import { ZipFiles } from '../src/documents/extract/zip-files';
import { BOOK, bookOf, docxOf, spineOf, zipOf, type ZipEntry } from './make-hostile';

// Some are read whole, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

/** `read`, or the code of the failure. What was read may be megabytes, which no message should hold. */
const outcome = (bytes: Uint8Array, kind: DocumentKind | undefined) => extract(bytes, kind).then(() => 'read', (thrown: { code: string }) => thrown.code);
const utf8 = (text: string) => new TextEncoder().encode(text);

test('a Word file of 13 million elements is refused before objects are made of them', async () => {
  expect(await outcome(docxOf('<w:p><w:r><w:t>x</w:t></w:r></w:p>', 4_400_000), 'docx')).toBe('too-complex');
});

test.each([
  ['attributes', `<w:p ${Array.from({ length: 200 }, (_, index) => `w:a${index}="1"`).join(' ')}/>`, 60_000, 'too-complex'],
  ['text', 'x'.repeat(1000), 210_000, 'too-much'],
])('so is one with as many %s', async (_, unit, count, code) => {
  expect(await outcome(docxOf(unit, count), 'docx')).toBe(code);
});

test('a zip’s files count by what comes out of them, whatever its directory claims', () => {
  const megabytes = new Uint8Array(30e6);
  for (const claimed of [0, megabytes.length, 0xffff_fffe]) {
    const zip = new ZipFiles(zipOf(Array.from({ length: 10 }, (_, index): ZipEntry => ({ name: `${index}`, data: megabytes, claimed }))));
    const read = () => zip.names.map((name) => zip.read(name)?.length);
    expect(read, String(claimed)).toThrow(expect.objectContaining({ code: 'too-much' }));
  }
  const small = new ZipFiles(zipOf([{ name: 'a', data: utf8('words'.repeat(100)), claimed: 0 }]));
  expect(small.read('a')).toHaveLength(500);
  expect(small.read('b')).toBeUndefined();
});

test('a book of 20,000 files that are 100 MB each, and claim to be empty', async () => {
  const packed = deflateRawSync(new Uint8Array(1e8), { level: 9 });
  const chapters = Array.from({ length: 20_000 }, (_, index) => `${index}.xhtml`);
  const entries: ZipEntry[] = chapters.map((name) => ({ name, packed, claimed: 0, shared: true }));
  expect(await outcome(bookOf(spineOf(chapters), entries), 'epub')).toBe('too-much');
});

test('a book of 60,000 small chapters is read, each once', async () => {
  const chapters = Array.from({ length: 60_000 }, (_, index) => `${index}.xhtml`);
  const entries = chapters.map((name, index): ZipEntry => ({ name, data: utf8(`<p>w${index}`), claimed: 0 }));
  const { text } = await extract(bookOf(spineOf(chapters), entries), 'epub');
  expect(text.split('\n\n')).toHaveLength(60_000);
});

test('a spine that names a chapter 100,000 times, by one name or by many', async () => {
  const chapter: ZipEntry[] = [{ name: 'a.xhtml', data: utf8('<p>Once upon a time.') }];
  for (const hrefs of [Array(100_000).fill('a.xhtml'), Array.from({ length: 100_000 }, (_, index) => `./b/../a.xhtml#${index}`)] as string[][]) {
    expect((await extract(bookOf(spineOf(hrefs), chapter), 'epub')).text).toBe('Once upon a time.');
  }
});

test('a zip of 201,000 files, and a Word file whose elements are nested a hundred thousand deep', async () => {
  const empty = new Uint8Array();
  const files = zipOf(Array.from({ length: 201_000 }, (_, index): ZipEntry => ({ name: index.toString(36), data: empty, shared: true })));
  expect(await outcome(files, 'epub')).toBe('too-complex');
  const nested = `${'<w:sdt><w:sdtContent>'.repeat(1e5)}<w:p/>${'</w:sdtContent></w:sdt>'.repeat(1e5)}`;
  expect(await outcome(docxOf(nested, 1), 'docx')).toBe('extract');
});

test('a package of a million elements', async () => {
  await expect(extract(bookOf(`<package>${'<item/>'.repeat(1e6)}</package>`, []), 'epub')).rejects.toMatchObject({ code: 'too-complex' });
});

test.each([
  ['a million nested blocks', `${'<div>'.repeat(1e6)}x`],
  ['a million nested quotes that are closed', `${'<blockquote>'.repeat(1e6)}x${'</blockquote>'.repeat(1e6)}`],
  ['terms in terms', `${'<dl><dd>'.repeat(1e5)}x`],
  ['tables in tables', `${'<table><tr><td>'.repeat(1e5)}x`],
  ['letters in bold in bold', `${'<b><i>'.repeat(1e5)}x`],
  ['fonts that are opened anew in each paragraph', `${Array.from({ length: 3e4 }, (_, index) => `<font size=${index}><p>`).join('')}x`],
  ['what stands in a table and not in its cells', `<table>${'<p><i></i>'.repeat(1e5)}x`],
  ['attributes', `<p ${Array.from({ length: 1e5 }, (_, index) => `a${index}=1`).join(' ')}>x`],
  ['comments that do not end', `x${'<!--'.repeat(1e5)}`],
  ['sections that do not end', `<?xml version="1.0"?><html><p>x</p>${'<p title="<![CDATA['.repeat(1e5)}`],
])('HTML with %s is read', async (_, html) => {
  expect((await extract(Buffer.from(html), 'html')).text).toBe('x');
});

test.each([
  ['html', '<i>x</i>'.repeat(1.6e6), 'too-complex'],
  ['html', '<h1>x'.repeat(201_000), 'too-complex'],
  ['html', '<p>'.repeat(3.1e6), 'too-complex'],
  ['text', 'many words '.repeat(5e6), 'too-much'],
  ['rtf', `{\\rtf1 ${'many words '.repeat(5e6)}}`, 'too-much'],
  ['rtf', `{\\rtf1 ${'{\\b '.repeat(1e6)}`, 'too-complex'],
] as const)('more than a page can hold: %s, %#', async (kind, content, code) => {
  expect(await outcome(Buffer.from(content), kind)).toBe(code);
});

test.each([
  ['2,000 quotes in quotes', `${'>'.repeat(2000)} a`],
  ['1,200 lists in lists', `${'- '.repeat(1200)}a`],
  ['a heading of a million spaces', `# ${' '.repeat(1e6)}a`],
  ['a line of a million hashes', `# ${'# '.repeat(5e5)}a`],
  ['fences that open and never close', '```\n~~~\n'.repeat(1e5)],
  ['comments that never close', '<!--\n\n'.repeat(1e5)],
])('Markdown with %s is read', async (_, markdown) => {
  expect((await extract(Buffer.from(markdown), 'markdown')).text.length).toBeGreaterThan(1);
});

test.each([
  ['a gzip', gzipSync('many words '.repeat(1000))],
  ['random bytes', randomBytes(100_000)],
  ['a WebAssembly module', Buffer.concat([Buffer.from('\0asm'), randomBytes(1000)])],
  ['zeros', Buffer.alloc(100_000)],
])('%s under the name of a text is refused', async (_, bytes) => {
  for (const kind of ['text', 'markdown', 'html', undefined] as const) expect(await outcome(bytes, kind)).toBe('file-kind');
  for (const kind of ['docx', 'epub'] as const) expect(await outcome(bytes, kind)).toBe('extract');
});

test('damaged zips: cut at any place, or with any byte changed, they are read or refused with a code', async () => {
  const whole = bookOf(BOOK, [{ name: 'a.xhtml', data: utf8('<p>Once upon a time.'.repeat(50)) }]);
  const codes = ['extract', 'no-text', 'password', 'protected', 'too-much', 'file-kind'];
  const outcomes = new Set<string>();
  for (let at = 0; at < whole.length; at += 1) {
    const changed = Uint8Array.from(whole);
    changed[at] = 0xff - (changed[at] as number);
    outcomes.add(await outcome(whole.subarray(0, at), 'epub'));
    outcomes.add(await outcome(changed, 'epub'));
  }
  expect([...outcomes].filter((each) => each !== 'read' && !codes.includes(each))).toEqual([]);
});

test('a file that does not get on is ended, and one that does is not', async () => {
  vi.useFakeTimers();
  try {
    const watch = new StallWatch(3);
    const ended = vi.fn();
    watch.stalled.catch(ended);
    for (let second = 0; second < 10; second += 1) {
      await vi.advanceTimersByTimeAsync(2000);
      watch.reset();
    }
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3000);
    expect(ended).toHaveBeenCalledWith(expect.objectContaining({ code: 'too-long' }));
    watch.end();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
