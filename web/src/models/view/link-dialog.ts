/** Asks before anything is fetched from a server that only a link names. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { addressParts } from 'web-mamba';
import { fill, formatBytes } from '../../base/format';
import { QuestionDialog } from '../../base/view/question-dialog';
import type { LinkedFile, LinkQuestion } from '../link-consent';
import { modelStrings } from '../model-strings';
import type { Question } from '../models-data';

export class LinkDialog extends QuestionDialog {
  update({ status }: { status: Question }): void {
    if (status.kind !== 'link') return this.answered();
    const { files, bytes } = status.question;
    this.ask(html`
      <div class="sheet">
        <div class="sheet-head"><h2 id="link-title">${title(status.question)}</h2></div>
        <p id="link-text">${bytes === undefined ? modelStrings.linkText : bytes > 0 ? fill(modelStrings.linkSize, { size: formatBytes(bytes) }) : modelStrings.linkNoSize}</p>
        <ul class="link-files">${files.map((file) => this.#file(file, files.length > 1))}</ul>
        <p class="hint">${bytes === undefined ? modelStrings.linkHint : modelStrings.linkKeptHint}</p>
        <div class="actions">
          <button type="button" class="button" data-testid="link-decline" @click=${() => this.emit('decline')}>${modelStrings.licenceDecline}</button>
          <button type="button" class="button primary" data-testid="link-accept" @click=${() => this.emit('accept')}>
            ${bytes === undefined ? modelStrings.linkAccept : modelStrings.linkDownload}
          </button>
        </div>
      </div>`);
  }

  /** The host stands first and whole; nothing in the rest can pass for it. */
  #file({ what, url }: LinkedFile, named: boolean): TemplateResult {
    const { before, host, after } = addressParts(url);
    return html`
      <li data-testid=${`link-${what}`}>
        ${named ? html`<span class="hint">${modelStrings.linkFiles[what]}</span>` : nothing}
        <strong class="link-host" dir="ltr" data-testid="link-host">${host}</strong>
        <code class="link-address" dir="ltr" data-testid="link-address">${before}${host}${after}</code>
      </li>`;
  }
}

function title({ files, bytes }: LinkQuestion): string {
  if (bytes !== undefined) return bytes > 0 ? fill(modelStrings.linkSizeTitle, { size: formatBytes(bytes) }) : modelStrings.linkNoSizeTitle;
  const [file] = files;
  return files.length === 1 && file ? modelStrings.linkTitles[file.what] : modelStrings.linkTitles.both;
}
