/** Shows whose terms a model comes under, and asks for consent before its download. */
import { html, nothing } from 'lit-html';
import { fill, formatBytes } from '../../base/format';
import { QuestionDialog } from '../../base/view/question-dialog';
import { modelStrings } from '../model-strings';
import type { ModelsData, Question } from '../models-data';
import { costText } from '../offer';

export class LicenceDialog extends QuestionDialog {
  /** `judged`: what was measured; the benchmark's page has nothing of it. */
  update({ status, judged }: { status: Question; judged?: ModelsData['judged'] }): void {
    if (status.kind !== 'licence') return this.answered();
    const { name, licence, memory, page } = status.entry;
    const bytes = status.bytes ?? status.entry.bytes;
    const offer = judged?.(status.entry);
    this.ask(
      html`
        <div class="sheet">
          <div class="sheet-head"><h2 id="licence-title">${fill(modelStrings.licenceTitle, { name })}</h2></div>
          <p>${fill(modelStrings.licenceText, { name, licence: licence.name })}</p>
          <p class="links">
            <a href=${licence.link} target="_blank" rel="noopener noreferrer" data-testid="licence-link">${fill(modelStrings.licenceRead, { licence: licence.name })}</a>
            <a href=${page} target="_blank" rel="noopener noreferrer">${modelStrings.modelPage}</a>
          </p>
          <p class="hint">${fill(modelStrings.licenceCost, { size: formatBytes(bytes), memory: formatBytes(memory) })}</p>
          ${offer ? html`<p class="hint" data-testid="licence-cost">${costText(offer)}</p>` : nothing}
          <div class="actions">
            <button type="button" class="button" data-testid="licence-decline" @click=${() => this.emit('decline')}>${modelStrings.licenceDecline}</button>
            <button type="button" class="button primary" data-testid="licence-accept" @click=${() => this.emit('accept')}>${modelStrings.licenceAccept}</button>
          </div>
        </div>`,
    );
  }
}
