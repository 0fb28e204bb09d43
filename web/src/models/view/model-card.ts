/** The model's card, a Markdown file beside its weights, in a dialog. */
import { html, render } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { failure, type MambaError } from '../../base/failure';
import { closeIcon } from '../../base/view/icons';
import { prose } from '../../markdown/view/prose';
import { modelStrings } from '../model-strings';

export class ModelCard extends Emitter<{ failed: MambaError; succeeded: 'card' }> {
  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  async show(address: string): Promise<void> {
    try {
      this.#draw(await fetched(address));
      this.emit('succeeded', 'card');
    } catch (thrown) {
      this.emit('failed', failure('card', {}, String(thrown)));
    }
  }

  #draw(card: string): void {
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="model-card-title">${modelStrings.cardTitle}</h2>
            <button type="button" class="icon-button" aria-label=${modelStrings.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <div class="answer" ${prose(card, false)}></div>
        </div>`,
      this.dialog,
    );
    if (!this.dialog.open) this.dialog.showModal();
  }
}

async function fetched(address: string): Promise<string> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.text();
}
