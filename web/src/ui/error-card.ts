/** What went wrong, what to do about it, and buttons that do it. */
import { html, nothing, render } from 'lit-html';
import type { CatalogueEntry } from '../app/catalogue';
import type { PageData } from '../app/page-data';
import { Emitter } from './emitter';
import { closeIcon } from './icons';
import { strings } from './strings';

export class ErrorCard extends Emitter<{ retry: undefined; openEntry: CatalogueEntry; dismiss: undefined }> {
  constructor(private readonly container: HTMLElement) {
    super();
  }

  update({ failure, status, entry, catalogue }: PageData): void {
    const [first] = catalogue;
    const other = first && first !== entry ? first : undefined;
    render(
      failure
        ? html`
            <div class="error" role="alert" data-testid="error" data-code=${failure.code}>
              <p class="error-sentence">${failure.message}</p>
              <p>${failure.remedy}</p>
              ${failure.detail ? html`<p class="error-detail">${failure.detail}</p>` : nothing}
              ${status.kind === 'failed'
                ? html`<p class="error-actions">
                    <button type="button" class="button" @click=${() => this.emit('retry')}>${strings.tryAgain}</button>
                    ${other ? html`<button type="button" class="button" @click=${() => this.emit('openEntry', other)}>${strings.useDemo}</button>` : nothing}
                  </p>`
                : nothing}
              <button type="button" class="icon-button error-close" aria-label=${strings.dismiss} @click=${() => this.emit('dismiss')}>${closeIcon}</button>
            </div>`
        : nothing,
      this.container,
    );
  }
}
