/** Search of the hub by name, within the choice of a model: what is found is listed with its size, and whether it can fit. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { toFailure, type MambaError } from '../../base/failure';
import { fill, formatBytes } from '../../base/format';
import type { Device } from '../capability';
import { searchHub, type HubFile, type HubModel, type SearchState } from '../hub-search';
import { modelStrings as words } from '../model-strings';

export class HubPanel extends Emitter<{ open: string; failed: MambaError; succeeded: 'hub-search' }> {
  #state: SearchState = { kind: 'idle' };
  #stop = new AbortController();
  #device: Device | undefined;

  constructor(private readonly redraw: () => void) {
    super();
  }

  template(device: Device | undefined): TemplateResult {
    this.#device = device;
    const onSubmit = (event: Event) => {
      event.preventDefault();
      void this.#search(String(new FormData(event.target as HTMLFormElement).get('query') ?? ''));
    };
    return html`
      <h3>${words.hubTitle}</h3>
      <form class="address" @submit=${onSubmit}>
        <input name="query" type="search" required autocomplete="off" spellcheck="false" data-testid="hub-query" aria-label=${words.hubLabel} aria-describedby="hub-hint" placeholder=${words.hubPlaceholder} />
        <button class="button" type="submit" data-testid="hub-search" ?disabled=${this.#state.kind === 'searching'}>${words.hubSearch}</button>
      </form>
      <p class="hint" id="hub-hint">${words.hubHint}</p>
      <div aria-live="polite" data-testid="hub-found">${this.#found()}</div>`;
  }

  #found(): TemplateResult | typeof nothing {
    const state = this.#state;
    if (state.kind === 'idle') return nothing;
    if (state.kind === 'searching') return html`<p class="hint">${words.hubSearching}</p>`;
    if (state.models.length === 0) return html`<p class="hint">${fill(words.hubNone, { query: state.query })}</p>`;
    return html`<ul class="models">${state.models.map((model) => this.#model(model))}</ul>`;
  }

  #model({ repo, page, files }: HubModel): TemplateResult {
    return html`
      <li class="offer">
        <p class="model-name">${repo}</p>
        <p class="model-note"><a href=${page} target="_blank" rel="noopener noreferrer">${words.modelPage}</a></p>
        <div class="files">${files.map((file) => this.#file(file))}</div>
      </li>`;
  }

  #file({ address, name, bytes, tooLarge }: HubFile): TemplateResult {
    return html`<button type="button" class="file-choice hub-file" data-testid="hub-file" title=${name} ?disabled=${tooLarge} @click=${() => this.emit('open', address)}>
      <strong>${name}</strong><span>${formatBytes(bytes)}</span>${tooLarge ? html`<span class="verdict">${words.fileRefused.memory}</span>` : nothing}
    </button>`;
  }

  async #search(query: string): Promise<void> {
    if (query.trim() === '') return;
    this.#stop.abort();
    const { signal } = (this.#stop = new AbortController());
    this.#show({ kind: 'searching' });
    const memory = this.#device?.memory;
    try {
      const models = await searchHub(query, memory && !memory.atLeast ? memory.bytes : undefined, signal);
      this.#show({ kind: 'found', query: query.trim(), models });
      this.emit('succeeded', 'hub-search');
    } catch (thrown) {
      if (signal.aborted) return;
      this.#show({ kind: 'idle' });
      this.emit('failed', toFailure(thrown));
    }
  }

  #show(state: SearchState): void {
    this.#state = state;
    this.redraw();
  }
}
