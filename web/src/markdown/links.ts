/** Addresses that stand in a text without any marks, as people and models write them: `https://…`, `www.…` and e-mail addresses. */
import type { MarkdownIt, StateCore, StateInline, Token } from 'markdown-it';

/** What a link may lead to. */
const ALLOWED = /^(https?:\/\/|mailto:)/i;
/** Before the sign that gives an address away, `:` or `@` or the first dot: its scheme, `www`, or a mailbox. */
const BEFORE = 64;
/** Of one address; a longer one is text. */
const LONGEST = 2000;
const WEB = /[^\s[\]<>"'`|\u2018-\u201f\u300c-\u300f\uff08\uff09\u3002\uff0c]{1,2001}/y;
/** As GFM has it. */
const WWW = /(?<![\p{L}\d.@/-])www\.[\p{L}\d-]+\.[^\s[\]<>"'`|]{1,500}/giu;
const MAIL_HOST = /[a-z\d](?:[a-z\d-]{0,62}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,62}[a-z\d])?){1,8}/iy;
const TRAILING: ReadonlySet<string> = new Set(['?', '!', '.', ',', ':', ';', '*', '_', '~', "'", '"']);

interface Found {
  /** Characters before the sign that belong to it. */
  before: number;
  end: number;
  href: string;
}

export function allowLinks(markdown: MarkdownIt): void {
  markdown.validateLink = (url) => ALLOWED.test(url.trim());
  markdown.inline.ruler.after('text', 'bare-link', bareLink);
  markdown.core.ruler.push('www', www);
}

/** Nothing gives these away but the letters themselves, so they are looked for in the text that is left. */
function www(state: StateCore): void {
  for (const token of state.tokens) {
    if (!token.children?.some(({ content }) => content.includes('www.'))) continue;
    let links = 0;
    token.children = token.children.flatMap((child) => {
      links += child.tag === 'a' ? child.nesting : 0;
      return child.type === 'text' && links === 0 ? linked(child, state) : [child];
    });
  }
}

function linked({ content }: Token, { Token, md }: StateCore): Token[] {
  const parts: Token[] = [];
  let done = 0;
  const push = (type: string, nesting: -1 | 0 | 1, rest: Partial<Token>) => parts.push(Object.assign(new Token(type, nesting === 0 ? '' : 'a', nesting), rest));
  for (const { index, 0: found } of content.matchAll(WWW)) {
    const end = withoutTrailing(content, index, index + found.length);
    push('text', 0, { content: content.slice(done, index) });
    push('link_open', 1, { attrs: [['href', md.normalizeLink(`http://${content.slice(index, end)}`)]] });
    push('text', 0, { content: content.slice(index, end) });
    push('link_close', -1, {});
    done = end;
  }
  push('text', 0, { content: content.slice(done) });
  return parts;
}

function bareLink(state: StateInline, silent: boolean): boolean {
  if (state.linkLevel > 0) return false;
  const found = find(state);
  if (!found || !state.md.validateLink(found.href)) return false;
  const start = state.pos - found.before;
  if (!silent) {
    state.pending = state.pending.slice(0, state.pending.length - found.before);
    state.push('link_open', 'a', 1).attrs = [['href', found.href]];
    state.push('text', '', 0).content = state.src.slice(start, found.end);
    state.push('link_close', 'a', -1);
  }
  state.pos = found.end;
  return true;
}

function find({ src, pos, posMax, md }: StateInline): Found | undefined {
  const sign = src[pos];
  if (sign !== ':' && sign !== '@') return undefined;
  const before = src.slice(Math.max(0, pos - BEFORE), pos);
  if (sign === '@') {
    const [mailbox = ''] = /[\w.+-]+$/.exec(before) ?? [];
    const end = matchEnd(MAIL_HOST, src, pos + 1, posMax);
    // One that is longer is none.
    if (mailbox === '' || mailbox.length === BEFORE || end === undefined) return undefined;
    return { before: mailbox.length, end, href: md.normalizeLink(`mailto:${src.slice(pos - mailbox.length, end)}`) };
  }
  const [scheme = ''] = src.startsWith('://', pos) ? /(?<![\p{L}\d])https?$/iu.exec(before) ?? [] : [];
  const end = scheme === '' ? undefined : matchEnd(WEB, src, pos + 3, posMax);
  if (end === undefined || end - pos > LONGEST) return undefined;
  const trimmed = withoutTrailing(src, pos + 3, end);
  return trimmed > pos + 3 ? { before: scheme.length, end: trimmed, href: md.normalizeLink(src.slice(pos - scheme.length, trimmed)) } : undefined;
}

function matchEnd(expression: RegExp, text: string, from: number, most: number): number | undefined {
  expression.lastIndex = from;
  return expression.test(text) ? Math.min(expression.lastIndex, most) : undefined;
}

/** As GFM has it: a sentence's signs are not the address's, nor is a bracket that it does not open. */
function withoutTrailing(text: string, from: number, to: number): number {
  let end = to;
  let open = 0;
  for (let at = from; at < to; at += 1) open += text[at] === '(' ? 1 : text[at] === ')' ? -1 : 0;
  for (; end > from; end -= 1) {
    const last = text[end - 1] ?? '';
    if (last === ')' && open < 0) open += 1;
    else if (!TRAILING.has(last)) break;
  }
  return end;
}
