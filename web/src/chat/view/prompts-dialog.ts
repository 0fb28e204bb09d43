/** The visitor's own prompts: to use, with their blanks filled in, to write, to change and to delete. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { closeIcon } from '../../base/view/icons';
import { breakRuns } from '../../markdown/runs';
import type { ChatData } from '../chat-data';
import { blanksOf, filledIn, ownPrompt, type OwnPrompt } from '../own-prompts';
import { promptsStrings as words } from '../prompts-strings';

type Doing = { kind: 'list' } | { kind: 'write'; prompt: OwnPrompt | undefined } | { kind: 'fill'; prompt: OwnPrompt };

export class PromptsDialog extends Emitter<{ setPrompts: readonly OwnPrompt[]; use: string }> {
  #prompts: readonly OwnPrompt[] = [];
  #doing: Doing = { kind: 'list' };

  constructor(private readonly dialog: HTMLDialogElement) {
    super();
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    this.#doing = { kind: 'list' };
    this.#draw();
    if (!this.dialog.open) this.dialog.showModal();
  }

  update({ prompts }: Pick<ChatData, 'prompts'>): void {
    this.#prompts = prompts;
    if (this.dialog.open && this.#doing.kind === 'list') this.#draw();
  }

  #draw(): void {
    const doing = this.#doing;
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="prompts-title">${words.title}</h2>
            <button type="button" class="icon-button" aria-label=${words.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          ${doing.kind === 'list' ? this.#list() : doing.kind === 'write' ? this.#writing(doing.prompt) : this.#filling(doing.prompt)}
        </div>`,
      this.dialog,
    );
  }

  #list(): TemplateResult {
    return html`
      <p class="hint">${words.intro}</p>
      ${this.#prompts.length === 0 ? html`<p class="hint">${words.none}</p>` : nothing}
      <ul class="prompts" data-testid="prompts">${repeat(this.#prompts, ({ id }) => id, (prompt) => this.#row(prompt))}</ul>
      <p class="actions"><button type="button" class="button" data-testid="prompt-add" @click=${() => this.#go({ kind: 'write', prompt: undefined })}>${words.add}</button></p>`;
  }

  #row(prompt: OwnPrompt): TemplateResult {
    const { title, text } = prompt;
    const act = (testId: string, word: string, label: string, onClick: () => void) =>
      html`<button type="button" class="quiet" data-testid=${testId} aria-label=${fill(label, { title })} @click=${onClick}>${word}</button>`;
    return html`
      <li class="prompt">
        <span class="prompt-title" dir="auto">${breakRuns(title)}</span>
        <span class="hint prompt-text" dir="auto">${breakRuns(text)}</span>
        <span class="prompt-acts">
          ${act('prompt-use', words.use, words.useLabel, () => this.#use(prompt))}
          ${act('prompt-edit', words.edit, words.editLabel, () => this.#go({ kind: 'write', prompt }))}
          ${act('prompt-delete', words.delete, words.deleteLabel, () => this.emit('setPrompts', this.#prompts.filter(({ id }) => id !== prompt.id)))}
        </span>
      </li>`;
  }

  #writing(prompt: OwnPrompt | undefined): TemplateResult {
    const onSubmit = (event: Event) => {
      event.preventDefault();
      const form = new FormData(event.target as HTMLFormElement);
      const written = ownPrompt({ ...(prompt ? { id: prompt.id } : {}), title: String(form.get('title') ?? ''), text: String(form.get('text') ?? '') });
      if (!written) return;
      this.emit('setPrompts', prompt ? this.#prompts.map((each) => (each.id === prompt.id ? written : each)) : [...this.#prompts, written]);
      this.#go({ kind: 'list' });
    };
    return html`
      <form class="prompt-form" @submit=${onSubmit}>
        <label>${words.name}<input class="text-field" name="title" dir="auto" maxlength="100" autocomplete="off" data-testid="prompt-title" .value=${prompt?.title ?? ''} /></label>
        <label>${words.text}<textarea class="text-field" name="text" rows="6" dir="auto" maxlength="20000" required data-testid="prompt-text" placeholder=${words.textExample} .value=${prompt?.text ?? ''}></textarea></label>
        ${this.#ends(words.save, 'prompt-save')}
      </form>`;
  }

  #filling(prompt: OwnPrompt): TemplateResult {
    const onSubmit = (event: Event) => {
      event.preventDefault();
      const form = new FormData(event.target as HTMLFormElement);
      this.#finish(filledIn(prompt.text, new Map(blanksOf(prompt.text).map((blank, index) => [blank, String(form.get(`blank-${index}`) ?? '')]))));
    };
    return html`
      <h3>${fill(words.fillIn, { title: prompt.title })}</h3>
      <form class="prompt-form" @submit=${onSubmit}>
        ${blanksOf(prompt.text).map((blank, index) => html`
          <label><span dir="auto">${blank}</span><textarea class="text-field" name=${`blank-${index}`} rows="1" dir="auto" data-testid="prompt-blank"></textarea></label>`)}
        ${this.#ends(words.put, 'prompt-put')}
      </form>`;
  }

  #ends(label: string, testId: string): TemplateResult {
    return html`
      <p class="actions">
        <button type="button" class="button" @click=${() => this.#go({ kind: 'list' })}>${words.cancel}</button>
        <button type="submit" class="button primary" data-testid=${testId}>${label}</button>
      </p>`;
  }

  #use(prompt: OwnPrompt): void {
    if (blanksOf(prompt.text).length > 0) this.#go({ kind: 'fill', prompt });
    else this.#finish(prompt.text);
  }

  #finish(text: string): void {
    this.dialog.close();
    this.emit('use', text);
  }

  #go(doing: Doing): void {
    this.#doing = doing;
    this.#draw();
    const field = this.dialog.querySelector<HTMLElement>('form input, form textarea');
    (field ?? this.dialog.querySelector<HTMLElement>('[data-testid=prompt-add]'))?.focus();
  }
}
