/** The conversation, or the welcome where there is none yet. Follows the newest words unless the reader has scrolled away. */
import { html, render, type TemplateResult } from 'lit-html';
import { keyed } from 'lit-html/directives/keyed.js';
import { repeat } from 'lit-html/directives/repeat.js';
import type { CatalogueEntry } from '../app/catalogue';
import type { AssistantMessage, Message, UserMessage } from '../app/conversation';
import type { PageData } from '../app/page-data';
import { chatStrings } from './chat-strings';
import { Emitter } from './emitter';
import { downIcon } from './icons';
import { message } from './message';
import { strings } from './strings';
import { welcome } from './welcome';

/** Closer to the end than this counts as reading along. */
const NEAR_PIXELS = 48;

interface Events {
  ask: string;
  showCard: string;
  openEntry: CatalogueEntry;
  chooseModel: undefined;
  askInstead: { question: UserMessage; text: string };
  answerAgain: AssistantMessage;
  answerSeveral: AssistantMessage;
  carryOn: AssistantMessage;
  showBranch: number;
}

export class ChatLog extends Emitter<Events> {
  #following = true;
  #shown = '';
  /** The question that is being edited. */
  #editing: number | undefined;
  #data: PageData | undefined;

  constructor(private readonly container: HTMLElement) {
    super();
    container.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(container);
  }

  update(data: PageData): void {
    this.#data = data;
    const { messages, chats } = data;
    const shown = `${chats.current} ${messages.at(-1)?.id ?? 0}`;
    // A new question is always followed, wherever the reader was.
    if (shown !== this.#shown) {
      this.#following = true;
      this.#editing = undefined;
    }
    this.#shown = shown;
    render(messages.length === 0 ? this.#welcome(data) : this.#messages(data), this.container);
    this.#follow();
  }

  #welcome(data: PageData): TemplateResult {
    return welcome(data, {
      ask: (text) => this.emit('ask', text),
      showCard: (card) => this.emit('showCard', card),
      openEntry: (entry) => this.emit('openEntry', entry),
      chooseModel: () => this.emit('chooseModel'),
    });
  }

  #messages(data: PageData): TemplateResult {
    return html`
      ${keyed(data.chats.current, html`
        <div class="messages" role="log" aria-label=${strings.log}>
          ${repeat(data.messages, ({ id }) => id, (each) => (each.id === this.#editing && each.role === 'user' ? this.#editor(each) : this.#message(each, data)))}
        </div>`)}
      <button class="to-latest" type="button" aria-label=${strings.toLatest} @click=${() => this.#toEnd()}>${downIcon}</button>`;
  }

  #message(each: Message, { status, answering, messages, chats, waitsFor }: PageData): TemplateResult {
    return message(each, {
      modelReady: status.kind === 'ready',
      waitsForState: status.kind === 'ready' && status.beginning === true,
      answering,
      last: each === messages.at(-1),
      waitsForDocuments: waitsFor === 'documents',
      branches: chats.branches(each),
      several: chats.several(each),
      edit: ({ id }) => this.#edit(id),
      again: (answer) => this.emit('answerAgain', answer),
      againSeveral: (answer) => this.emit('answerSeveral', answer),
      carryOn: (answer) => this.emit('carryOn', answer),
      showBranch: (id) => this.emit('showBranch', id),
    });
  }

  #editor(question: UserMessage): TemplateResult {
    const onSubmit = (event: Event) => {
      event.preventDefault();
      const text = String(new FormData(event.target as HTMLFormElement).get('text') ?? '').trim();
      this.#edit(undefined);
      if (text !== '') this.emit('askInstead', { question, text });
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.#edit(undefined);
      } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        (event.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
      }
    };
    return html`
      <form class="message user editor" @submit=${onSubmit}>
        <textarea name="text" rows="3" data-testid="edit-text" aria-label=${chatStrings.editLabel} .value=${question.text} @keydown=${onKey}></textarea>
        <p class="actions">
          <button type="button" class="button" @click=${() => this.#edit(undefined)}>${chatStrings.editCancel}</button>
          <button type="submit" class="button primary" data-testid="edit-send">${chatStrings.editSend}</button>
        </p>
      </form>`;
  }

  #edit(id: number | undefined): void {
    this.#editing = id;
    if (this.#data) this.update(this.#data);
    if (id !== undefined) this.container.querySelector<HTMLTextAreaElement>('[data-testid=edit-text]')?.focus();
  }

  #follow(): void {
    const any = this.#data && this.#data.messages.length > 0;
    if (this.#following && any && this.#editing === undefined) this.container.scrollTop = this.container.scrollHeight;
    this.#onScroll();
  }

  #onScroll(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.container;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    this.container.classList.toggle('behind', !this.#following && (this.#data?.messages.length ?? 0) > 0);
  }

  #toEnd(): void {
    this.#following = true;
    this.#follow();
  }
}
