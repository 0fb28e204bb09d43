/** HTML to paragraphs, without a DOM: blocks end paragraphs, headings are places, tables keep a line for each row. */
import type { Extracted } from '../../data/document-records';
import { htmlTree, type HtmlNode } from './html-tree';
import { TextBuilder } from './text-builder';

const BLOCKS = new Set([
  'address', 'article', 'aside', 'blockquote', 'body', 'caption', 'center', 'dd', 'details', 'dialog', 'dir', 'div', 'dl', 'dt', 'fieldset', 'figcaption',
  'figure', 'footer', 'form', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hgroup', 'hr', 'legend', 'main', 'menu', 'ol', 'p', 'section', 'search',
  'summary', 'table', 'ul',
]);
/** What is no text, or not the document's. */
const UNREAD = new Set([
  'audio', 'button', 'canvas', 'datalist', 'head', 'iframe', 'math', 'nav', 'noembed', 'noframes', 'noscript', 'object', 'script', 'select', 'style', 'svg',
  'template', 'textarea', 'title', 'video',
]);
const PICTURES = new Set(['canvas', 'embed', 'image', 'img', 'object', 'svg']);
/** Laid out by hand. */
const KEPT = new Set(['listing', 'plaintext', 'pre', 'xmp']);
const HEADING = /^h[1-4]$/;

export function htmlText(html: string): Extracted {
  const builder = new TextBuilder();
  appendHtml(builder, html, isXml(html));
  return builder.done();
}

/** A page that says so is read as XML, in which any element may close itself. */
function isXml(html: string): boolean {
  return /^\s*<\?xml\s|<html[^>]*\sxmlns\s*=/i.test(html.slice(0, 2048));
}

/** Reads `html` behind what is there already. Throws `too-complex` and `too-much`. */
export function appendHtml(builder: TextBuilder, html: string, xml: boolean): void {
  const reader = new HtmlReader(builder);
  const root = htmlTree(html, xml);
  let node: HtmlNode = root;
  // Trees may be deeper than calls can be.
  for (;;) {
    if (reader.enter(node) && node.first) {
      node = node.first;
      continue;
    }
    reader.leave(node);
    while (!node.next) {
      if (!node.parent) return builder.block();
      node = node.parent;
      reader.leave(node);
    }
    node = node.next;
  }
}

class HtmlReader {
  #kept = 0;
  /** For each open table, whether it has columns. */
  readonly #tables: boolean[] = [];

  constructor(private readonly builder: TextBuilder) {}

  /** Whether its children are read. */
  enter(node: HtmlNode): boolean {
    const { name } = node;
    if (name === '#text') {
      if (this.#kept > 0) this.builder.lines(node.text);
      else this.builder.words(node.text);
      return false;
    }
    if (PICTURES.has(name)) this.builder.picture();
    if (UNREAD.has(name)) return false;
    if (name === 'br') this.builder.lineBreak();
    if (BLOCKS.has(name) || KEPT.has(name)) this.builder.block();
    if (KEPT.has(name)) this.#kept += 1;
    if (HEADING.test(name)) this.builder.beginHeading();
    if (name === 'li') this.builder.beginItem();
    if (name === 'table') this.#tables.push(hasColumns(node));
    if (name === 'tr') this.#inTable('beginRow');
    if (name === 'td' || name === 'th') this.#inTable('beginCell');
    return true;
  }

  leave({ name }: HtmlNode): void {
    if (UNREAD.has(name)) return;
    if (name === 'td' || name === 'th') this.#inTable('endCell');
    if (name === 'tr') this.#inTable('endRow');
    if (name === 'table') this.#tables.pop();
    if (name === 'li') this.builder.endItem();
    if (HEADING.test(name)) this.builder.endHeading();
    if (KEPT.has(name)) this.#kept -= 1;
    if (BLOCKS.has(name) || KEPT.has(name)) this.builder.block();
  }

  /** A table of one column lays a page out, and what it holds is read as if there were none. */
  #inTable(step: 'beginRow' | 'beginCell' | 'endRow' | 'endCell'): void {
    if (this.#tables.at(-1)) this.builder[step]();
    else if (step === 'beginRow' || step === 'endRow') this.builder.line();
    else this.builder.words(' ');
  }
}

function hasColumns(table: HtmlNode): boolean {
  for (let body = table.first; body; body = body.next) {
    for (let row = body.first; row; row = row.next) {
      let cells = 0;
      for (let cell = row.first; cell; cell = cell.next) cells += cell.name === 'td' || cell.name === 'th' ? 1 : 0;
      if (cells > 1) return true;
    }
  }
  return false;
}
