/** The choice of a model: the catalogue, what this browser keeps, an address, a file. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import type { Listing, StoredModel } from 'web-mamba';
import { Emitter } from '../../base/emitter';
import { failure, type MambaError } from '../../base/failure';
import type { ChosenFiles } from '../../base/files';
import { fill, formatBytes } from '../../base/format';
import { checkIcon, closeIcon } from '../../base/view/icons';
import { pickFiles } from '../../base/view/local-files';
import type { CatalogueEntry } from '../catalogue';
import { modelStrings } from '../model-strings';
import type { ModelsData } from '../models-data';
import { insteadText, shortCostText, type Offer } from '../offer';
import { HubPanel } from './hub-panel';
import { StoragePanel } from './storage-panel';

interface Events {
  shown: undefined;
  openEntry: CatalogueEntry;
  openAddress: string;
  openFiles: ChosenFiles;
  openStored: StoredModel;
  failed: MambaError;
  succeeded: 'hub-search';
  verify: StoredModel;
  export: StoredModel;
  endTask: undefined;
  remove: StoredModel;
}

export class ModelDialog extends Emitter<Events> {
  readonly #storage = new StoragePanel(() => this.#data && this.update(this.#data));
  readonly #hub = new HubPanel(() => this.#data && this.update(this.#data));
  #data: ModelsData | undefined;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    // A click on the dialog itself, not on what is in it, is one on its backdrop.
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    this.#hub.on('open', (address) => this.#then(() => this.emit('openAddress', address)));
    this.#hub.on('failed', (fault) => this.emit('failed', fault));
    this.#hub.on('succeeded', (code) => this.emit('succeeded', code));
    this.#storage.on('open', (model) => this.#then(() => this.emit('openStored', model)));
    this.#storage.on('verify', (model) => this.emit('verify', model));
    this.#storage.on('export', (model) => this.emit('export', model));
    this.#storage.on('endTask', () => this.emit('endTask'));
    this.#storage.on('remove', (model) => this.emit('remove', model));
  }

  show(): void {
    this.dialog.showModal();
    this.emit('shown');
    if (this.#data) this.update(this.#data);
  }

  /** While it is closed there is nothing to draw. */
  update(data: ModelsData): void {
    this.#data = data;
    if (!this.dialog.open) return;
    // The demo comes first: it answers too.
    const [demo] = data.catalogue;
    const namesOf = (entries: readonly CatalogueEntry[]) => [...new Set(entries.map(({ name }) => name))];
    const chatting = namesOf(data.catalogue.filter((entry) => entry.chats || entry === demo));
    const others = namesOf(data.catalogue).filter((name) => !chatting.includes(name));
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="model-dialog-title">${modelStrings.dialogTitle}</h2>
            <button type="button" class="icon-button" aria-label=${modelStrings.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          ${this.#storage.template(data)}
          <h3>${modelStrings.builtIn}</h3>
          <p class="hint">${modelStrings.costHint}</p>
          <ul class="models" data-testid="catalogue">${chatting.map((name) => this.#model(data.catalogue.filter((entry) => entry.name === name), data))}</ul>
          <h3>${modelStrings.experiments}</h3>
          <p class="hint">${modelStrings.experimentsHint}</p>
          <ul class="models" data-testid="experiments">${others.map((name) => this.#model(data.catalogue.filter((entry) => entry.name === name), data))}</ul>
          ${this.#hub.template(data.device)} ${this.#addressForm()} ${this.#fileForm()}
        </div>`,
      this.dialog,
    );
  }

  /** One model of the catalogue, with a button for each of its quantisations. */
  #model(entries: readonly CatalogueEntry[], { entry: current, judged, listing }: ModelsData): TemplateResult {
    const [model] = entries as [CatalogueEntry];
    const { name, note, context, licence, page } = model;
    return html`
      <li class="offer" aria-current=${current && entries.includes(current) ? 'true' : 'false'}>
        <p class="model-name">${name}${current && entries.includes(current) ? checkIcon : nothing}</p>
        <p class="model-note">${note}</p>
        <p class="model-note">
          ${fill(modelStrings.context, { context: context.toLocaleString('en') })} ·
          <a href=${licence.link} target="_blank" rel="noopener noreferrer">${licence.name}</a> ·
          <a href=${page} target="_blank" rel="noopener noreferrer">${modelStrings.modelPage}</a>
        </p>
        <div class="files">${entries.map((entry) => this.#file(entry, entry === current, judged(entry), listing(entry)))}</div>
        ${this.#instead(entries, judged)}
      </li>`;
  }

  /** What this device cannot hold says why, and cannot be pressed. */
  #file(entry: CatalogueEntry, current: boolean, judged: Offer | undefined, listing: Listing | undefined): TemplateResult {
    const { id, type, memory, name, unconfirmed } = entry;
    const bytes = listing?.kind === 'listed' ? listing.bytes : entry.bytes;
    const figures = fill(modelStrings.figures, { size: formatBytes(bytes), memory: formatBytes(memory) });
    const { verdict, kept = false } = judged ?? {};
    const refused = verdict?.kind === 'refused' && !kept;
    const absent = listing?.kind === 'absent' && !kept;
    // That a speed is unknown stands beside it anyway.
    const doubts = verdict?.kind === 'doubt' ? verdict.doubts.filter(({ code }) => code !== 'speed-unknown') : [];
    const open = unconfirmed && !kept && listing?.kind !== 'listed' ? [listing ? modelStrings.listing[listing.kind] : modelStrings.listing.asked] : [];
    const said = refused ? modelStrings.fileRefused[verdict.why.code] : [...open, ...doubts.map(({ code }) => modelStrings.fileVerdict[code])].join(', ');
    return html`<button type="button" class="file-choice" data-testid=${`entry-${id}`} title=${figures} ?disabled=${refused || absent}
      aria-current=${current ? 'true' : 'false'} @click=${() => this.#then(() => this.emit('openEntry', entry))}>
      <span class="visually-hidden">${name}</span><strong>${type}</strong><span>${kept ? modelStrings.keptHere : formatBytes(bytes)}</span>
      <span class="memory">${fill(modelStrings.memory, { memory: formatBytes(memory) })}</span>
      ${said ? html`<span class="verdict">${said}</span>` : nothing}
      ${judged && !refused && !absent ? html`<span class="memory" data-testid=${`cost-${id}`}>${shortCostText(judged)}</span>` : nothing}
    </button>`;
  }

  /** Where nothing of a model fits, what does. */
  #instead(entries: readonly CatalogueEntry[], judged: ModelsData['judged']): TemplateResult | typeof nothing {
    const offers = entries.map((entry) => judged(entry));
    const all = offers.every((offer) => offer?.verdict.kind === 'refused' && !offer.kept);
    const [offer] = offers;
    return all && offer ? html`<p class="model-note" data-testid="instead">${insteadText(offer)}</p>` : nothing;
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
      <h3>${modelStrings.fromAddress}</h3>
      <form class="address" @submit=${onSubmit}>
        <input name="address" type="text" inputmode="url" required autocomplete="off" spellcheck="false" data-testid="model-address"
          aria-label=${modelStrings.addressLabel} aria-describedby="address-hint" placeholder=${modelStrings.addressPlaceholder} />
        <button class="button" type="submit" data-testid="model-open">${modelStrings.open}</button>
      </form>
      <p class="hint" id="address-hint">${modelStrings.addressHint}</p>`;
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
      picking.then((chosen) => chosen && choose(chosen), (thrown: unknown) => this.#then(() => this.emit('failed', failure('files-refused', {}, String(thrown)))));
    };
    return html`
      <h3>${modelStrings.fromComputer}</h3>
      <label class="button file">${modelStrings.chooseFile}<input class="visually-hidden" type="file" accept=".gguf" multiple
          aria-describedby="file-hint" data-testid="model-file" @change=${onChange} @click=${onClick} /></label>
      <p class="hint" id="file-hint">${modelStrings.fileHint}</p>`;
  }

  #then(act: () => void): void {
    this.dialog.close();
    act();
  }
}
