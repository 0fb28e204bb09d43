/** HTML to paragraphs, without a DOM: blocks end paragraphs, headings are places, tables keep a line for each row. */
import { Parser } from 'htmlparser2';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

const BLOCKS = new Set([
  'address', 'article', 'aside', 'blockquote', 'body', 'caption', 'dd', 'details', 'div', 'dl', 'dt', 'fieldset', 'figcaption', 'figure', 'footer', 'form',
  'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hr', 'li', 'main', 'nav', 'ol', 'p', 'pre', 'section', 'summary', 'table', 'tbody', 'tfoot', 'thead', 'ul',
]);
/** What is no text, or not the document's. */
const UNREAD = new Set(['script', 'style', 'noscript', 'template', 'svg', 'math', 'head', 'nav', 'button', 'select', 'iframe', 'object']);
const HEADING = /^h[1-4]$/;

export function htmlText(html: string): Extracted {
  const builder = new TextBuilder();
  appendHtml(builder, html);
  return builder.done();
}

/** Reads `html` behind what is there already. A table is one paragraph, as its rows belong together. */
export function appendHtml(builder: TextBuilder, html: string): void {
  let [text, heading, unread, tables, kept] = ['', '', '', 0, 0];
  const end = () => {
    builder.paragraph(text);
    text = '';
  };
  const parser = new Parser({
    onopentag(name) {
      if (unread !== '') return;
      if (UNREAD.has(name)) unread = name;
      else if (name === 'br') text += '\n';
      else if (BLOCKS.has(name) && tables === 0) end();
      if (name === 'table') tables += 1;
      if (name === 'pre') kept += 1;
      if (name === 'li') text += '- ';
      if (HEADING.test(name)) heading = name;
    },
    ontext(data) {
      // What was laid out by hand keeps its lines.
      if (unread === '') text += kept > 0 ? data : data.replace(/\s+/g, ' ');
    },
    onclosetag(name) {
      if (unread !== '') {
        if (name === unread) unread = '';
        return;
      }
      if (name === heading) {
        builder.place(text);
        heading = '';
      }
      if (name === 'td' || name === 'th') text += ' | ';
      if (name === 'tr') text = `${text.replace(/ \| $/, '')}\n`;
      if (name === 'table') tables -= 1;
      if (name === 'pre') kept -= 1;
      if (BLOCKS.has(name) && tables === 0) end();
    },
  }, { decodeEntities: true, recognizeSelfClosing: true });
  parser.end(html);
  end();
}
