/** RTF: code pages, Unicode, what is skipped, tables, notes, headings. */
import { expect, test } from 'vitest';
import './browser';
import { rtfText } from '../src/documents/extract/rtf-text';

const text = (rtf: string) => rtfText(Buffer.from(rtf, 'latin1')).text;
const FONTS = '{\\fonttbl{\\f0\\froman\\fcharset0 Times New Roman;}{\\f1\\fnil\\fcharset204{\\*\\falt Arial}Arial Cyr;}{\\f2\\fcharset128 MS Mincho;}{\\f3\\fnil\\fcharset238 X;}{\\f4\\fcharset2 Symbol;}}';

test.each([
  ['paragraphs, lines and tabs', '{\\rtf1\\ansi One\\par Two\\line three\\tab four\\par\\par Five\\sect Six\\page Seven}', 'One\n\nTwo\nthree four\n\nFive\n\nSix\n\nSeven'],
  ['line ends of the file are none of the text', '{\\rtf1 On\r\ne wo\nrd\\\npar}', 'One word\n\npar'],
  ['escaped characters', '{\\rtf1 a\\{b\\}c\\\\d e\\~f pre\\-fix x\\_y}', 'a{b}c\\d e f prefix x\u2011y'],
  ['named characters', '{\\rtf1 \\ldblquote a\\rdblquote  \\lquote b\\rquote  c\\emdash d\\endash e\\bullet}', '“a” ‘b’ c—d–e•'],
  ['windows-1252 unless said', "{\\rtf1\\ansi Gr\\'f6\\'dfe \\'bd}", 'Größe ½'],
  ['a code page', "{\\rtf1\\ansi\\ansicpg1251 \\'cf\\'f0\\'e8\\'e2\\'e5\\'f2}", 'Привет'],
  ['raw bytes', '{\\rtf1\\ansi\\ansicpg1252 Gr\u00f6\u00dfe}', 'Größe'],
  ['the Macintosh', "{\\rtf1\\mac caf\\'8e}", 'café'],
  ['DOS', "{\\rtf1\\pc caf\\'82}{}", 'café'],
  ['DOS, with code page 850', "{\\rtf1\\pca \\'9b\\'82}", 'øé'],
  ['fonts with code pages of their own', `{\\rtf1\\ansi\\ansicpg1252\\deff0${FONTS}\\f1 \\'cc\\'e8\\'f0 \\f0 caf\\'e9 {\\f3 \\'9een\\'e1} \\'e9\\plain  \\'e9}`, 'Мир café žená é é'],
  ['characters of two bytes, one of them written as a letter', `{\\rtf1\\ansi${FONTS}\\f2 \\'93\\'fa\\'96\\'7b \\'83A\\'83\\'5c}`, '日本 アソ'],
  ['Unicode with a replacement', '{\\rtf1 \\u8364?5 \\u8364\\\'805 \\uc0\\u8364 5 {\\uc2\\u26085 ab}\\u26412 {\\uc3\\u26085\\\'93\\\'fa?}.}', '€5 €5 €5 日本日.'],
  ['Unicode beyond 32767 and beyond 16 bits', '{\\rtf1 \\u-10179?\\u-8704? \\u64257?x}', '😀 ﬁx'],
  ['a replacement ends with its group', '{\\rtf1\\uc1{\\u8364}abc}', '€abc'],
])('%s', (_, rtf, expected) => {
  expect(text(rtf)).toBe(expected);
});

test.each([
  ['tables at its beginning', `{\\rtf1${FONTS}{\\colortbl;\\red0\\green0\\blue0;}{\\stylesheet{Normal;}{\\s1 x;}}{\\*\\generator Word;}{\\info{\\title T}{\\author A}}Text}`],
  ['headers and footers', '{\\rtf1{\\header H\\par}{\\footer F}{\\headerl L}{\\footerf P}Text}'],
  ['pictures and objects', '{\\rtf1{\\pict\\wmetafile8\\picw1 0102ab}{\\*\\shppict{\\pict 00}}{\\nonshppict{\\pict 00}}{\\object{\\*\\objdata 0102}{\\result Text}}}'],
  ['bytes as they are', '{\\rtf1{\\pict\\bin5 }}}{{}Te\\bin3 {{{xt}'],
  ['unknown groups, and groups within them', '{\\rtf1{\\*\\unknown a{b\\par{c}}d}Text}'],
  ['a field’s instruction', '{\\rtf1{\\field{\\*\\fldinst{ HYPERLINK "x"}}{\\fldrslt{Text}}}}'],
  ['hidden and deleted words, index entries, comments', '{\\rtf1 Te{\\v hidden}\\v x\\v0 xt{\\deleted y}{\\xe{z}}{\\*\\atnid A}{\\*\\annotation no}}'],
  ['what is there for older programs', '{\\rtf1 {\\upr{old}{\\*\\ud{Text}}}}'],
  ['properties of shapes, not their words', '{\\rtf1 {\\shp{\\*\\shpinst{\\sp{\\sn fLine}{\\sv 0}}{\\shptxt Text\\par}}}}'],
  ['what follows its end', '{\\rtf1 Text}garbage{more}'],
  ['an end that is missing', '{\\rtf1 {\\b Text'],
])('not read: %s', (_, rtf) => {
  expect(text(rtf)).toBe('Text');
});

test('tables have a line for each row, also with paragraphs and tables in cells', () => {
  const row = (...cells: string[]) => `\\trowd\\cellx100\\cellx200 ${cells.map((cell) => `\\pard\\intbl {${cell}}\\cell `).join('')}\\row `;
  expect(text(`{\\rtf1 a\\par ${row('b', 'c\\par d')}${row('e', '')}${row('', 'f')}\\pard g\\par h}`)).toBe('a\n\nb | c\nd\ne\n| f\n\ng\n\nh');
  const nested = '\\pard\\intbl\\itap2 x\\nestcell y\\nestcell{\\*\\nesttableprops\\trowd\\nestrow}{\\nonesttables\\par}';
  expect(text(`{\\rtf1 \\trowd\\pard\\intbl\\itap1 a\\cell ${nested}\\pard\\intbl\\itap1 b\\cell\\row\\pard c}`)).toBe('a | x | y\nb\n\nc');
});

test('headings by style and by level are places', () => {
  const styles = '{\\stylesheet{\\s0 Normal;}{\\s1\\sb240\\b heading 1;}{\\s2\\outlinelevel1 Kapitel;}{\\s9 heading 9;}}';
  const rtf = `{\\rtf1${styles}\\pard\\s1 One\\par\\pard a\\par{\\pard\\s2{\\b Two }words\\par}\\pard\\outlinelevel0 Three\\par\\pard\\s9 Nine\\par\\pard\\outlinelevel9 b}`;
  const { text: all, places } = rtfText(Buffer.from(rtf));
  expect(all).toBe('One\n\na\n\nTwo words\n\nThree\n\nNine\n\nb');
  expect(places.map(({ offset, label }) => [all.slice(offset, offset + label.length), label])).toEqual([['One', 'One'], ['Two words', 'Two words'], ['Three', 'Three']]);
});

test('notes come at the end, where their numbers lead', () => {
  expect(text('{\\rtf1 One{\\super\\chftn}{\\footnote\\pard\\plain{\\super\\chftn} First note.\\par Its end.} two{\\super\\chftn{\\footnote\\chftn  Second.}}.\\par Three}')).toBe(
    'One[1] two[2].\n\nThree\n\n[1] First note.\n\nIts end.\n\n[2] Second.',
  );
});

test('groups nested a million times are refused, and a picture alone may be a scan', () => {
  expect(() => text(`{\\rtf1${'{'.repeat(1e6)}`)).toThrow(expect.objectContaining({ code: 'too-complex' }));
  expect(() => text('{\\rtf1{\\pict 00}}')).toThrow(expect.objectContaining({ code: 'scan' }));
  expect(() => text('{\\rtf1\\par }')).toThrow(expect.objectContaining({ code: 'no-text' }));
});
