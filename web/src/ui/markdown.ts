/** An answer's Markdown as nodes that are safe to insert. What a model writes is as untrusted as any stranger's text. */
import DOMPurify from 'dompurify';
import { Marked, type Token } from 'marked';

const marked = new Marked({ gfm: true, async: false });
// HTML that a model writes is text to read: it is shown as it stands.
marked.use({ renderer: { html: ({ text }) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;') } });

/** Text and its structure only: nothing that loads, submits, styles or runs. */
const ALLOWED_TAGS = [
  'a', 'b', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'i', 'li', 'ol', 'p', 'pre', 's', 'strong',
  'sub', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
];
const ALLOWED_ATTR = ['href', 'start', 'align'];

/** A part of a text that is drawn by itself: while words still come, only the last one changes. */
export interface MarkdownBlock {
  raw: string;
  /** Of a block of code. */
  code: { text: string; language: string } | undefined;
  token: Token;
}

/** With `breaks`, a line's end is one in the result, as people write in chats. */
export function markdownBlocks(markdown: string, breaks = true): MarkdownBlock[] {
  return marked.lexer(markdown, options(breaks))
    .filter(({ type }) => type !== 'space' && type !== 'def')
    .map((token) => ({
      raw: token.raw,
      code: token.type === 'code' ? { text: token.text as string, language: ((token.lang as string | undefined) ?? '').split(/\s/, 1)[0] ?? '' } : undefined,
      token,
    }));
}

export function blockNodes({ token }: Pick<MarkdownBlock, 'token'>, breaks = true): DocumentFragment {
  return safeNodes(marked.parser([token], options(breaks)));
}

/** A lexer and a parser that are called by themselves know nothing but what they are given. */
function options(breaks: boolean): typeof marked.defaults {
  return { ...marked.defaults, breaks };
}

/** The whole text at once. */
export function renderMarkdown(markdown: string, breaks = true): DocumentFragment {
  return safeNodes(marked.parse(markdown, { breaks }) as string);
}

function safeNodes(html: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ALLOWED_URI_REGEXP: /^(https?:|mailto:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
  }
  return fragment;
}
