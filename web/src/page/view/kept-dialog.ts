/** What stays on this device, with sizes, and one button that deletes all of it. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill, formatBytes } from '../../base/format';
import { closeIcon } from '../../base/view/icons';
import type { KeptRow } from '../kept';
import { keptStrings as words } from '../kept-strings';
import type { PageData } from '../page-data';

export class KeptDialog extends Emitter<{ forgetAll: undefined; exportChats: undefined }> {
  #data: PageData | undefined;
  #rows: readonly KeptRow[] | undefined;
  #asking = false;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    [this.#rows, this.#asking] = [undefined, false];
    this.#draw();
    if (!this.dialog.open) this.dialog.showModal();
    void this.#count();
  }

  update(data: PageData): void {
    this.#data = data;
  }

  async #count(): Promise<void> {
    this.#rows = await this.#data?.kept();
    if (this.dialog.open) this.#draw();
  }

  #draw(): void {
    const rows = this.#rows;
    const bytes = (rows ?? []).reduce((total, row) => total + row.bytes, 0);
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="kept-title">${words.title}</h2>
            <button type="button" class="icon-button" aria-label=${words.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <p class="hint">${words.intro}</p>
          ${rows
            ? html`
                <dl class="kept-list" data-testid="kept">${rows.map(row)}
                  <div class="kept-row total"><dt>${words.total}</dt><dd class="kept-bytes" data-testid="kept-total">${formatBytes(bytes)}</dd></div>
                </dl>`
            : html`<p class="hint" role="status">${words.counting}</p>`}
          ${rows ? (this.#asking ? this.#question(bytes) : this.#delete()) : nothing}
        </div>`,
      this.dialog,
    );
    // Enter once too often deletes nothing.
    this.dialog.querySelector<HTMLElement>('[data-testid=kept-keep]')?.focus();
  }

  #delete(): TemplateResult {
    return html`<p class="actions"><button type="button" class="button danger" data-testid="forget-all" @click=${() => this.#ask(true)}>${words.delete}</button></p>`;
  }

  #question(bytes: number): TemplateResult {
    return html`
      <p class="kept-question" role="alert">${fill(words.question, { bytes: formatBytes(bytes) })}</p>
      <p class="actions">
        <button type="button" class="button" @click=${() => this.emit('exportChats')}>${words.export}</button>
        <button type="button" class="button" data-testid="kept-keep" @click=${() => this.#ask(false)}>${words.keep}</button>
        <button type="button" class="button danger" data-testid="forget-confirm" @click=${() => this.emit('forgetAll')}>${words.confirm}</button>
      </p>`;
  }

  #ask(asking: boolean): void {
    this.#asking = asking;
    this.#draw();
    if (!asking) this.dialog.querySelector<HTMLElement>('[data-testid=forget-all]')?.focus();
  }
}

function row({ kind, count, bytes }: KeptRow): TemplateResult {
  const { name, text } = words.kinds[kind];
  return html`
    <div class="kept-row" data-testid=${`kept-${kind}`}>
      <dt>${name}<span class="hint">${text}</span></dt>
      <dd class="kept-count">${count.toLocaleString('en')}</dd>
      <dd class="kept-bytes">${formatBytes(bytes)}</dd>
    </div>`;
}
