/** What comes out of real files. PDF needs a browser's worker: `tests/e2e/documents.test.ts`. */
import { strToU8, unzipSync, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import './browser';
import { extract } from '../src/documents/extract';
import { documentKind } from '../src/documents/kinds';
import { paragraphs } from '../src/documents/pdf-text';
import type { Extracted } from '../src/documents/records';
import { CHAPTERS, docx, epub, html, markdown } from './make-documents';

const PARAGRAPHS = CHAPTERS.flatMap((chapter) => chapter.paragraphs);

/** Every chapter's title is a place that stands where its text begins, and every paragraph is there, in order. */
function holdsChapters({ text, places }: Extracted): void {
  let from = 0;
  for (const paragraph of PARAGRAPHS) {
    const at = text.indexOf(paragraph, from);
    expect(at, paragraph).toBeGreaterThanOrEqual(from);
    from = at + paragraph.length;
  }
  for (const { title, paragraphs: [first = ''] } of CHAPTERS) {
    const place = places.find(({ label }) => label === title);
    expect(place, title).toBeDefined();
    expect(text.slice(place?.offset).startsWith(title), title).toBe(true);
    expect(text.indexOf(first)).toBeGreaterThan(place?.offset ?? Infinity);
  }
}

test('a Word file: headings, paragraphs, a table by rows', async () => {
  const extracted = await extract(await docx(CHAPTERS), 'docx');
  holdsChapters(extracted);
  expect(extracted.text).toContain('Boat | Length');
  expect(extracted.text).toContain('Alba | 12 m\nPetrel | 9 m');
});

test('an EPUB: its chapters in the order of the book, without the contents page', async () => {
  const extracted = await extract(await epub(CHAPTERS), 'epub');
  holdsChapters(extracted);
});

test('HTML: text without scripts, styles and navigation; lists and tables stay readable', async () => {
  const extracted = await extract(Buffer.from(html(CHAPTERS)), 'html');
  holdsChapters(extracted);
  expect(extracted.text).not.toMatch(/alert|color|Home/);
  expect(extracted.text).toContain('- one\n\n- two');
  expect(extracted.text).toContain('Boat | Length\nAlba | 12 m');
});

test('Markdown: its headings are places, and a comment in a block of code is none', async () => {
  const text = `${markdown(CHAPTERS)}\n\n\`\`\`sh\n# not a heading\n\nls\n\`\`\``;
  const extracted = await extract(Buffer.from(text), 'markdown');
  expect(extracted.places.map(({ label }) => label)).toEqual(CHAPTERS.map(({ title }) => title));
  expect(extracted.text).toContain(PARAGRAPHS[5]);
});

test.each(['>'.repeat(100_000), `${'- '.repeat(1200)}x`, '_'.repeat(100_000), '# a\n\n'.repeat(2000)])('Markdown of one kind of mark is read as any other', async (text) => {
  const { text: read } = await extract(Buffer.from(text), 'markdown');
  expect(read.replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
});

test('plain text in the encodings that people have', async () => {
  const words = 'Größe und Übermut';
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(words, 'utf16le')]);
  for (const bytes of [Buffer.from(words), utf16, Buffer.from(words, 'latin1'), Buffer.from(`\ufeff${words}`)]) {
    expect((await extract(bytes, 'text')).text).toBe(words);
  }
});

/** What a text is in an old encoding, which Node can only read: every pair of bytes is tried. */
function encoded(text: string, name: string): Buffer {
  const decoder = new TextDecoder(name);
  const bytesOf = new Map<string, number[]>();
  for (let first = 255; first >= 0; first -= 1) {
    for (let second = 255; first >= 0x80 && second >= 0x40; second -= 1) {
      const pair = decoder.decode(Uint8Array.of(first, second));
      if (pair.length === 1) bytesOf.set(pair, [first, second]);
    }
    const single = decoder.decode(Uint8Array.of(first));
    if (single !== '\ufffd') bytesOf.set(single, [first]);
  }
  return Buffer.from([...text].flatMap((char) => bytesOf.get(char) ?? []));
}

test.each([
  ['shift_jis', '港の灯台は明治二十年に建てられました。毎朝六時に漁船が北の海へ出かけ、夕方までにニシンを持って帰ります。'],
  ['euc-jp', '港の灯台は明治二十年に建てられました。毎朝六時に漁船が北の海へ出かけ、夕方までにニシンを持って帰ります。'],
  ['gb18030', '这个港口是一八七四年建的，现在有二百一十二条船。每天早上六点，渔船都要到北边去，天黑以前才回来。'],
  ['big5', '這個港口是一八七四年建的，現在有二百一十二條船。每天早上六點，漁船都要到北邊去，天黑以前才回來。'],
  ['euc-kr', '항구는 천팔백칠십사 년에 지어졌습니다. 매일 아침 여섯 시에 어선들이 북쪽 바다로 나갑니다.'],
  ['koi8-r', 'Гавань была построена в 1874 году. Каждое утро в шесть часов рыбацкие лодки уходят на север.'],
  ['windows-1251', 'Гавань была построена в 1874 году. Каждое утро в шесть часов рыбацкие лодки уходят на север.'],
  ['windows-1252', 'Der Hafen wurde 1874 gebaut; jeden Morgen fahren die Boote nach Norden, früh und zurück bei Dämmerung.'],
])('a text in %s is read as what it is, and the guess is told', async (name, text) => {
  expect(await extract(encoded(text, name), 'text')).toMatchObject({ text, notes: [{ kind: 'encoding', name }] });
});

test('UTF-16 without a mark is seen, and a damaged character makes no other encoding of UTF-8', async () => {
  const text = 'The harbour was built in 1874.';
  expect(await extract(Buffer.from(text, 'utf16le'), 'text')).toMatchObject({ text, notes: [{ kind: 'encoding', name: 'utf-16le' }] });
  expect(await extract(Buffer.from(text, 'utf16le').swap16(), 'text')).toMatchObject({ text });
  const damaged = Buffer.concat([Buffer.from('Größe, Übermut, Füße. '.repeat(20)), Buffer.from([0xff])]);
  const extracted = await extract(damaged, 'text');
  expect(extracted.text).toContain('Größe, Übermut');
  expect(extracted.notes).toBeUndefined();
});

test('what was laid out by hand keeps its lines', async () => {
  const { text } = await extract(Buffer.from('<p>So\nit goes:</p><pre>one\n  two\nthree</pre>'), 'html');
  expect(text).toBe('So it goes:\n\none\ntwo\nthree');
});

const CONTAINER = strToU8('<container><rootfile full-path="book.opf"/></container>');
const BOOK = strToU8('<package><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>');
const book = (more: Record<string, Uint8Array>) => Buffer.from(zipSync({ 'META-INF/container.xml': CONTAINER, 'book.opf': BOOK, 'a.xhtml': strToU8('<p>Once upon a time.</p>'), ...more }));
const encryption = (algorithm: string) => ({ 'META-INF/encryption.xml': strToU8(`<encryption><enc:EncryptedData><enc:EncryptionMethod Algorithm="${algorithm}"/></enc:EncryptedData></encryption>`) });

test('a book with scrambled fonts is read, one that is locked is refused', async () => {
  expect((await extract(book(encryption('http://www.idpf.org/2008/embedding')), 'epub')).text).toBe('Once upon a time.');
  await expect(extract(book(encryption('http://www.w3.org/2001/04/xmlenc#aes128-cbc')), 'epub')).rejects.toMatchObject({ code: 'protected' });
});

/** A zip whose directory claims `bytes` for each of its files. */
function claiming(bytes: number): Buffer {
  const zip = book({ 'word/document.xml': strToU8('<x/>') });
  for (let at = zip.indexOf('PK\u0001\u0002', 0, 'latin1'); at >= 0; at = zip.indexOf('PK\u0001\u0002', at + 4, 'latin1')) zip.writeUInt32LE(bytes, at + 24);
  return zip;
}

test.each(['docx', 'epub'] as const)('a %s that claims to be enormous is refused before it is unpacked', async (kind) => {
  await expect(extract(claiming(1e9), kind)).rejects.toMatchObject({ code: 'too-much' });
});

test('pictures of a Word file are not unpacked', async () => {
  const files = unzipSync(await docx(CHAPTERS));
  const zip = Buffer.from(zipSync({ ...files, 'word/media/image1.png': new Uint8Array(5_000_000) }));
  holdsChapters(await extract(zip, 'docx'));
});

test.each([
  ['docx', Buffer.from('PK not a zip'), 'extract'],
  ['epub', Buffer.from(zipSync({ 'a.txt': strToU8('no book') })), 'extract'],
  ['epub', Buffer.from(zipSync({ 'META-INF/container.xml': strToU8('<container><rootfile full-path="../../x.opf"/></container>') })), 'extract'],
  ['html', Buffer.from('<script>only</script>'), 'no-text'],
  ['text', Buffer.from(' \n\t '), 'no-text'],
  ['text', Buffer.alloc(0), 'no-text'],
] as const)('a broken %s is refused with a sentence', async (kind, bytes, code) => {
  await expect(extract(bytes, kind)).rejects.toMatchObject({ code, remedy: expect.stringMatching(/\w/) as string });
});

test('kinds by name, else by type', () => {
  const kinds = [['a.PDF', ''], ['b.docx', ''], ['c.htm', ''], ['README.md', ''], ['x', 'text/plain'], ['x', 'text/html; charset=utf-8'], ['photo.png', 'image/png']] as const;
  expect(kinds.map(([name, type]) => documentKind({ name, type }))).toEqual(['pdf', 'docx', 'html', 'markdown', 'text', 'html', undefined]);
});

test('lines of a PDF become paragraphs again, and cut words whole', () => {
  const line = (str: string, y: number) => ({ str, hasEOL: true, transform: [1, 0, 0, 1, 0, y], height: 10 });
  expect(paragraphs([line('The light-', 100), line('house stands.', 88), line('Next one.', 60), line('A new page top.', 200)]))
    .toEqual(['The lighthouse stands.', 'Next one.', 'A new page top.']);
});
