/** HTML as browsers read it: tags that may be left out, what is skipped with all that is in it, tables, and pages that are XML. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import './browser';
import { extract } from '../src/documents/extract/extract';
import { htmlText } from '../src/documents/extract/html-text';

const read = (name: string) => readFileSync(path.join(import.meta.dirname, 'documents', name));

test.each([
  ['no head, no body', '<!doctype html><title>x</title><p>One<p>Two', 'One\n\nTwo'],
  ['head opened and never closed', '<html><head><title>x</title><meta charset=utf-8><p>One', 'One'],
  ['head closed by text', '<head><style>p{}</style>Plain words', 'Plain words'],
  ['list items', '<ul><li>a<li><b>b<li>c</ul>d', '- a\n\n- b\n\n- c\n\nd'],
  ['an item that holds paragraphs', '<ul><li><p>one</p><p>two</p></li><li></li></ul><p>three', '- one\n\ntwo\n\nthree'],
  ['a list within an item', '<ol><li>a<ul><li>b</ul><li>c</ol>', '- a\n\n- b\n\n- c'],
  ['terms', '<dl><dt>T<dd>D<dt>U<dd>E</dl>', 'T\n\nD\n\nU\n\nE'],
  ['rows and cells', '<table><tr><td>a<td><p>b<tr><th>c<td>d</table>e', 'a | b\nc | d\n\ne'],
  ['sections of a table', '<table><thead><tr><th>a<th>b<tbody><tr><td>c<td>d<tfoot><tr><td>e<td>f</table>', 'a | b\nc | d\ne | f'],
  ['void elements', '<p>a<br>b<img src=x><hr>c<input><wbr>d', 'a\nb\n\ncd'],
  ['an end tag that closes nothing', '<div>a</span></nav></svg>b</div></div>c', 'ab\n\nc'],
  ['a paragraph closed by a block', '<p>a<div>b</div>c</p>d', 'a\n\nb\n\nc\n\nd'],
])('%s', (_, html, text) => {
  expect(htmlText(html).text).toBe(text);
});

test.each([
  ['nav in nav', '<nav>x<nav>y</nav>z</nav>a', 'a'],
  ['svg in svg, with a title and a text', '<svg><title>t</title><svg><text>x</text></svg><text>y</text></svg>a', 'a'],
  ['a script in svg', '<svg><script>var a = "x" + 1;</script><text>y</text></svg>a', 'a'],
  ['a style in svg', '<svg><style>.a{}</style></svg>a', 'a'],
  ['template', '<template><p>x<template>y</template>z</template>a', 'a'],
  ['noscript, in head and body', '<head><noscript><style>x{}</style></noscript></head><body><noscript><p>y</noscript>a', 'a'],
  ['select, button, textarea', '<select><option>x<option>y</select><button>z</button><textarea><p>w</textarea>a', 'a'],
  ['iframe, object, video, audio, canvas', '<iframe><p>x</iframe><object><p>x<object>y</object>z</object><video>x</video><audio>x</audio><canvas>x</canvas>a', 'a'],
  ['comments, also unusual ones', '<!-- x --><!--> a <!-- > y --!>b', 'a b'],
  ['a script that writes one', '<script><!-- document.write("<script>x</script>"); --></script>a', 'a'],
])('what is skipped, is skipped whole: %s', (_, html, text) => {
  expect(htmlText(html).text).toBe(text);
});

test('a Word table: two paragraphs in a cell are two lines', async () => {
  expect((await extract(read('table-cells.docx'), 'docx')).text).toBe('Anna Berg\nDirector | Phone 12\nRoom 3');
});

test('blocks, lists and line breaks in cells keep their breaks, and a row begins a line', () => {
  const cells = ['<p>a</p><p>b</p>', '<div>c</div>d', '<ul><li>e<li>f</ul>', 'g<br>h', '<br>i<br>', '', '<blockquote>j</blockquote>'];
  const row = `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('\n')}</tr>`;
  const line = 'a\nb | c\nd | - e\n- f | g\nh | i | | j';
  expect(htmlText(`x<table>${row}\n${row}</table>y`).text).toBe(`x\n\n${line}\n${line}\n\ny`);
});

test('a table within a cell has its rows there', () => {
  expect(htmlText('<table><tr><td>a<td><table><tr><td>b<td>c<tr><td>d<td>e</table><td>f<tr><td>g<td>h</table>').text).toBe('a | b | c\nd | e | f\ng | h');
});

test('a table of one column lays a page out: its paragraphs are paragraphs', () => {
  expect(htmlText('<table><tr><td><h1>Head</h1><p>One<p>Two</table>')).toEqual({ text: 'Head\n\nOne\n\nTwo', places: [{ offset: 0, label: 'Head' }] });
});

test('a heading in a cell is a place of its own words, and stands where they do', () => {
  const { text, places } = htmlText('<table><tr><td>x<h2>The <b>harbour</b></h2>a<td><h3>The<br>mill</h3>b<tr><td><h2>Last</h2><td></table>');
  expect(places.map(({ label }) => label)).toEqual(['The harbour', 'The mill', 'Last']);
  expect(places.map(({ offset }) => text.slice(offset).split(/\s/)[0])).toEqual(['The', 'The', 'Last']);
});

test('a heading that is never closed does not take the document for its label', () => {
  expect(htmlText(`<h1>Title<p>${'word '.repeat(1000)}`).places[0]?.label.length).toBeLessThanOrEqual(300);
});

test('soft hyphens are seen by nobody, in text and in places; a hyphen that does not break stays', () => {
  expect(htmlText('<h1>The light&shy;house</h1><p>key\u00adboard non\u2011breaking')).toEqual({
    text: 'The lighthouse\n\nkeyboard non\u2011breaking', places: [{ offset: 0, label: 'The lighthouse' }],
  });
});

test('in a page that is XML any element closes itself, and characters may stand as they are', () => {
  const page = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x"/><style/></head><body><p/><p>a<a id="x"/><![CDATA[ < b & ]]>c</p><iframe/><textarea/>d</body></html>';
  expect(htmlText(page).text).toBe('a < b & c\n\nd');
  expect(htmlText(`<?xml version="1.0"?><!DOCTYPE html [<!ENTITY own "x > y">]>${page}`).text).toBe('a < b & c\n\nd');
});

test('only pictures may be a scan', async () => {
  for (const [html, code] of [['<p>  </p>', 'no-text'], ['<title>x</title>', 'no-text'], ['<img src="page1.png">', 'scan'], ['<svg><text>x</text></svg>', 'scan']] as const) {
    await expect(extract(Buffer.from(html), 'html')).rejects.toMatchObject({ code });
  }
});

test('where a line of the source ends between characters of a script without spaces, nothing stands', () => {
  expect(htmlText('<p>灯台は\n  港の東に<b>\nある</b>。Tarn\n川</p>').text).toBe('灯台は港の東に ある。Tarn 川');
});
