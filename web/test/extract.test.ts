/** What comes out of real files. PDF needs a browser's worker: `tests/e2e/documents.test.ts`. */
import { Document, HeadingLevel, NoBreakHyphen, Packer, Paragraph, SoftHyphen, Table, TableCell, TableRow, TextRun } from 'docx';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import './browser';
import { extract } from '../src/documents/extract/extract';
import { formatOf } from '../src/documents/extract/first-bytes';
import { documentKind } from '../src/documents/extract/kinds';
import { linesOf, paragraphsOf, withoutHeads, type Item } from '../src/documents/extract/pdf-lines';
import { joinPages } from '../src/documents/extract/pdf-text';
import type { DocumentKind, Extracted } from '../src/data/document-records';
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

test('a file that is named twice in a spine, or by points within it, is read once, where it is first named', async () => {
  const hrefs = ['b.xhtml#two', 'a.xhtml', 'b.xhtml', 'a.xhtml#x', './b.xhtml#three', 'a%2exhtml', 'http://elsewhere/a.xhtml', 'http://[', 'missing.xhtml', 'cover.svg'];
  const items = hrefs.map((href, index) => `<opf:item id="i${index}" href="${href}"/>`).join('');
  const spine = hrefs.map((_, index) => `<opf:itemref idref="i${index}"/><opf:itemref idref="i${index}"/>`).join('');
  const files = { 'book.opf': strToU8(`<opf:package><opf:manifest>${items}</opf:manifest><opf:spine>${spine}</opf:spine></opf:package>`), 'b.xhtml': strToU8('<p id="one">B</p><p id="two">b</p>') };
  expect((await extract(book(files), 'epub')).text).toBe('B\n\nb\n\nOnce upon a time.');
});

test('a chapter whose title closes itself, as in XML, is read; one that is HTML by its type is read as that', async () => {
  expect((await extract(book({ 'a.xhtml': strToU8('<html><head><title/></head><body><p>Once.</p><script src="x"/><p>Twice.</p></body></html>') }), 'epub')).text).toBe('Once.\n\nTwice.');
  const html = strToU8('<package><manifest><item id="a" href="a.xhtml" media-type="text/html"/></manifest><spine><itemref idref="a"/></spine></package>');
  expect((await extract(book({ 'book.opf': html, 'a.xhtml': strToU8('<title>x</title><p>Once<p>Twice') }), 'epub')).text).toBe('Once\n\nTwice');
});

test('a book of pictures may be a scan, one of nothing is none', async () => {
  await expect(extract(book({ 'a.xhtml': strToU8('<div><img src="page1.jpg"/></div>') }), 'epub')).rejects.toMatchObject({ code: 'scan' });
  await expect(extract(book({ 'a.xhtml': strToU8('<div/>') }), 'epub')).rejects.toMatchObject({ code: 'no-text' });
});

test('a Word file’s cells: headings are places, paragraphs and items have lines, a table within has its rows; hyphens are what is seen', async () => {
  const cell = (...children: (Paragraph | Table)[]) => new TableCell({ children });
  const heading = (text: string) => new Paragraph({ text, heading: HeadingLevel.HEADING_2 });
  const item = (text: string) => new Paragraph({ text, bullet: { level: 0 } });
  const rows = (...cells: string[][]) => cells.map((row) => new TableRow({ children: row.map((text) => cell(new Paragraph(text))) }));
  const table = new Table({
    rows: [
      new TableRow({ children: [cell(heading('Head A'), new Paragraph('a'), new Paragraph('b')), cell(heading('Head B'), item('one'), item('two'))], tableHeader: true }),
      new TableRow({ children: [cell(new Paragraph({ children: [new TextRun('x'), new TextRun({ text: 'y', break: 1 })] })), cell(new Table({ rows: rows(['c', 'd'], ['e', 'f']) }), new Paragraph(''))] }),
    ],
  });
  const hyphens = new Paragraph({ children: [new TextRun({ children: ['light', new SoftHyphen(), 'house non', new NoBreakHyphen(), 'breaking'] })] });
  const made = await Packer.toBuffer(new Document({ sections: [{ children: [hyphens, table, new Paragraph('after')] }] }));
  const { text, places } = await extract(made, 'docx');
  expect(text).toBe('lighthouse non\u2011breaking\n\nHead A\na\nb | Head B\n- one\n- two\nx\ny | c | d\ne | f\n\nafter');
  expect(places.map(({ offset, label }) => [label, text.indexOf(label) === offset])).toEqual([['Head A', true], ['Head B', true]]);
});

test('a Word file whose parts are in UTF-16', async () => {
  const files = unzipSync(await docx(CHAPTERS));
  const inUtf16 = Object.entries(files).map(([name, file]) => [name, /\.(xml|rels)$/.test(name) ? Buffer.from(`\ufeff${Buffer.from(file).toString().replace(/UTF-8/i, 'UTF-16')}`, 'utf16le') : file]);
  holdsChapters(await extract(Buffer.from(zipSync(Object.fromEntries(inUtf16) as Record<string, Uint8Array>)), 'docx'));
});

const KINDS: readonly (DocumentKind | undefined)[] = ['pdf', 'docx', 'epub', 'rtf', 'html', 'markdown', 'text', undefined];

test('what the bytes say counts, under any name and none', async () => {
  const files = [['docx', await docx(CHAPTERS)], ['epub', await epub(CHAPTERS)], ['html', Buffer.from(html(CHAPTERS))]] as const;
  for (const [kind, bytes] of files) {
    for (const named of KINDS) {
      const extracted = await extract(bytes, named);
      expect(extracted.kind, `${kind} as ${named}`).toBe(kind);
      holdsChapters(extracted);
    }
  }
  for (const named of KINDS) expect(await extract(Buffer.from('{\\rtf1\\ansi Once upon a time.}'), named)).toEqual({ text: 'Once upon a time.', places: [], kind: 'rtf' });
});

test.each([
  ['%PDF-1.7', 'pdf'], ['\ufeff  %PDF-1.4', 'pdf'], ['{\\rtf1', 'rtf'], ['<!DOCTYPE html>', 'html'], ['\n<html lang=en>', 'html'],
  ['<?xml version="1.0"?>\n<!-- x --><html xmlns="x">', 'html'], ['A text about %PDF-1.7', undefined], ['PKs and PK\u0005', undefined], ['<p>x', undefined], ['', undefined],
])('the first bytes of %j are of %s', (start, format) => {
  expect(formatOf(Buffer.from(start))).toBe(format);
});

test('what is not read here is refused under every name, with a code', async () => {
  const refused = [
    ['a spreadsheet', zipSync({ '[Content_Types].xml': strToU8('<Types/>'), 'xl/workbook.xml': strToU8('<x/>') }), 'file-kind'],
    ['an archive', zipSync({ 'a.txt': strToU8('words') }), 'file-kind'],
    ['an old Word file', Buffer.from('d0cf11e0a1b11ae1'.repeat(100), 'hex'), 'file-kind'],
    ['a locked Word file', Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.from('EncryptedPackage', 'utf16le')]), 'password'],
  ] as const;
  for (const [name, bytes, code] of refused) for (const named of ['text', 'html', 'rtf', undefined] as const) await expect(extract(bytes, named), name).rejects.toMatchObject({ code });
});

test('an archive whose files are locked', async () => {
  const zip = book({});
  for (let at = zip.indexOf('PK\u0001\u0002', 0, 'latin1'); at >= 0; at = zip.indexOf('PK\u0001\u0002', at + 4, 'latin1')) zip.writeUInt16LE(1, at + 8);
  await expect(extract(zip, 'epub')).rejects.toMatchObject({ code: 'password' });
});

test('a zip that something stands before is read', async () => {
  expect((await extract(Buffer.concat([book({}).subarray(0, 4), Buffer.from('something'), book({})]), 'epub')).text).toBe('Once upon a time.');
});

test('kinds by name, else by type', () => {
  const kinds = [['a.PDF', ''], ['b.docx', ''], ['c.htm', ''], ['README.md', ''], ['x', 'text/plain'], ['x', 'text/html; charset=utf-8'], ['photo.png', 'image/png'], ['d.rtf', ''], ['x', 'text/rtf'], ['x', 'application/rtf'], ['README', '']] as const;
  expect(kinds.map(([name, type]) => documentKind({ name, type }))).toEqual(['pdf', 'docx', 'html', 'markdown', 'text', 'html', undefined, 'rtf', 'rtf', 'rtf', 'text']);
});

const line = (str: string, y: number, height = 10) => ({ str, hasEOL: true, transform: [1, 0, 0, 1, 0, y], height });
const paragraphs = (items: readonly Item[]) => paragraphsOf(linesOf(items));

test('lines of a PDF become paragraphs again, and cut words whole', () => {
  expect(paragraphs([line('The light-', 100), line('house stands.', 88), line('Next one.', 60), line('A new page top.', 200)]))
    .toEqual(['The lighthouse stands.', 'Next one.', 'A new page top.']);
});

test.each([
  ['a hyphen', 'The light-', 'house', 'The lighthouse'],
  ['a soft hyphen', 'The light\u00ad', 'house', 'The lighthouse'],
  ['a soft hyphen before a capital', 'LIGHT\u00ad', 'HOUSE', 'LIGHTHOUSE'],
  ['Unicode’s hyphen', 'The light\u2010', 'house', 'The lighthouse'],
  ['a hyphen and a space', 'The light- ', ' house', 'The lighthouse'],
  ['a letter of two characters', 'cafe\u0301-', 'teria', 'cafe\u0301teria'],
  ['a hyphen before a capital', 'Anglo-', 'Saxon', 'Anglo- Saxon'],
  ['a hyphen that does not break', 'light\u2011', 'house', 'light\u2011 house'],
  ['a dash', 'the light –', 'house', 'the light – house'],
  ['a number', 'in 1874-', 'and later', 'in 1874- and later'],
])('%s at the end of a line', (_, first, second, whole) => {
  expect(paragraphs([line(first, 100), line(second, 88)])).toEqual([whole]);
  // The end of the line may be an item of its own.
  expect(paragraphs([{ ...line(first, 100), hasEOL: false }, line('', 100), line(second, 88)])).toEqual([whole]);
});

test('a word that is cut at the end of a column is put together there, and one at a page’s end on the page where it begins', () => {
  expect(paragraphs([line('The light-', 100), line('house stands.', 700)])).toEqual(['The lighthouse stands.']);
  const [before, after] = [['One.', 'The light\u00ad', '12'], ['13', 'house stands. So it', 'does.']];
  joinPages(before, after);
  expect([before, after]).toEqual([['One.', 'The lighthouse', '12'], ['13', 'stands. So it', 'does.']]);
  const apart: [string[], string[]] = [['Anglo-'], ['Saxon']];
  joinPages(...apart);
  expect(apart).toEqual([['Anglo-'], ['Saxon']]);
});

test('a heading in larger letters, items of a list and rows of a table keep their lines', () => {
  expect(paragraphs([line('The harbour', 100, 16), line('It is old', 85), line('and grey.', 73)])).toEqual(['The harbour', 'It is old and grey.']);
  expect(paragraphs([line('It has', 100), line('• two lamps, one of them', 88), line('red;', 76), line('• a quay', 64), line('1. one', 52), line('b) two', 40)]))
    .toEqual(['It has\n• two lamps, one of them red;\n• a quay\n1. one\nb) two']);
  const gap = (width: number) => ({ str: ' ', hasEOL: false, transform: [1, 0, 0, 1, 0, 0], height: 0, width });
  const row = (first: string, second: string, y: number) => [{ ...line(first, y), hasEOL: false }, gap(60), line(second, y)];
  expect(paragraphs([...row('Year', 'Boats', 100), ...row('1990', '200', 88), ...row('1991', '203', 76)])).toEqual(['Year | Boats\n1990 | 200\n1991 | 203']);
  expect(paragraphs([{ ...line('A wide', 100), hasEOL: false }, gap(9), line('space', 100)])).toEqual(['A wide space']);
  // A large letter that begins a paragraph is no heading.
  expect(paragraphs([line('T', 100, 30), line('he sea.', 90)])).toEqual(['T he sea.']);
});

test('lines of scripts without spaces are put together without one, and those of others with one', () => {
  expect(paragraphs([line('灯台は港の東に', 100), line('あります。', 88), line('Tarn 川', 76), line('の河口', 64)])).toEqual(['灯台は港の東にあります。 Tarn 川の河口']);
  expect(paragraphs([line('등대는 항구의', 100), line('동쪽에 있다.', 88)])).toEqual(['등대는 항구의 동쪽에 있다.']);
});

test('what stands on every page is no part of the text: heads, feet, numbers in any form; headings and first lines of pages are', () => {
  const page = (number: number, head: string) => linesOf([
    line(head, 800, 9), line(`Chapter ${number}`, 760, 18), line(`What page ${number} says of the sea.`, 700), line('The same first words', 690), line(`And so on, ${number * 7}.`, 670), line(`– ${number + 12} –`, 40, 9),
  ]);
  const pages = withoutHeads([1, 2, 3, 4, 5].map((number) => page(number, number % 2 === 0 ? 'The book' : 'A chapter')));
  const text = pages.flat().map((each) => each.text).join('\n');
  // On two pages alone it may be anything.
  expect(text).not.toMatch(/A chapter|– \d+ –/);
  expect(text.match(/The book/g)).toHaveLength(2);
  for (const number of [1, 2, 3, 4, 5]) expect(text).toContain(`Chapter ${number}\nWhat page ${number} says of the sea.\nThe same first words\nAnd so on, ${number * 7}.`);
  const roman = withoutHeads(['i', 'ii', 'iii'].map((number) => linesOf([line(`Words ${'of'.repeat(number.length)}.`, 500), line(`More ${'to'.repeat(number.length)}.`, 480), line('Most.', 460), line(`Say ${'so'.repeat(number.length)}.`, 440), line(number, 40)])));
  expect(roman.flat().map((each) => each.text)).toEqual(
    ['of', 'ofof', 'ofofof'].flatMap((of) => [`Words ${of}.`, `More ${of.replaceAll('of', 'to')}.`, 'Most.', `Say ${of.replaceAll('of', 'so')}.`]),
  );
  // Where nothing else is there, it is the text.
  expect(withoutHeads([1, 2, 3].map(() => linesOf([line('The same slide.', 500)]))).flat()).toHaveLength(3);
});
