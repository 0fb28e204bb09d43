/** Which encoding a page is in: what it names is believed where it can be true, and nothing is refused for an odd byte. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import './browser';
import { decodeHtml, decodeText } from '../src/documents/extract/encoding';
import { extract } from '../src/documents/extract/extract';
import { namedEncoding } from '../src/documents/extract/html-encoding';

const WORDS = 'Größe, Übermut – “naïve”';
const wide = (text: string, bigEndian = false) => (bigEndian ? Buffer.from(text, 'utf16le').swap16() : Buffer.from(text, 'utf16le'));

test('UTF-8 that names UTF-16 is UTF-8, with an even and with an odd number of bytes', async () => {
  const file = readFileSync(path.join(import.meta.dirname, 'documents', 'utf16-named.html'));
  const text = 'Plain ASCII report, saved as UTF-8 bytes.';
  for (const bytes of [file, file.subarray(0, file.length - 1), Buffer.concat([file, Buffer.from(' ')])]) {
    expect(await extract(bytes, 'html')).toEqual({ text, places: [], kind: 'html' });
  }
});

test.each(['utf-16', 'UTF-16LE', 'utf-16be', 'ucs-2', 'unicode'])('a declaration of %s that is read as ASCII is not believed', (label) => {
  for (const declaration of [`<?xml version="1.0" encoding="${label}"?>`, `<meta charset=${label}>`, `<meta http-equiv='Content-Type' content='text/html; charset=${label}'>`]) {
    expect(decodeHtml(Buffer.from(`${declaration}<p>${WORDS}</p>`)).text).toContain(WORDS);
  }
});

test('an EPUB’s chapters and package too', async () => {
  const xml = (text: string) => strToU8(`<?xml version='1.0' encoding='utf-16'?>${text}`);
  const files = {
    'META-INF/container.xml': xml('<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'),
    'book.opf': xml('<package><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>'),
    'a.xhtml': xml(`<html><body><p>${WORDS}</p></body></html>`),
  };
  expect((await extract(zipSync(files), 'epub')).text).toBe(WORDS);
  const truly = { ...files, 'a.xhtml': wide(`\ufeff<?xml version="1.0" encoding="UTF-16"?><html><body><p>${WORDS}</p></body></html>`) };
  expect((await extract(zipSync(truly), 'epub')).text).toBe(WORDS);
});

test.each([
  ['<meta charset="windows-1251">', 'windows-1251'],
  ['<META CONTENT="text/html;charset=Shift_JIS" HTTP-EQUIV=content-type>', 'shift_jis'],
  ['<meta charset = " iso-8859-1:1987 ">', undefined],
  ['<meta charset=x-user-defined>', 'windows-1252'],
  ['<meta charset=iso-8859-1>', 'windows-1252'],
  ['<meta charset=no-such-thing>', undefined],
  ['<meta charset=iso-2022-kr>', undefined],
  ['<meta name=description content="charset=koi8-r">', undefined],
  ['<!-- <meta charset=koi8-r> --><meta charset=utf-8>', 'utf-8'],
  ['<!--><meta charset=koi8-r>', 'koi8-r'],
  ['<meta name=x><meta charset=euc-jp><meta charset=koi8-r>', 'euc-jp'],
  ['<metadata charset=koi8-r>', undefined],
  ['<?xml version="1.0" encoding="ISO-8859-5"?>', 'iso-8859-5'],
])('%s names %s', (html, encoding) => {
  expect(namedEncoding(Buffer.from(html))).toBe(encoding);
});

test('a mark of the byte order says more than a name', () => {
  const named = `<meta charset=windows-1251>${WORDS}`;
  expect(decodeHtml(Buffer.from(`\ufeff${named}`)).text).toBe(named);
  expect(decodeHtml(wide(`\ufeff${named}`)).text).toBe(named);
  expect(decodeHtml(wide(`\ufeff${named}`, true)).text).toBe(named);
});

test('a name that the bytes deny is not believed, and one damaged character does not deny it', () => {
  expect(decodeHtml(Buffer.from(`<meta charset=utf-8>${'Größe '.repeat(9)}`, 'latin1'))).toMatchObject({ guessed: 'windows-1252' });
  const japanese = Buffer.concat([Buffer.from('<meta charset=shift_jis>'), Buffer.from('9378967b'.repeat(40), 'hex'), Buffer.from([0xff])]);
  expect(decodeHtml(japanese).text).toContain('度本');
});

test('pages in UTF-16 that say nothing, in any language', () => {
  for (const html of [`<p>${WORDS}</p>`, '<p>港の灯台は明治二十年に建てられました。</p>', '<?xml version="1.0"?><p>Гавань</p>']) {
    for (const bigEndian of [false, true]) expect(decodeHtml(wide(html, bigEndian)).text).toBe(html);
  }
});

test.each([
  'The harbour was built in 1874.', 'Гавань была построена в 1874 году.\nКаждое утро.', '港の灯台は明治二十年に建てられました。\n毎朝六時に漁船が北の海へ出かけます。',
  '这个港口是一八七四年建的，现在有二百一十二条船。\n每天早上六点，渔船都要到北边去。', '항구는 천팔백칠십사 년에 지어졌습니다.\n매일 아침 여섯 시에.', 'Ο φάρος χτίστηκε το 1874.',
])('texts in UTF-16 without a mark: %s', (text) => {
  expect(decodeText(wide(text))).toEqual({ text, guessed: 'utf-16le' });
  expect(decodeText(wide(text, true))).toEqual({ text, guessed: 'utf-16be' });
  // A byte that was lost or added at the end costs a character, not the text.
  expect(decodeText(Buffer.concat([wide(text), Buffer.from([0x0a])])).text.slice(0, text.length)).toBe(text);
});

test('UTF-32 with a mark, which browsers do not know', () => {
  for (const littleEndian of [true, false]) {
    const bytes = new DataView(new ArrayBuffer(4 * 4));
    [0xfeff, 0x41, 0x1f600, 0x110000].forEach((code, index) => bytes.setUint32(4 * index, code, littleEndian));
    expect(decodeText(new Uint8Array(bytes.buffer)).text).toBe('A😀\ufffd');
  }
});
