/** The conversation, or the welcome where there is none yet. Follows the newest words unless the reader has scrolled away. */
import { html, render } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { PageData } from '../app/page-data';
import { Emitter } from './emitter';
import { downIcon } from './icons';
import { message } from './message';
import { strings } from './strings';
import { welcome } from './welcome';

/** Closer to the end than this counts as reading along. */
const NEAR_PIXELS = 48;

export class ChatLog extends Emitter<{ ask: string; showCard: string }> {
  #following = true;
  #count = 0;

  constructor(private readonly container: HTMLElement) {
    super();
    container.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(container);
  }

  update(data: PageData): void {
    const { messages, status } = data;
    // A new question is always followed, wherever the reader was.
    if (messages.length !== this.#count) this.#following = true;
    this.#count = messages.length;
    render(
      messages.length === 0
        ? welcome(data, { ask: (text) => this.emit('ask', text), showCard: (card) => this.emit('showCard', card) })
        : html`
            <div class="messages" role="log" aria-label=${strings.log}>
              ${repeat(messages, ({ id }) => id, (each) => message(each, status.kind === 'ready'))}
            </div>
            <button class="to-latest" type="button" aria-label=${strings.toLatest} @click=${() => this.#toEnd()}>${downIcon}</button>`,
      this.container,
    );
    this.#follow();
  }

  #follow(): void {
    if (this.#following && this.#count > 0) this.container.scrollTop = this.container.scrollHeight;
    this.#onScroll();
  }

  #onScroll(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.container;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    this.container.classList.toggle('behind', !this.#following && this.#count > 0);
  }

  #toEnd(): void {
    this.#following = true;
    this.#follow();
  }
}
