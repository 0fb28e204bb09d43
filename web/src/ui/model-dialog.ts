/** The choice of a model: the catalogue, what this browser keeps, an address, a file. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import type { CatalogueEntry } from '../app/catalogue';
import type { PageData } from '../app/page-data';
import type { StoredModel } from '../engine/protocol';
import { Emitter } from './emitter';
import { formatBytes } from './format';
import { checkIcon, closeIcon, removeIcon } from './icons';
import { strings } from './strings';

interface Events {
  openEntry: CatalogueEntry;
  openAddress: string;
  openFiles: File[];
  openStored: StoredModel;
  remove: StoredModel;
}

export class ModelDialog extends Emitter<Events> {
  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    // A click on the dialog itself, not on what is in it, is one on its backdrop.
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    this.dialog.showModal();
  }

  update(data: PageData): void {
    const keys = new Map(data.catalogue.map((entry) => [entry, new URL(entry.urls[0] ?? '', data.base).href]));
    const others = data.stored.filter(({ url }) => ![...keys.values()].includes(url));
    const kept = new Set(data.stored.map(({ url }) => url));
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="model-dialog-title">${strings.dialogTitle}</h2>
            <button type="button" class="icon-button" aria-label=${strings.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <h3>${strings.builtIn}</h3>
          <ul class="models">${data.catalogue.map((entry) => this.#entry(entry, entry === data.entry, kept.has(keys.get(entry) ?? '')))}</ul>
          ${others.length > 0
            ? html`<h3>${strings.onThisComputer}</h3>
                <ul class="models">${others.map((model) => this.#stored(model, model.url === data.url))}</ul>`
            : nothing}
          ${this.#addressForm()} ${this.#fileForm()}
        </div>`,
      this.dialog,
    );
  }

  #entry(entry: CatalogueEntry, current: boolean, kept: boolean): TemplateResult {
    const size = [formatBytes(entry.bytes), kept ? strings.kept : ''].filter(Boolean).join(' · ');
    return html`<li>${this.#choice(entry.name, size, entry.note, current, () => this.emit('openEntry', entry))}</li>`;
  }

  #stored(model: StoredModel, current: boolean): TemplateResult {
    const remove = html`<button type="button" class="icon-button" aria-label=${`${strings.remove}: ${model.name}`} title=${strings.remove}
      @click=${() => this.emit('remove', model)}>${removeIcon}</button>`;
    return html`<li>
      ${this.#choice(model.name, formatBytes(model.bytes), '', current, () => this.emit('openStored', model))} ${current ? nothing : remove}
    </li>`;
  }

  #choice(name: string, size: string, note: string, current: boolean, open: () => void): TemplateResult {
    return html`
      <button type="button" class="model" aria-current=${current ? 'true' : 'false'} @click=${() => this.#then(open)}>
        <span class="model-name">${name}${current ? checkIcon : nothing}</span><span class="model-size">${size}</span>
        ${note ? html`<span class="model-note">${note}</span>` : nothing}
      </button>`;
  }

  #addressForm(): TemplateResult {
    const onSubmit = (event: SubmitEvent) => {
      event.preventDefault();
      const form = event.target as HTMLFormElement;
      const typed = String(new FormData(form).get('address') ?? '');
      this.#then(() => this.emit('openAddress', typed));
      form.reset();
    };
    return html`
      <h3>${strings.fromAddress}</h3>
      <form class="address" @submit=${onSubmit}>
        <input name="address" type="text" inputmode="url" required autocomplete="off" spellcheck="false" data-testid="model-address"
          aria-label=${strings.addressLabel} aria-describedby="address-hint" placeholder=${strings.addressPlaceholder} />
        <button class="button" type="submit" data-testid="model-open">${strings.open}</button>
      </form>
      <p class="hint" id="address-hint">${strings.addressHint}</p>`;
  }

  #fileForm(): TemplateResult {
    const onChange = (event: Event) => {
      const input = event.target as HTMLInputElement;
      const files = [...(input.files ?? [])];
      input.value = '';
      if (files.length > 0) this.#then(() => this.emit('openFiles', files));
    };
    return html`
      <h3>${strings.fromComputer}</h3>
      <label class="button file">${strings.chooseFile}<input class="visually-hidden" type="file" accept=".gguf" multiple
          aria-describedby="file-hint" data-testid="model-file" @change=${onChange} /></label>
      <p class="hint" id="file-hint">${strings.fileHint}</p>`;
  }

  #then(act: () => void): void {
    this.dialog.close();
    act();
  }
}
