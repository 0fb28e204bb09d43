/** Markdown as a template: each block by itself, so that what is finished stays as it is while words still come. */
import { html, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { copyButton } from './copy-button';
import { chatStrings } from './chat-strings';
import { blockNodes, markdownBlocks, type MarkdownBlock } from './markdown';

export function prose(markdown: string, breaks = true): TemplateResult {
  return html`${guard([markdown], () => markdownBlocks(markdown, breaks).map((block) => html`${guard([block.raw], () => drawn(block, breaks))}`))}`;
}

function drawn(block: MarkdownBlock, breaks: boolean): TemplateResult {
  if (!block.code) return html`${blockNodes(block, breaks)}`;
  const { text, language } = block.code;
  return html`
    <figure class="code">
      <figcaption><span>${language}</span>${copyButton(text, chatStrings.copyCode)}</figcaption>
      <pre tabindex="0"><code>${text}</code></pre>
    </figure>`;
}
