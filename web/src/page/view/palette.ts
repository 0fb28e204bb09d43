/** Ctrl+K: a field that finds what the page can do and what it keeps, and does it at a press of Enter. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { breakRuns } from '../../markdown/runs';
import type { ConversationHeader } from '../../chat/conversation-store';
import type { PageData } from '../page-data';
import { paletteItems, type Command, type PaletteItem } from '../palette-items';
import { paletteStrings as words } from '../palette-strings';

export class Palette extends Emitter<{ command: Command }> {
  #data: PageData | undefined;
  #query = '';
  #chats: readonly ConversationHeader[] = [];
  #chosen = 0;

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    if (this.dialog.open) return;
    [this.#query, this.#chosen, this.#chats] = ['', 0, []];
    this.dialog.showModal();
    this.#draw();
    void this.#find();
    this.dialog.querySelector('input')?.focus();
  }

  update(data: PageData): void {
    this.#data = data;
    if (this.dialog.open) this.#draw();
  }

  get #items(): PaletteItem[] {
    return this.#data ? paletteItems(this.#data, this.#query, this.#chats) : [];
  }

  #draw(): void {
    const items = this.#items;
    this.#chosen = Math.min(this.#chosen, Math.max(0, items.length - 1));
    const chosen = items[this.#chosen];
    render(
      html`
        <div class="palette">
          <h2 id="palette-title" class="visually-hidden">${words.palette}</h2>
          <input class="palette-search" type="text" dir="auto" role="combobox" aria-expanded="true" aria-autocomplete="list" aria-controls="palette-list" data-testid="palette-search"
            aria-activedescendant=${chosen ? optionId(this.#chosen) : nothing} aria-label=${words.search} placeholder=${words.search} autocomplete="off" spellcheck="false"
            .value=${this.#query} @input=${this.#onInput} @keydown=${this.#onKey} />
          <div id="palette-list" class="palette-list" role="listbox" aria-label=${words.palette} tabindex="-1">
            ${items.map((item, index) => html`
              ${items[index - 1]?.group === item.group ? nothing : html`<div class="palette-group" role="presentation">${words.groups[item.group]}</div>`}
              ${this.#option(item, index)}`)}
          </div>
          <p class="palette-note" role="status">${items.length === 0 ? fill(words.none, { query: this.#query }) : this.#query === '' ? '' : fill(words.count, { count: items.length })}</p>
        </div>`,
      this.dialog,
    );
    this.dialog.querySelector(`#${optionId(this.#chosen)}`)?.scrollIntoView({ block: 'nearest' });
  }

  #option({ label, note, keys }: PaletteItem, index: number): TemplateResult {
    return html`
      <div id=${optionId(index)} class="palette-item" role="option" data-testid="palette-item" aria-selected=${index === this.#chosen ? 'true' : 'false'} @click=${() => this.#do(index)}>
        <span class="palette-label" dir="auto">${breakRuns(label)}</span>
        ${note ? html`<span class="palette-hint" dir="auto">${breakRuns(note)}</span>` : nothing}
        ${keys.length > 0 ? html`<span class="palette-keys">${keys.map((key) => html`<kbd>${key}</kbd>`)}</span>` : nothing}
      </div>`;
  }

  readonly #onInput = (event: Event) => {
    this.#query = (event.target as HTMLInputElement).value;
    this.#chosen = 0;
    this.#draw();
    void this.#find();
  };

  readonly #onKey = (event: KeyboardEvent) => {
    const count = this.#items.length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && count > 0) {
      event.preventDefault();
      this.#chosen = (this.#chosen + step + count) % count;
      this.#draw();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.#do(this.#chosen);
    }
  };

  /** What a conversation says counts, not its title alone. */
  async #find(): Promise<void> {
    const query = this.#query;
    const found = (await this.#data?.chats.find(query)) ?? [];
    if (query !== this.#query || !this.dialog.open) return;
    this.#chats = found;
    this.#draw();
  }

  #do(index: number): void {
    const item = this.#items[index];
    if (!item) return;
    this.dialog.close();
    this.emit('command', item.command);
  }
}

function optionId(index: number): string {
  return `palette-${index}`;
}
