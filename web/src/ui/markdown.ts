/** An answer's Markdown as HTML that is safe to insert. What a model writes is as untrusted as any stranger's text. */
import DOMPurify from 'dompurify';
import { Marked } from 'marked';

const marked = new Marked({ gfm: true, async: false });
// HTML that a model writes is text to read: it is shown as it stands.
marked.use({ renderer: { html: ({ text }) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;') } });

/** Text and its structure only: nothing that loads, submits, styles or runs. */
const ALLOWED_TAGS = [
  'a', 'b', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'i', 'li', 'ol', 'p', 'pre', 's', 'strong',
  'sub', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
];
const ALLOWED_ATTR = ['href', 'start', 'align'];

/** With `breaks`, a line's end is one in the result, as people write in chats. */
export function renderMarkdown(markdown: string, breaks = true): string {
  const fragment = DOMPurify.sanitize(marked.parse(markdown, { breaks }) as string, {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ALLOWED_URI_REGEXP: /^(https?:|mailto:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  const holder = document.createElement('div');
  holder.append(fragment);
  for (const link of holder.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
  }
  return holder.innerHTML;
}
