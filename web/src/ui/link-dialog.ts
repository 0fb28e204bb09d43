/** Asks before anything is fetched from a server that only a link names. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { LinkedFile, LinkQuestion } from '../app/link-consent';
import { addressParts } from 'web-mamba';
import { fill, formatBytes } from './format';
import { QuestionDialog } from './question-dialog';
import { strings } from './strings';
import type { Question } from '../app/models-data';

export class LinkDialog extends QuestionDialog {
  update({ status }: { status: Question }): void {
    if (status.kind !== 'link') return this.answered();
    const { files, bytes } = status.question;
    this.ask(html`
      <div class="sheet">
        <div class="sheet-head"><h2 id="link-title">${title(status.question)}</h2></div>
        <p id="link-text">${bytes === undefined ? strings.linkText : bytes > 0 ? fill(strings.linkSize, { size: formatBytes(bytes) }) : strings.linkNoSize}</p>
        <ul class="link-files">${files.map((file) => this.#file(file, files.length > 1))}</ul>
        <p class="hint">${bytes === undefined ? strings.linkHint : strings.linkKeptHint}</p>
        <div class="actions">
          <button type="button" class="button" data-testid="link-decline" @click=${() => this.emit('decline')}>${strings.licenceDecline}</button>
          <button type="button" class="button primary" data-testid="link-accept" @click=${() => this.emit('accept')}>
            ${bytes === undefined ? strings.linkAccept : strings.linkDownload}
          </button>
        </div>
      </div>`);
  }

  /** The host stands first and whole; nothing in the rest can pass for it. */
  #file({ what, url }: LinkedFile, named: boolean): TemplateResult {
    const { before, host, after } = addressParts(url);
    return html`
      <li data-testid=${`link-${what}`}>
        ${named ? html`<span class="hint">${strings.linkFiles[what]}</span>` : nothing}
        <strong class="link-host" dir="ltr" data-testid="link-host">${host}</strong>
        <code class="link-address" dir="ltr" data-testid="link-address">${before}${host}${after}</code>
      </li>`;
  }
}

function title({ files, bytes }: LinkQuestion): string {
  if (bytes !== undefined) return bytes > 0 ? fill(strings.linkSizeTitle, { size: formatBytes(bytes) }) : strings.linkNoSizeTitle;
  const [file] = files;
  return files.length === 1 && file ? strings.linkTitles[file.what] : strings.linkTitles.both;
}
