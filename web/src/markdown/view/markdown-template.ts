/** Blocks of Markdown as templates. Nothing but these elements can come of a text, and no attribute but these. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { Token } from 'markdown-it';
import { directionOf } from '../../base/direction';
import { strings } from '../../base/strings';
import { leadsTo } from '../leads-to';
import { copyButton } from '../../base/view/copy-button';
import type { MarkdownBlock } from '../markdown-text';
import { code } from './code';
import { formula } from './formula';

/** Emphasis within emphasis; deeper than this its marks are text. */
const DEEPEST_INLINE = 20;

type Part = string | TemplateResult;
type Direction = ReturnType<typeof directionOf>;

/** What has been opened and not yet closed. */
interface Frame {
  token: Token | undefined;
  parts: Part[];
  /** Of what it holds, by its first letter. */
  direction: Direction | undefined;
  /** Its marks are shown as they are. */
  flat?: boolean;
  /** An item whose text stands in it directly. */
  tight?: boolean;
}

type Draw = (content: Part[], token: Token, frame: { direction: Direction; tight: boolean }) => Part | Part[];

const ELEMENTS: Readonly<Record<string, Draw>> = {
  p: (content, { hidden }) => (hidden ? content : html`<p dir="auto">${content}</p>`),
  h1: (content) => html`<h1 dir="auto">${content}</h1>`,
  h2: (content) => html`<h2 dir="auto">${content}</h2>`,
  h3: (content) => html`<h3 dir="auto">${content}</h3>`,
  h4: (content) => html`<h4 dir="auto">${content}</h4>`,
  h5: (content) => html`<h5 dir="auto">${content}</h5>`,
  h6: (content) => html`<h6 dir="auto">${content}</h6>`,
  blockquote: (content, _, { direction }) => html`<blockquote dir=${direction}>${content}</blockquote>`,
  ul: (content, _, { direction }) => html`<ul dir=${direction}>${content}</ul>`,
  ol: (content, token, { direction }) => html`<ol dir=${direction} start=${attribute(token, 'start') || nothing}>${content}</ol>`,
  li: item,
  table: (content, _, { direction }) => html`<table dir=${direction}>${content}</table>`,
  thead: (content) => html`<thead>${content}</thead>`,
  tbody: (content) => html`<tbody>${content}</tbody>`,
  tr: (content) => html`<tr>${content}</tr>`,
  th: (content, token) => html`<th dir="auto" align=${alignment(token)}>${content}</th>`,
  td: (content, token) => html`<td dir="auto" align=${alignment(token)}>${content}</td>`,
  em: (content) => html`<em>${content}</em>`,
  strong: (content) => html`<strong>${content}</strong>`,
  s: (content) => html`<del>${content}</del>`,
  a: (content, token) => link(attribute(token, 'href'), content, attribute(token, 'title')),
};

export function blockTemplate({ tokens }: MarkdownBlock, breaks: boolean): TemplateResult {
  return html`${drawn(tokens, breaks, [])}`;
}

/** `around`: what holds these tokens, for their letters tell its direction too. */
function drawn(tokens: readonly Token[], breaks: boolean, around: readonly Frame[]): Part[] {
  const root: Frame = { token: undefined, parts: [], direction: undefined };
  const frames: Frame[] = [...around, root];
  for (const token of tokens) {
    const frame = frames.at(-1) as Frame;
    if (token.nesting > 0) {
      const flat = around.length > 0 && frames.length - around.length > DEEPEST_INLINE && token.tag !== 'a';
      if (flat) add(frame.parts, token.markup);
      frames.push({ token, parts: flat ? frame.parts : [], direction: undefined, flat });
    } else if (token.nesting < 0) {
      frames.pop();
      close(frame, token, frames.at(-1) as Frame);
    } else if (token.type === 'inline') {
      for (const part of drawn(token.children ?? [], breaks, frames)) add(frame.parts, part);
    } else {
      if (token.type === 'text') tellDirection(frames, token.content);
      add(frame.parts, single(token, breaks, frames));
    }
  }
  return root.parts;
}

function close({ token, parts, direction = 'ltr', flat, tight = false }: Frame, { markup }: Token, parent: Frame): void {
  if (flat || !token) return add(parent.parts, markup);
  if (token.hidden) parent.tight = true;
  const made = ELEMENTS[token.tag]?.(parts, token, { direction, tight }) ?? parts;
  for (const part of Array.isArray(made) ? made : [made]) add(parent.parts, part);
}

function add(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  // Texts that follow on one another are one.
  if (typeof part === 'string' && typeof last === 'string') parts[parts.length - 1] = last + part;
  else if (part !== '') parts.push(part);
}

function tellDirection(frames: readonly Frame[], text: string): void {
  if (frames.every(({ direction }) => direction) || !/\p{L}/u.test(text)) return;
  const direction = directionOf(text);
  for (const frame of frames) frame.direction ??= direction;
}

function single(token: Token, breaks: boolean, frames: readonly Frame[]): Part {
  switch (token.type) {
    case 'softbreak':
      return breaks ? html`<br>` : '\n';
    case 'hardbreak':
      return html`<br>`;
    case 'hr':
      return html`<hr>`;
    case 'code_inline':
      return html`<code dir="ltr">${token.content}</code>`;
    case 'fence':
    case 'code_block':
      return codeBlock(token.content, token.info.trim().split(/\s/, 1)[0] ?? '');
    case 'formula':
      return formula({ tex: token.content, display: token.markup === '\\[' || token.markup === '$$', source: token.info });
    case 'image':
      return picture(token, frames.some((frame) => frame.token?.tag === 'a'));
    default:
      return token.content;
  }
}

function codeBlock(text: string, language: string): TemplateResult {
  const shown = text.replace(/\n$/, '');
  return html`
    <figure class="code" dir="ltr">
      <figcaption><span>${language}</span>${copyButton(shown, strings.copyCode)}</figcaption>
      <pre tabindex="0">${code(shown, language)}</pre>
    </figure>`;
}

/** Its mark stands where its text begins. Browsers find that for text that stands in it directly. */
function item(content: Part[], { meta }: Token, { direction, tight }: { direction: Direction; tight: boolean }): TemplateResult {
  const task = meta as { done: boolean } | null;
  const dir = tight ? 'auto' : direction;
  if (!task) return html`<li dir=${dir}>${content}</li>`;
  return html`<li class="task" dir=${dir}><input type="checkbox" disabled ?checked=${task.done} aria-label=${task.done ? strings.taskDone : strings.taskOpen} /> ${content}</li>`;
}

function link(href: string, content: Part | Part[], title = ''): TemplateResult {
  const said = [content].flat().filter((part) => typeof part === 'string').join('');
  return html`<a href=${href} title=${title || nothing} data-leads=${leadsTo(href, said) ?? nothing} target="_blank" rel="noopener noreferrer">${content}</a>`;
}

/** Nothing is fetched for a picture: what it shows stands in its place, and leads to it. */
function picture(token: Token, inLink: boolean): TemplateResult {
  const text = alternative(token.children ?? []).trim();
  const said = text === '' ? strings.picture : `${strings.picture}: ${text}`;
  return html`<span class="picture">${inLink ? said : link(attribute(token, 'src'), said)}</span>`;
}

function alternative(tokens: readonly Token[]): string {
  return tokens.map(({ content, children }) => (children ? alternative(children) : content)).join('');
}

function attribute(token: Token, name: string): string {
  return String(token.attrGet(name) ?? '');
}

function alignment(token: Token): string | typeof nothing {
  return /text-align:(\w+)/.exec(attribute(token, 'style'))?.[1] ?? nothing;
}
