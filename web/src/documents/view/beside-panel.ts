/** A document beside the chat, with the sentence that an answer goes back to; on narrow screens it opens over the chat. */
import { html, render } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { closeIcon } from '../../base/view/icons';
import { documentStrings as words } from '../document-strings';
import type { ShownBeside } from '../documents-controller';
import type { DocumentsViewData } from '../documents-data';
import { DocumentText } from './document-text';

/** Room for the list, the chat and a text beside each other; `beside.css` has the same. */
const WIDE = '(width >= 72rem)';

export class BesidePanel extends Emitter<{ showBeside: null }> {
  readonly #wide = matchMedia(WIDE);
  #shown: ShownBeside | undefined;
  #text: DocumentText | undefined;
  #data: DocumentsViewData | undefined;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    // By Escape, where it is over the chat.
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      this.#leave();
    });
    dialog.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || dialog.matches(':modal')) return;
      event.stopPropagation();
      this.#leave();
    });
    this.#wide.addEventListener('change', () => {
      if (!dialog.open) return;
      dialog.close();
      if (this.#data) this.update(this.#data);
    });
  }

  update(data: DocumentsViewData): void {
    this.#data = data;
    const { documents: { beside }, view } = data;
    if (!beside || view !== 'chat') {
      if (this.dialog.open) this.dialog.close();
      this.#shown = undefined;
      return;
    }
    const isNew = beside !== this.#shown;
    if (beside.text !== this.#shown?.text) this.#text = new DocumentText(beside.text, () => this.#data && this.update(this.#data), true);
    this.#shown = beside;
    this.#draw(beside);
    if (!this.dialog.open) {
      if (this.#wide.matches) this.dialog.show();
      else this.dialog.showModal();
    }
    if (isNew) this.#toMark(beside.follows);
  }

  #draw({ record, marked }: ShownBeside): void {
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="beside-title" dir="auto">${record.name}</h2>
            <button type="button" class="icon-button" data-testid="beside-close" aria-label=${words.closeBeside} title=${words.closeBeside} @click=${() => this.#leave()}>${closeIcon}</button>
          </div>
          ${this.#text?.template(marked)}
        </div>`,
      this.dialog,
    );
  }

  #toMark(follows: boolean): void {
    const mark = this.dialog.querySelector('mark');
    if (!mark) this.dialog.scrollTop = 0;
    mark?.scrollIntoView({ block: 'center' });
    if (!follows) mark?.focus({ preventScroll: true });
  }

  #leave(): void {
    this.emit('showBeside', null);
  }
}
