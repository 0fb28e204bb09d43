/** What comes out of real files. PDF needs a browser's worker: `tests/e2e/documents.test.ts`. */
import { zipSync, strToU8 } from 'fflate';
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

test('plain text in the encodings that people have', async () => {
  const words = 'Größe und Übermut';
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(words, 'utf16le')]);
  for (const bytes of [Buffer.from(words), utf16, Buffer.from(words, 'latin1'), Buffer.from(`\ufeff${words}`)]) {
    expect((await extract(bytes, 'text')).text).toBe(words);
  }
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
