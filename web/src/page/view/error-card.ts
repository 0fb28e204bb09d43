/** What went wrong, what to do about it, and buttons that do it. It stands above the message box, or in what is open over it. */
import { html, nothing, render } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { closeIcon } from '../../base/view/icons';
import { chatStrings } from '../../chat/chat-strings';
import { newerOf, type CatalogueEntry } from '../../models/catalogue';
import type { PageData } from '../page-data';
import { pageStrings } from '../page-strings';

export class ErrorCard extends Emitter<{ retry: undefined; openEntry: CatalogueEntry; dismiss: undefined }> {
  readonly #home: HTMLElement | null;

  /** `surfaces`: what may be open over the page, the topmost first. */
  constructor(private readonly container: HTMLElement, private readonly surfaces: readonly HTMLElement[]) {
    super();
    this.#home = container.parentElement;
  }

  update({ failure, status, entry, catalogue, judged }: PageData): void {
    this.#place();
    const [first] = catalogue;
    const newer = failure?.code === 'replaced' && entry ? newerOf(entry) : undefined;
    const other = first && first !== entry && first !== newer ? first : undefined;
    const refused = failure?.code.startsWith('refused-') ?? false;
    const smaller = refused && entry ? judged(entry)?.instead : undefined;
    render(
      failure
        ? html`
            <div class="error" role="alert" data-testid="error" data-code=${failure.code}>
              <p class="error-sentence">${failure.message}</p>
              <p>${failure.remedy}</p>
              ${failure.detail ? html`<p class="error-detail">${failure.detail}</p>` : nothing}
              ${status.kind === 'failed'
                ? html`<p class="error-actions">
                    ${smaller
                      ? html`<button type="button" class="button primary" data-testid="get-instead" @click=${() => this.emit('openEntry', smaller)}>${chatStrings.offerGetInstead}</button>`
                      : nothing}
                    ${newer
                      ? html`<button type="button" class="button primary" data-testid="get-newer" @click=${() => this.emit('openEntry', newer)}>${fill(pageStrings.newerOpen, { name: newer.name })}</button>`
                      : nothing}
                    ${refused || newer ? nothing : html`<button type="button" class="button" @click=${() => this.emit('retry')}>${pageStrings.tryAgain}</button>`}
                    ${other ? html`<button type="button" class="button" @click=${() => this.emit('openEntry', other)}>${pageStrings.useDemo}</button>` : nothing}
                  </p>`
                : nothing}
              <button type="button" class="icon-button error-close" aria-label=${pageStrings.dismiss} @click=${() => this.emit('dismiss')}>${closeIcon}</button>
            </div>`
        : nothing,
      this.container,
    );
  }

  /** Behind a dialog or the drawer nothing can be read or pressed. */
  #place(): void {
    const over = this.surfaces.find((each) => each.matches('dialog:modal, .sidebar.open'));
    if (over) {
      if (over.lastElementChild !== this.container) over.append(this.container);
    } else if (this.container.parentElement !== this.#home) {
      this.#home?.prepend(this.container);
    }
  }
}
