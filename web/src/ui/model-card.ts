/** The model's card, a Markdown file beside its weights, in a dialog. */
import { html, render } from 'lit-html';
import { closeIcon } from './icons';
import { renderMarkdown } from './markdown';
import { strings } from './strings';

export class ModelCard {
  constructor(private readonly dialog: HTMLDialogElement) {
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  /** Where the card cannot be fetched, its address is opened as the plain link that it also is. */
  async show(address: string): Promise<void> {
    const response = await fetch(address).catch(() => undefined);
    if (!response?.ok) {
      window.open(address, '_blank', 'noopener');
      return;
    }
    const card = await response.text();
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="model-card-title">${strings.cardTitle}</h2>
            <button type="button" class="icon-button" aria-label=${strings.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <div class="answer">${renderMarkdown(card, false)}</div>
        </div>`,
      this.dialog,
    );
    this.dialog.showModal();
  }
}
