/** The two views, and the conversations: search, open, rename, export, delete, import. On narrow screens a drawer. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import type { View } from '../../base/page-address';
import { strings } from '../../base/strings';
import { brandIcon, chatIcon, closeIcon, documentIcon, moreIcon, newChatIcon, pinIcon, promptIcon } from '../../base/view/icons';
import { breakRuns } from '../../markdown/runs';
import type { ChatData, ChatEvents } from '../chat-data';
import { chatStrings as words } from '../chat-strings';
import type { Imported } from '../chats';

type Events = { showView: View; showPrompts: undefined; showKept: undefined } & Pick<
  ChatEvents,
  'newChat' | 'openChat' | 'renameChat' | 'pinChat' | 'removeChat' | 'exportChat' | 'exportChats' | 'importChats' | 'searchChats'
>;

type Shown = Pick<ChatData, 'chats' | 'messages'> & { view: View };

/** As `sidebar.css` has it. */
const WIDE = '(width >= 60rem)';

type Row = ChatData['chats']['list'][number];

export class Sidebar extends Emitter<Events> {
  /** The conversation whose buttons are shown. */
  #more = '';
  #doing: 'choose' | 'rename' | 'delete' = 'choose';
  #data: Shown | undefined;

  constructor(private readonly container: HTMLElement, private readonly backdrop: HTMLElement) {
    super();
    backdrop.addEventListener('click', () => this.close());
    container.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || (!this.#isOpen && this.#more === '')) return;
      event.stopPropagation();
      if (this.#more !== '') this.#backTo(this.#more);
      else this.close();
    });
    // A press anywhere else closes a conversation's buttons, once it has done what it does: what is pressed must not move before.
    document.addEventListener('click', ({ target }) => {
      if (this.#more !== '' && !(target as Element).closest('.chat-actions, [data-testid=chat-more]')) this.#show('');
    });
    // On a screen that has become wide it stands beside the page, which is no longer behind it.
    matchMedia(WIDE).addEventListener('change', ({ matches }) => matches && this.#mark(false));
  }

  /** Opens the drawer; on wide screens it always stands there. */
  open(): void {
    this.#mark(true);
    this.container.querySelector<HTMLElement>('[data-testid=close-menu]')?.focus();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#mark(false);
    document.querySelector<HTMLElement>('[data-testid=open-menu]')?.focus();
  }

  update(data: Shown): void {
    this.#data = data;
    const { view, chats } = data;
    render(
      html`
        <div class="sidebar-head">
          <p class="brand">${brandIcon}<span>${strings.product}</span></p>
          <button type="button" class="icon-button close-menu" data-testid="close-menu" aria-label=${words.closeMenu} @click=${() => this.close()}>${closeIcon}</button>
        </div>
        <div class="views">
          ${this.#view('chat', words.chat, chatIcon, view)} ${this.#view('documents', words.documents, documentIcon, view)}
          <button type="button" class="view" data-testid="side-new-chat" @click=${() => this.#then(() => this.emit('newChat'))}>${newChatIcon}${words.newChat}</button>
          <button type="button" class="view" data-testid="side-prompts" aria-haspopup="dialog" @click=${() => this.#then(() => this.emit('showPrompts'))}>${promptIcon}${words.prompts}</button>
        </div>
        <h2 class="sidebar-title" id="chats-title">${words.conversations}</h2>
        <input class="search" type="search" dir="auto" data-testid="chat-search" placeholder=${words.search} aria-label=${words.search} autocomplete="off"
          @input=${(event: Event) => this.emit('searchChats', (event.target as HTMLInputElement).value)} />
        <ul class="chats" aria-labelledby="chats-title" data-testid="chats">${repeat(chats.list, ({ id }) => id, (row) => this.#row(row, view === 'chat' ? chats.current : ''))}</ul>
        ${chats.list.length > 0 ? nothing : html`<p class="sidebar-note" data-testid="no-chats">${chats.query === '' ? words.noneYet : fill(words.noneFound, { query: chats.query })}</p>`}
        <p class="sidebar-note imported" role="status" data-testid="imported">${imported(chats.imported)}</p>
        <p class="sidebar-foot">
          <button type="button" class="quiet" data-testid="export-chats" aria-label=${words.exportAllLabel} ?disabled=${chats.list.length === 0} @click=${() => this.emit('exportChats')}>${words.exportAll}</button>
          <label class="quiet file">${words.import}<input class="visually-hidden" type="file" accept=".json,.zip,application/json,application/zip" data-testid="import-chats"
              aria-label=${words.importLabel} @change=${this.#onImport} /></label>
          <button type="button" class="quiet" data-testid="show-kept" aria-haspopup="dialog" title=${words.keptLabel} @click=${() => this.#then(() => this.emit('showKept'))}>${words.kept}</button>
        </p>`,
      this.container,
    );
  }

  #view(view: View, label: string, icon: TemplateResult, current: View): TemplateResult {
    return html`<button type="button" class="view" data-testid=${`view-${view}`} aria-current=${view === current ? 'page' : 'false'}
      @click=${() => this.#then(() => this.emit('showView', view))}>${icon}${label}</button>`;
  }

  #row(row: Row, current: string): TemplateResult {
    const { id, title, excerpt, pinned } = row;
    const more = this.#more === id;
    return html`
      <li class="chat" aria-current=${id === current ? 'true' : 'false'}>
        <div class="chat-main">
          <button type="button" class="chat-open" @click=${() => this.#then(() => this.emit('openChat', id))}>
            <span class="chat-title" dir="auto">${pinned ? html`<span class="chat-pin" role="img" aria-label=${words.pinned}>${pinIcon}</span>` : nothing}${breakRuns(title)}</span>${excerpt ? html`<span class="chat-excerpt" dir="auto">${breakRuns(excerpt)}</span>` : nothing}
          </button>
          <button type="button" class="icon-button small" data-testid="chat-more" data-chat=${id} aria-expanded=${more ? 'true' : 'false'} aria-label=${fill(words.more, { title })}
            @click=${() => this.#show(more ? '' : id)}>${moreIcon}</button>
        </div>
        ${more ? this.#actions(row) : nothing}
      </li>`;
  }

  #actions({ id, title, pinned }: Row): TemplateResult {
    if (this.#doing === 'rename') {
      const onSubmit = (event: Event) => {
        event.preventDefault();
        const renamed = String(new FormData(event.target as HTMLFormElement).get('title') ?? '');
        this.#backTo(id);
        this.emit('renameChat', { id, title: renamed });
      };
      const onKey = (event: KeyboardEvent) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        this.#backTo(id);
      };
      return html`
        <form class="chat-actions" @submit=${onSubmit} @keydown=${onKey}>
          <input name="title" dir="auto" data-testid="chat-name" aria-label=${words.renameLabel} .value=${title} maxlength="200" required autocomplete="off" />
          <button type="submit" class="button">${words.save}</button>
        </form>`;
    }
    if (this.#doing === 'delete') {
      return html`
        <div class="chat-actions" role="status">
          <span>${fill(words.deleteQuestion, { title })}</span>
          <button type="button" class="button" data-testid="chat-keep" @click=${() => this.#backTo(id)}>${words.keep}</button>
          <button type="button" class="button danger" data-testid="chat-delete-confirm"
            @click=${() => this.#remove(id)}>${words.delete}</button>
        </div>`;
    }
    const act = (testId: string, label: string, onClick: () => void) =>
      html`<button type="button" class="quiet" data-testid=${testId} @click=${onClick}>${label}</button>`;
    return html`
      <div class="chat-actions">
        ${act('chat-rename', words.rename, () => this.#do('rename'))}
        ${act('chat-pin', pinned ? words.unpin : words.pin, () => this.#pin(id, !pinned))}
        ${act('chat-markdown', words.exportMarkdown, () => this.emit('exportChat', { id, as: 'markdown' }))}
        ${act('chat-json', words.exportJson, () => this.emit('exportChat', { id, as: 'json' }))}
        ${act('chat-delete', words.delete, () => this.#do('delete'))}
      </div>`;
  }

  readonly #onImport = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const [file] = input.files ?? [];
    input.value = '';
    if (file) this.emit('importChats', file);
  };

  #show(id: string): void {
    this.#more = id;
    this.#do('choose');
  }

  /** Closes a conversation's buttons; the keyboard is where it opened them. */
  #backTo(id: string): void {
    this.#show('');
    this.#moreButton(id)?.focus();
  }

  /** The keyboard goes on at the next conversation, or at the search. */
  #remove(id: string): void {
    const ids = this.#data?.chats.list.map((row) => row.id) ?? [];
    const at = ids.indexOf(id);
    const beside = ids[at + 1] ?? ids[at - 1];
    this.#show('');
    (beside === undefined ? this.container.querySelector<HTMLElement>('.search') : this.#moreButton(beside))?.focus();
    this.emit('removeChat', id);
  }

  #pin(id: string, pinned: boolean): void {
    this.#backTo(id);
    this.emit('pinChat', { id, pinned });
  }

  #moreButton(id: string): HTMLElement | null {
    return this.container.querySelector(`[data-chat="${id}"]`);
  }

  #do(doing: 'choose' | 'rename' | 'delete'): void {
    this.#doing = doing;
    if (this.#data) this.update(this.#data);
    const field = this.container.querySelector<HTMLInputElement>('[data-testid=chat-name]');
    field?.focus();
    field?.select();
    // Enter once too often deletes nothing.
    this.container.querySelector<HTMLElement>('[data-testid=chat-keep]')?.focus();
  }

  #then(act: () => void): void {
    this.close();
    act();
  }

  get #isOpen(): boolean {
    return this.container.classList.contains('open');
  }

  /** Behind an open drawer nothing can be reached. */
  #mark(open: boolean): void {
    this.container.classList.toggle('open', open);
    this.backdrop.classList.toggle('open', open);
    for (const each of document.querySelectorAll('header, main')) each.toggleAttribute('inert', open);
  }
}

function imported(came: Imported | undefined): string {
  if (!came) return '';
  const { added, known } = came;
  const there = known === 0 ? '' : known === 1 ? words.knownOne : fill(words.known, { count: known });
  return [added === 0 ? words.importedNone : added === 1 ? words.importedOne : fill(words.imported, { count: added }), there].filter(Boolean).join(' ');
}
