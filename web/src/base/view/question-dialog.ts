/** A dialog that asks for a yes or a no. Whatever closes it without an answer, such as Escape, is a no. */
import { render, type TemplateResult } from 'lit-html';
import { Emitter } from '../emitter';

export class QuestionDialog extends Emitter<{ accept: undefined; decline: undefined }> {
  #asking = false;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      this.emit('decline');
    });
    // Before a visitor has touched the page, browsers close a dialog without the event above.
    dialog.addEventListener('close', () => this.#asking && this.emit('decline'));
  }

  protected ask(question: TemplateResult): void {
    render(question, this.dialog);
    this.#asking = true;
    if (!this.dialog.open) this.dialog.showModal();
  }

  protected answered(): void {
    this.#asking = false;
    if (this.dialog.open) this.dialog.close();
  }
}
