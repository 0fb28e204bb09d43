/** Below the message box: how far the model has come, then where it runs and why. Its height never changes. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import type { ModelStatus, PageData } from '../app/page-data';
import type { ModelInfo } from '../engine/protocol';
import { fill, formatBytes } from './format';
import { strings } from './strings';

export class StatusLine {
  constructor(private readonly container: HTMLElement) {}

  update({ status, name }: PageData): void {
    render(line(status, name), this.container);
  }
}

function line(status: ModelStatus, name: string): TemplateResult {
  switch (status.kind) {
    case 'opening':
      return progress(status, name);
    case 'ready':
      return backend(status.info);
    case 'failed':
      return html`<p class="backend">${strings.notLoaded}</p>`;
  }
}

function progress({ origin, progress }: Extract<ModelStatus, { kind: 'opening' }>, name: string): TemplateResult {
  const { step, done, total } = progress ?? { step: undefined, done: 0, total: 0 };
  const what = step === undefined ? strings.opening : step === 'load' ? strings.preparing : origin === 'files' ? strings.importing : strings.downloading;
  const text = fill(what, { name });
  const amount = step === 'receive' ? (total > 0 ? fill(strings.amount, { done: formatBytes(done), total: formatBytes(total) }) : formatBytes(done)) : '';
  return html`
    <div class="progress" data-testid="progress">
      <div class="progress-text"><span>${text}</span><span class="amount">${amount}</span></div>
      ${total > 0
        ? html`<progress max=${total} .value=${done} aria-label=${text}></progress>`
        : html`<progress aria-label=${text}></progress>`}
    </div>`;
}

function backend({ backend, adapter, reason }: ModelInfo): TemplateResult {
  const name = backend === 'webgpu' ? [strings.webgpu, adapter].filter(Boolean).join(' · ') : strings.cpu;
  return html`
    <p class="backend" data-testid="backend" data-backend=${backend} title=${reason}>
      <span class="light" aria-hidden="true"></span><strong>${name}</strong>${reason ? html` — <span class="reason">${reason}</span>` : nothing}
    </p>`;
}
