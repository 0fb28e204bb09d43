/** The documents: a place to drop or paste them and their list, or the one that is open. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { documentIcon, removeIcon } from '../../base/view/icons';
import type { DocumentRecord } from '../../data/document-records';
import type { CatalogueEntry } from '../../models/catalogue';
import { passwordForm } from '../../base/view/password-form';
import type { Locked } from '../document-intake';
import { documentStrings as words } from '../document-strings';
import type { DocumentsViewData, DocumentsViewEvents } from '../documents-data';
import { DocumentView } from './document-view';

export class DocumentsView extends Emitter<DocumentsViewEvents> {
  readonly #open: DocumentView;
  #removing = '';
  #data: DocumentsViewData | undefined;

  constructor(private readonly container: HTMLElement, private readonly endings: string) {
    super();
    this.#open = new DocumentView(() => this.#data && this.update(this.#data), (name, ...detail) => this.emit(name, ...(detail as never)));
  }

  update(data: DocumentsViewData): void {
    this.#data = data;
    if (data.view !== 'documents') return;
    const { open } = data.documents;
    if (!open) this.#open.close();
    render(html`<div class="documents-column">${this.#limits(data)}${open ? this.#open.template(open, data) : this.#all(data)}</div>`, this.container);
  }

  /** Of a model that is known to be beyond it, and what is not. */
  #limits({ entry, catalogue, judged }: DocumentsViewData): TemplateResult | typeof nothing {
    if (entry?.summaries !== false) return nothing;
    const able = catalogue.filter(({ summaries }) => summaries);
    const fitting = able.filter((each) => {
      const { verdict, kept = false } = judged(each) ?? {};
      return kept || verdict?.kind !== 'refused';
    });
    return html`
      <div class="limits-note" data-testid="document-limits">
        <p><strong>${fill(words.notUpTo, { name: entry.name })}</strong> ${words.showsHow}
          ${fitting.length > 0 ? fill(words.upTo, { names: names(fitting) }) : fill(words.upToElsewhere, { names: names(able) })}</p>
        <button type="button" class="button" data-testid="document-choose-model" @click=${() => this.emit('chooseModel')}>${words.chooseModel}</button>
      </div>`;
  }

  #all({ documents: { list, adding, locked } }: DocumentsViewData): TemplateResult {
    const onChange = (event: Event) => {
      const input = event.target as HTMLInputElement;
      const files = [...(input.files ?? [])];
      input.value = '';
      if (files.length > 0) this.emit('addDocuments', files);
    };
    const onPaste = (event: Event) => {
      event.preventDefault();
      // It stays until the document is shown in its place: adding may fail.
      this.emit('addText', String(new FormData(event.target as HTMLFormElement).get('text') ?? ''));
    };
    return html`
      <h2>${words.title}</h2>
      <p class="quiet-text">${words.intro}</p>
      <div class="drop-zone">
        ${documentIcon}
        <p><strong>${words.drop}</strong></p>
        <p class="hint">${words.kinds}</p>
        <label class="button primary file">${words.choose}<input class="visually-hidden" type="file" accept=${this.endings} multiple data-testid="document-file" @change=${onChange} /></label>
      </div>
      <div aria-live="polite">${adding ? this.#adding(adding) : nothing}</div>
      ${locked.map((each) => this.#locked(each))}
      <details class="paste">
        <summary>${words.paste}</summary>
        <form @submit=${onPaste}>
          <textarea class="text-field" name="text" dir="auto" rows="6" required data-testid="document-text" aria-label=${words.pasteLabel} placeholder=${words.pastePlaceholder}></textarea>
          <p class="actions"><button type="submit" class="button" data-testid="document-add">${words.add}</button></p>
        </form>
      </details>
      ${list.length === 0 ? nothing : html`<h3 id="documents-title">${words.list}</h3>
        <ul class="models" aria-labelledby="documents-title" data-testid="documents">${repeat(list, ({ id }) => id, (each) => this.#row(each))}</ul>`}`;
  }

  #locked({ file, isWrong }: Locked): TemplateResult {
    const { name } = file;
    return html`
      <div class="locked" data-testid="locked">
        <p>${fill(isWrong ? words.wrongPassword : words.locked, { name })}</p>
        ${passwordForm({ label: fill(words.password, { name }), open: words.unlock }, (password) => this.emit('unlockDocument', { file, password }))}
        <button type="button" class="button" data-testid="leave-locked" @click=${() => this.emit('leaveLocked', file)}>${words.leaveLocked}</button>
      </div>`;
  }

  #adding({ name, done, total }: NonNullable<DocumentsViewData['documents']['adding']>): TemplateResult {
    const text = fill(words.reading, { name });
    return html`
      <div class="progress" data-testid="adding">
        <div class="progress-main">
          <div class="progress-text"><span>${text}</span><span class="amount">${total > 0 ? fill(words.pages, { done, total }) : ''}</span></div>
          ${total > 0 ? html`<progress max=${total} .value=${done} aria-label=${text}></progress>` : html`<progress aria-label=${text}></progress>`}
        </div>
        <button type="button" class="button" data-testid="adding-cancel" @click=${() => this.emit('cancelAdding')}>${words.cancelAdding}</button>
      </div>`;
  }

  #row({ id, name, kind, characters, added }: DocumentRecord): TemplateResult {
    const ask = (removing: string) => {
      this.#removing = removing;
      if (this.#data) this.update(this.#data);
    };
    return html`
      <li class="kept">
        <div class="kept-main">
          <button type="button" class="model" data-testid="document-open" @click=${() => this.emit('openDocument', id)}>
            <span class="model-name" dir="auto">${name}</span>
            <span class="model-size">${words.kindNames[kind]} · ${fill(words.characters, { count: characters.toLocaleString('en') })}</span>
            <span class="model-note">${new Date(added).toLocaleDateString('en', { dateStyle: 'medium' })}</span>
          </button>
          <button type="button" class="icon-button" data-testid="document-delete" aria-label=${`${words.delete}: ${name}`} title=${words.delete} @click=${() => ask(id)}>${removeIcon}</button>
        </div>
        ${this.#removing === id
          ? html`<p class="kept-task" role="status">
              <span>${fill(words.deleteQuestion, { name })}</span>
              <button type="button" class="button" @click=${() => ask('')}>${words.keep}</button>
              <button type="button" class="button danger" data-testid="document-delete-confirm" @click=${() => { ask(''); this.emit('removeDocument', id); }}>${words.deleteIt}</button>
            </p>`
          : nothing}
      </li>`;
  }
}

function names(entries: readonly CatalogueEntry[]): string {
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(new Set(entries.map(({ name }) => name)));
}
