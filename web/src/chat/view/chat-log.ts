/** The conversation, or the welcome where there is none yet. Follows the newest words unless the reader has scrolled away. */
import { html, render, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { keyed } from 'lit-html/directives/keyed.js';
import { repeat } from 'lit-html/directives/repeat.js';
import { Emitter } from '../../base/emitter';
import { downIcon } from '../../base/view/icons';
import type { AssistantMessage, Message, Source, UserMessage } from '../../data/conversation-record';
import type { CatalogueEntry } from '../../models/catalogue';
import type { ChatData } from '../chat-data';
import { chatStrings } from '../chat-strings';
import { message, type MessageContext } from './message';
import { ReadAloud } from './read-aloud';
import { roleLine } from './role-line';
import { sideBySide } from './side-by-side';
import { welcome } from './welcome';

/** Closer to the end than this counts as reading along. */
const NEAR_PIXELS = 48;

interface Events {
  ask: string;
  showCard: string;
  openEntry: CatalogueEntry;
  chooseModel: undefined;
  openSettings: undefined;
  askInstead: { question: UserMessage; text: string };
  answerAgain: AssistantMessage;
  answerBatch: AssistantMessage;
  carryOn: AssistantMessage;
  showBranch: number;
  showSource: Source;
}

export class ChatLog extends Emitter<Events> {
  #following = true;
  /** How far it was scrolled before. */
  #top = 0;
  #shown = '';
  /** The question that is being edited. */
  #editing: number | undefined;
  #data: ChatData | undefined;
  /** The messages' element, while there are some. */
  #list: Element | null | undefined;
  readonly #aloud = new ReadAloud(() => this.#data && this.update(this.#data));
  #readable = false;
  readonly #sizes = new ResizeObserver(() => this.#follow());

  constructor(private readonly container: HTMLElement) {
    super();
    container.addEventListener('scroll', () => this.#onScroll(), { passive: true });
  }

  update(data: ChatData): void {
    this.#data = data;
    const { messages, chats } = data;
    if (!this.#shown.startsWith(chats.current)) this.#aloud.stop();
    this.#readable = this.#aloud.isPossible;
    const shown = `${chats.current} ${messages.at(-1)?.id ?? 0}`;
    // A new question is always followed, wherever the reader was.
    if (shown !== this.#shown) {
      this.#following = true;
      this.#editing = undefined;
    }
    this.#shown = shown;
    render(messages.length === 0 ? this.#welcome(data) : this.#messages(data), this.container);
    this.#follow();
    const list = this.container.querySelector('.messages');
    if (list !== this.#list) this.#observe(list);
  }

  /** Messages out of sight are measured when they come into it: the end may move after they were drawn. */
  #observe(list: Element | null): void {
    this.#list = list;
    this.#sizes.disconnect();
    for (const each of [this.container, list]) if (each) this.#sizes.observe(each);
  }

  #welcome(data: ChatData): TemplateResult {
    const role = roleLine(data.chats.instructions, () => this.emit('openSettings'));
    return html`${role}${welcome(data, {
      ask: (text) => this.emit('ask', text),
      showCard: (card) => this.emit('showCard', card),
      openEntry: (entry) => this.emit('openEntry', entry),
      chooseModel: () => this.emit('chooseModel'),
    })}`;
  }

  #messages(data: ChatData): TemplateResult {
    return html`
      ${keyed(data.chats.current, html`
        ${roleLine(data.chats.instructions, () => this.emit('openSettings'))}
        <div class="messages" role="log" aria-label=${chatStrings.log}>
          ${repeat(data.messages, ({ id }) => id, (each) => (each.id === this.#editing && each.role === 'user' ? this.#editor(each) : this.#message(each, data)))}
        </div>`)}
      <button class="to-latest" type="button" aria-label=${chatStrings.toLatest} @click=${() => this.#toEnd()}>${downIcon}</button>`;
  }

  /** Drawn again only when something of it has changed: of a long chat, that is one message for each word. */
  #message(each: Message, { status, answering, messages, chats, waitsFor }: ChatData): TemplateResult {
    const context: Pick<MessageContext, 'modelReady' | 'waitsForState' | 'answering' | 'last' | 'waitsForDocuments' | 'aloud'> = {
      modelReady: status.kind === 'ready',
      waitsForState: status.kind === 'ready' && status.beginning === true,
      answering,
      last: each === messages.at(-1),
      waitsForDocuments: waitsFor === 'documents',
      aloud: !this.#readable ? 'no' : this.#aloud.reading === each.id ? 'now' : 'can',
    };
    const [branches, batch, choice] = [chats.branches(each), chats.batch(each), chats.choice(each)];
    const changes = [
      each, each.text, each.role === 'assistant' && each.state, each.role === 'assistant' && each.sources, ...Object.values(context), branches.index, branches.shut, branches.ids.join(), batch?.finished,
      ...(choice ?? []).flatMap((one) => [one.text, one.state, one.sources]),
    ];
    const drawn = (context: MessageContext) => (choice ? sideBySide(choice, context) : message(each, context));
    return html`${guard(changes, () => drawn({
      ...context,
      branches,
      batch,
      readAloud: ({ id }, text) => this.#aloud.toggle(id, text),
      edit: ({ id }) => this.#edit(id),
      again: (answer) => this.emit('answerAgain', answer),
      againBatch: (answer) => this.emit('answerBatch', answer),
      carryOn: (answer) => this.emit('carryOn', answer),
      showBranch: (id) => this.emit('showBranch', id),
      showSource: (source) => this.emit('showSource', source),
    }))}`;
  }

  #editor(question: UserMessage): TemplateResult {
    const onSubmit = (event: Event) => {
      event.preventDefault();
      const text = String(new FormData(event.target as HTMLFormElement).get('text') ?? '').trim();
      this.#close(question);
      if (text !== '') this.emit('askInstead', { question, text });
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.#close(question);
      } else if (event.key === 'Enter' && !event.shiftKey) {
        event.preventDefault();
        (event.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
      }
    };
    return html`
      <form class="message user editor" @submit=${onSubmit}>
        <textarea name="text" rows="3" dir="auto" data-testid="edit-text" aria-label=${chatStrings.editLabel} .value=${question.text} @keydown=${onKey}></textarea>
        <p class="actions">
          <button type="button" class="button" data-testid="edit-cancel" @click=${() => this.#close(question)}>${chatStrings.editCancel}</button>
          <button type="submit" class="button primary" data-testid="edit-send">${chatStrings.editSend}</button>
        </p>
      </form>`;
  }

  #edit(id: number | undefined): void {
    this.#editing = id;
    if (this.#data) this.update(this.#data);
    if (id !== undefined) this.container.querySelector<HTMLTextAreaElement>('[data-testid=edit-text]')?.focus();
  }

  /** The keyboard is again where the editor was opened. */
  #close({ id }: UserMessage): void {
    this.#edit(undefined);
    this.container.querySelector<HTMLElement>(`[data-message="${id}"] [data-testid=edit]`)?.focus();
  }

  #follow(): void {
    const any = this.#data && this.#data.messages.length > 0;
    if (this.#following && any && this.#editing === undefined) this.container.scrollTop = this.container.scrollHeight;
    this.#onScroll();
  }

  /** Only going up leaves the end; that it moves away does not. */
  #onScroll(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.container;
    const near = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    this.#following = near || (this.#following && scrollTop >= this.#top);
    this.#top = scrollTop;
    this.container.classList.toggle('behind', !this.#following && (this.#data?.messages.length ?? 0) > 0);
  }

  #toEnd(): void {
    this.#following = true;
    this.#follow();
  }
}
