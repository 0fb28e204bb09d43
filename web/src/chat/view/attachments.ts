/** The documents that a chat is answered from, above the message box: how far each has come, what is wrong with it, and what was pasted. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { fill } from '../../base/format';
import { closeIcon, documentIcon } from '../../base/view/icons';
import { passwordForm } from '../../base/view/password-form';
import { attachmentStrings as words } from '../attachment-strings';
import type { AttachmentState } from '../chat-data';

interface Actions {
  detach(key: string): void;
  unlock(key: string, password: string): void;
  putBack(key: string, text: string): void;
  show(key: string): void;
}

export function attachments(all: readonly AttachmentState[], actions: Actions): TemplateResult | typeof nothing {
  if (all.length === 0) return nothing;
  return html`<ul class="attachments" aria-label=${words.list} data-testid="attachments">${repeat(all, ({ key }) => key, (each) => attachment(each, actions))}</ul>`;
}

function attachment({ key, name, state }: AttachmentState, { detach, unlock, putBack, show }: Actions): TemplateResult {
  const away = { arriving: words.cancel, failed: words.dismiss, here: words.detach, deleted: words.detachDeleted }[state.kind];
  const label = fill(away, { name });
  return html`
    <li class="attachment" data-testid="attachment" data-state=${state.kind}>
      <div class="attachment-main">
        ${state.kind === 'here'
          ? html`<button type="button" class="attachment-name" data-testid="attachment-show" aria-label=${fill(words.show, { name })} title=${name} @click=${() => show(key)}>${documentIcon}<span dir="auto">${name}</span></button>`
          : html`<span class="attachment-name" title=${name}>${documentIcon}<span dir="auto">${name}</span></span>`}
        ${progress(state)}
        <button type="button" class="copy" data-testid="attachment-detach" aria-label=${label} title=${label} @click=${() => detach(key)}>${closeIcon}</button>
      </div>
      ${state.kind === 'failed' ? html`<p class="attachment-note" role="alert" data-testid="attachment-failed" data-code=${state.failure.code}>${state.failure.message} ${state.failure.remedy}</p>` : nothing}
      ${state.kind === 'failed' && state.locked
        ? passwordForm({ label: fill(words.password, { name }), open: words.unlock }, (password) => unlock(key, password))
        : nothing}
      ${state.kind === 'here' && state.pasted !== undefined ? pasted(() => putBack(key, state.pasted ?? '')) : nothing}
    </li>`;
}

function progress(state: AttachmentState['state']): TemplateResult | typeof nothing {
  if (state.kind === 'deleted') return html`<span class="attachment-state">${words.deleted}</span>`;
  if (state.kind !== 'arriving') return nothing;
  const text = state.total > 0 ? fill(words.arrivingPages, { done: state.done, total: state.total }) : words.arriving;
  return html`<span class="attachment-state" role="status">${text}</span>`;
}

function pasted(putBack: () => void): TemplateResult {
  return html`<p class="attachment-note" role="status">${words.pasted} <button type="button" class="link-button" data-testid="put-back" @click=${putBack}>${words.putBack}</button></p>`;
}
