/** Answers that were asked for at once, side by side until one is chosen; on narrow screens one is seen at a time, and the next is a swipe away. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { splitThoughts } from 'web-mamba';
import { fill } from '../../base/format';
import type { AssistantMessage } from '../../data/conversation-record';
import { prose } from '../../markdown/view/prose';
import { chatStrings } from '../chat-strings';
import { answerFigures, waiting, type MessageContext } from './message';
import { sources } from './sources';

export function sideBySide(answers: readonly AssistantMessage[], context: MessageContext): TemplateResult {
  return html`
    <div class="message assistant several" data-testid="side-by-side">
      <p class="sources-note" role="status">${context.batch ? html`<span data-testid="several">${fill(chatStrings.batch, { ...context.batch })}</span>` : chatStrings.chooseHint}</p>
      <div class="columns" tabindex="0" role="group" aria-label=${chatStrings.chooseHint}>${repeat(answers, ({ id }) => id, (each, index) => column(each, index + 1, context))}</div>
    </div>`;
}

function column(answer: AssistantMessage, number: number, context: MessageContext): TemplateResult {
  const done = answer.state.kind === 'done';
  return html`
    <article class="column" data-testid="choice" aria-busy=${done ? 'false' : 'true'}>
      <h2>${fill(chatStrings.numbered, { number })}</h2>
      <div class="answer" data-testid="message-assistant" ${prose(splitThoughts(answer.text).answer)}></div>
      ${answer.state.kind === 'waiting' ? waiting(answer.state.prefill, context) : nothing}
      ${done ? sources(answer, (source) => context.showSource(source)) : nothing}
      <p class="under">${answerFigures(answer)}</p>
      <button type="button" class="button" data-testid="choose" @click=${() => context.showBranch(answer.id)}>${chatStrings.choose}<span class="visually-hidden">: ${fill(chatStrings.numbered, { number })}</span></button>
    </article>`;
}
