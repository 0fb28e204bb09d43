/** The choice of a model: the catalogue, what this browser keeps, an address, a file. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import type { CatalogueEntry } from '../app/catalogue';
import type { ChosenFiles, PageData } from '../app/page-data';
import type { StoredModel } from '../engine/protocol';
import { Emitter } from './emitter';
import { fill, formatBytes } from './format';
import { checkIcon, closeIcon } from './icons';
import { pickFiles } from './local-files';
import { StoragePanel } from './storage-panel';
import { strings } from './strings';

interface Events {
  openEntry: CatalogueEntry;
  openAddress: string;
  openFiles: ChosenFiles;
  openStored: StoredModel;
  filesRefused: unknown;
  verify: StoredModel;
  export: StoredModel;
  endTask: undefined;
  remove: StoredModel;
}

export class ModelDialog extends Emitter<Events> {
  readonly #storage = new StoragePanel(() => this.#data && this.update(this.#data));
  #data: PageData | undefined;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    // A click on the dialog itself, not on what is in it, is one on its backdrop.
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    this.#storage.on('open', (model) => this.#then(() => this.emit('openStored', model)));
    this.#storage.on('verify', (model) => this.emit('verify', model));
    this.#storage.on('export', (model) => this.emit('export', model));
    this.#storage.on('endTask', () => this.emit('endTask'));
    this.#storage.on('remove', (model) => this.emit('remove', model));
  }

  show(): void {
    this.dialog.showModal();
  }

  update(data: PageData): void {
    this.#data = data;
    const names = [...new Set(data.catalogue.map(({ name }) => name))];
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="model-dialog-title">${strings.dialogTitle}</h2>
            <button type="button" class="icon-button" aria-label=${strings.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          ${this.#storage.template(data)}
          <h3>${strings.builtIn}</h3>
          <ul class="models" data-testid="catalogue">${names.map((name) => this.#model(data.catalogue.filter((entry) => entry.name === name), data.entry))}</ul>
          ${this.#addressForm()} ${this.#fileForm()}
        </div>`,
      this.dialog,
    );
  }

  /** One model of the catalogue, with a button for each of its quantisations. */
  #model(entries: readonly CatalogueEntry[], current: CatalogueEntry | undefined): TemplateResult {
    const [model] = entries as [CatalogueEntry];
    const { name, note, context, licence, page } = model;
    return html`
      <li class="offer" aria-current=${current && entries.includes(current) ? 'true' : 'false'}>
        <p class="model-name">${name}${current && entries.includes(current) ? checkIcon : nothing}</p>
        <p class="model-note">${note}</p>
        <p class="model-note">
          ${fill(strings.context, { context: context.toLocaleString('en') })} ·
          <a href=${licence.link} target="_blank" rel="noopener noreferrer">${licence.name}</a> ·
          <a href=${page} target="_blank" rel="noopener noreferrer">${strings.modelPage}</a>
        </p>
        <div class="files">${entries.map((entry) => this.#file(entry, entry === current))}</div>
      </li>`;
  }

  #file(entry: CatalogueEntry, current: boolean): TemplateResult {
    const { id, type, bytes, memory, name } = entry;
    const figures = fill(strings.figures, { size: formatBytes(bytes), memory: formatBytes(memory) });
    return html`<button type="button" class="file-choice" data-testid=${`entry-${id}`} title=${figures}
      aria-current=${current ? 'true' : 'false'} @click=${() => this.#then(() => this.emit('openEntry', entry))}>
      <span class="visually-hidden">${name}</span><strong>${type}</strong><span>${formatBytes(bytes)}</span><span class="memory">${fill(strings.memory, { memory: formatBytes(memory) })}</span>
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
    const choose = (chosen: ChosenFiles) => {
      if (chosen.files.length > 0) this.#then(() => this.emit('openFiles', chosen));
    };
    const onChange = (event: Event) => {
      const input = event.target as HTMLInputElement;
      const files = [...(input.files ?? [])];
      input.value = '';
      choose({ files });
    };
    // Where the browser has a picker that gives handles, the file stays where it is; else it is copied.
    const onClick = (event: Event) => {
      const picking = pickFiles();
      if (!picking) return;
      event.preventDefault();
      picking.then((chosen) => chosen && choose(chosen), (thrown: unknown) => this.#then(() => this.emit('filesRefused', thrown)));
    };
    return html`
      <h3>${strings.fromComputer}</h3>
      <label class="button file">${strings.chooseFile}<input class="visually-hidden" type="file" accept=".gguf" multiple
          aria-describedby="file-hint" data-testid="model-file" @change=${onChange} @click=${onClick} /></label>
      <p class="hint" id="file-hint">${strings.fileHint}</p>`;
  }

  #then(act: () => void): void {
    this.dialog.close();
    act();
  }
}
