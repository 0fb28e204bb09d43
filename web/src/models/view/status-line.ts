/** Below the message box: how far the model has come and what can be done about it, then where it runs and why. Its height never changes. */
import { html, render, type TemplateResult } from 'lit-html';
import type { ModelInfo, OpenProgress } from 'web-mamba';
import { Emitter } from '../../base/emitter';
import { fill, formatBytes, formatRemaining } from '../../base/format';
import { closeIcon, pauseIcon, resumeIcon } from '../../base/view/icons';
import { modelStrings } from '../model-strings';
import type { ModelsData, ModelStatus } from '../models-data';

type Opening = Extract<ModelStatus, { kind: 'opening' }>;

export class StatusLine extends Emitter<{ pause: undefined; resume: undefined; discard: undefined }> {
  constructor(private readonly container: HTMLElement) {
    super();
  }

  update({ status, name }: ModelsData): void {
    render(this.#line(status, name), this.container);
  }

  #line(status: ModelStatus, name: string): TemplateResult {
    switch (status.kind) {
      case 'opening':
        return this.#opening(status, name);
      case 'paused':
        return this.#bar(fill(modelStrings.paused, { name }), amount(status.progress), status.progress, [
          this.#button('resume', modelStrings.resume, resumeIcon),
          this.#button('discard', modelStrings.discard, closeIcon),
        ]);
      case 'licence':
        return html`<p class="backend">${modelStrings.licenceWaits}</p>`;
      case 'link':
        return html`<p class="backend">${modelStrings.linkWaits}</p>`;
      case 'ready':
        return status.rebuilding ? html`<p class="backend" data-testid="rebuilding" role="status">${modelStrings.rebuilding}</p>` : backend(status.info);
      case 'failed':
        return html`<p class="backend">${modelStrings.notLoaded}</p>`;
    }
  }

  #opening(status: Opening, name: string): TemplateResult {
    const { progress, figures } = status;
    const text = fill(what(status), { name });
    const receiving = progress?.step === 'receive' && status.origin !== 'files';
    const buttons = receiving ? [this.#button('pause', modelStrings.pause, pauseIcon), this.#button('discard', modelStrings.discard, closeIcon)] : [];
    const speed = figures && figures.rate > 0 && progress?.phase === 'download'
      ? [fill(modelStrings.perSecond, { rate: formatBytes(figures.rate) }), figures.remaining === null ? '' : formatRemaining(figures.remaining)]
      : [];
    return this.#bar(text, amount(progress), progress, buttons, speed.filter(Boolean).map((figure) => ` · ${figure}`).join(''));
  }

  #bar(text: string, amount: string, progress: OpenProgress | undefined, buttons: TemplateResult[], speed = ''): TemplateResult {
    const { done, total } = progress ?? { done: 0, total: 0 };
    return html`
      <div class="progress" data-testid="progress">
        <div class="progress-main">
          <div class="progress-text"><span title=${text}>${text}</span><span class="amount">${amount}<span class="speed">${speed}</span></span></div>
          ${total > 0
            ? html`<progress max=${total} .value=${done} aria-label=${text}></progress>`
            : html`<progress aria-label=${text}></progress>`}
        </div>
        ${buttons}
      </div>`;
  }

  #button(act: 'pause' | 'resume' | 'discard', label: string, icon: TemplateResult): TemplateResult {
    return html`<button type="button" class="icon-button small" data-testid=${act} aria-label=${label} title=${label} @click=${() => this.emit(act)}>${icon}</button>`;
  }
}

function what({ origin, progress }: Opening): string {
  if (!progress) return modelStrings.opening;
  if (progress.step === 'load') return modelStrings.preparing;
  if (progress.silent) return modelStrings.silentElsewhere;
  if (progress.elsewhere) return modelStrings.downloadingElsewhere;
  if (progress.phase === 'wait') return modelStrings.tryingAgain;
  if (progress.phase === 'offline') return modelStrings.offline;
  if (progress.phase === 'verify') return modelStrings.verifying;
  if (progress.phase === 'repair') return modelStrings.repairing;
  if (progress.restarted) return modelStrings.restarted;
  return origin === 'files' ? modelStrings.importing : modelStrings.downloading;
}

function amount(progress: OpenProgress | undefined): string {
  if (progress?.step !== 'receive') return '';
  const { done, total } = progress;
  return total > 0 ? fill(modelStrings.amount, { done: formatBytes(done), total: formatBytes(total) }) : formatBytes(done);
}

function backend({ backend, adapter, reason }: ModelInfo): TemplateResult {
  const name = backend === 'webgpu' ? modelStrings.webgpu : modelStrings.cpu;
  // What it is in detail is asked for with the figures.
  const more = [backend === 'webgpu' && adapter ? `· ${adapter}` : '', reason ? `— ${reason}` : ''].filter(Boolean).join(' ');
  return html`
    <p class="backend" data-testid="backend" data-backend=${backend} title=${reason}>
      <span class="light" aria-hidden="true"></span><strong>${name}</strong> <span class="on-demand reason">${more}</span>
    </p>`;
}
