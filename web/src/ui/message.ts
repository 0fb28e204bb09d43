/** One message: the question as it was typed, the answer as sanitised Markdown with its figures below. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { unsafeHTML } from 'lit-html/directives/unsafe-html.js';
import type { AssistantMessage, Message } from '../app/conversation';
import { copyButton } from './copy-button';
import { fill, formatRate, formatSeconds } from './format';
import { renderMarkdown } from './markdown';
import { strings } from './strings';

export function message(message: Message, modelReady: boolean): TemplateResult {
  return message.role === 'user' ? question(message.text) : answer(message, modelReady);
}

function question(text: string): TemplateResult {
  return html`
    <article class="message user">
      <h2 class="visually-hidden">${strings.you}</h2>
      <div class="bubble" data-testid="message-user">${text}</div>
    </article>`;
}

/** Screen readers hear the answer once, when `aria-busy` ends, and not word by word. */
function answer(message: AssistantMessage, modelReady: boolean): TemplateResult {
  const done = message.state.kind === 'done' || message.state.kind === 'told';
  return html`
    <article class="message assistant" aria-busy=${done ? 'false' : 'true'}>
      <h2 class="visually-hidden">${strings.model}</h2>
      <div class="answer" data-testid="message-assistant">${guard([message.text], () => unsafeHTML(renderMarkdown(message.text)))}</div>
      ${message.state.kind === 'waiting' ? waiting(message.state.prefill, modelReady) : nothing}
      <div class="under">${done ? figures(message) : nothing}</div>
    </article>`;
}

function waiting(prefill: { done: number; total: number } | undefined, modelReady: boolean): TemplateResult {
  const text = !modelReady ? strings.waitingForModel : prefill && prefill.done < prefill.total ? fill(strings.reading, prefill) : strings.thinking;
  return html`<p class="waiting"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${text}</p>`;
}

function figures({ state, text }: AssistantMessage): TemplateResult | typeof nothing {
  if (state.kind === 'told') return copyButton(text);
  if (state.kind !== 'done') return nothing;
  const { tokens, rate, firstToken } = state.stats;
  const data = { tokens, rate: formatRate(rate), first: formatSeconds(firstToken) };
  const note = state.stop === 'cancelled' ? ` · ${strings.stopped}` : state.stop === 'length' ? ` · ${fill(strings.lengthReached, data)}` : '';
  return text === ''
    ? html`<span>${strings.emptyAnswer}</span>`
    : html`${copyButton(text)}<span data-testid="stats">${fill(rate > 0 ? strings.stats : strings.statsShort, data)}${note}</span>`;
}
