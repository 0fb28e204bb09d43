/** Shows whose terms a model comes under, and asks for consent before its download. */
import { html } from 'lit-html';
import { fill, formatBytes } from './format';
import { QuestionDialog } from './question-dialog';
import { strings } from './strings';
import type { Question } from '../app/models-data';

export class LicenceDialog extends QuestionDialog {
  update({ status }: { status: Question }): void {
    if (status.kind !== 'licence') return this.answered();
    const { name, licence, bytes, memory, page } = status.entry;
    this.ask(
      html`
        <div class="sheet">
          <div class="sheet-head"><h2 id="licence-title">${fill(strings.licenceTitle, { name })}</h2></div>
          <p>${fill(strings.licenceText, { name, licence: licence.name })}</p>
          <p class="links">
            <a href=${licence.link} target="_blank" rel="noopener noreferrer" data-testid="licence-link">${fill(strings.licenceRead, { licence: licence.name })}</a>
            <a href=${page} target="_blank" rel="noopener noreferrer">${strings.modelPage}</a>
          </p>
          <p class="hint">${fill(strings.licenceCost, { size: formatBytes(bytes), memory: formatBytes(memory) })}</p>
          <div class="actions">
            <button type="button" class="button" data-testid="licence-decline" @click=${() => this.emit('decline')}>${strings.licenceDecline}</button>
            <button type="button" class="button primary" data-testid="licence-accept" @click=${() => this.emit('accept')}>${strings.licenceAccept}</button>
          </div>
        </div>`,
    );
  }
}
