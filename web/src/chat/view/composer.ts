/** The message box with its button, which sends or, during an answer, stops; beside it, for a model that can think, whether it does. */
import { html, nothing, render } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { sendIcon, stopIcon } from '../../base/view/icons';
import type { ChatData } from '../chat-data';
import { chatStrings } from '../chat-strings';

export class Composer extends Emitter<{ send: string; stop: undefined; setThinks: boolean }> {
  #draft = '';
  #answering = false;
  #thinks = false;
  #canThink = false;

  constructor(private readonly container: HTMLElement) {
    super();
  }

  update({ answering, thinks, status }: ChatData): void {
    const stopHadFocus = document.activeElement?.matches('[data-testid=stop]') ?? false;
    this.#answering = answering;
    this.#thinks = thinks;
    this.#canThink = status.kind === 'ready' && status.info.canThink;
    this.#draw();
    if (stopHadFocus && !answering) this.focus();
  }

  restoreDraft(text: string): void {
    if (this.#draft !== '' || text === '') return;
    this.#draft = text;
    this.#draw();
  }

  /** Adds to what is written there. */
  insert(text: string): void {
    this.#draft = this.#draft.trim() === '' ? text : `${this.#draft}\n\n${text}`;
    this.#draw();
    this.focus();
  }

  /** Not on touch screens, where focus would raise the keyboard over the answer. */
  focus(): void {
    if (!matchMedia('(pointer: coarse)').matches) this.container.querySelector('textarea')?.focus();
  }

  #draw(): void {
    render(
      html`
        <form class="composer" @submit=${this.#onSubmit}>
          <label class="visually-hidden" for="chat-input">${chatStrings.inputLabel}</label>
          <div class="grow" data-text=${`${this.#draft}\n`}>
            <textarea id="chat-input" data-testid="chat-input" rows="1" dir="auto" placeholder=${chatStrings.inputPlaceholder} aria-describedby="input-hint"
              enterkeyhint="send" autocomplete="off" .value=${this.#draft} @input=${this.#onInput} @keydown=${this.#onKey}></textarea>
          </div>
          <span id="input-hint" class="visually-hidden">${chatStrings.inputHint}</span>
          ${this.#canThink
            ? html`<button class="think" type="button" data-testid="think" aria-pressed=${this.#thinks ? 'true' : 'false'} title=${chatStrings.thinkHint}
                @click=${() => this.emit('setThinks', !this.#thinks)}>${chatStrings.think}</button>`
            : nothing}
          ${this.#answering
            ? html`<button class="act" type="button" data-testid="stop" aria-label=${chatStrings.stop} title=${chatStrings.stop}
                @click=${() => this.emit('stop')}>${stopIcon}</button>`
            : html`<button class="act" type="submit" data-testid="send" aria-label=${chatStrings.send} title=${chatStrings.send}
                ?disabled=${this.#draft.trim() === ''}>${sendIcon}</button>`}
        </form>`,
      this.container,
    );
  }

  readonly #onInput = (event: Event) => {
    this.#draft = (event.target as HTMLTextAreaElement).value;
    this.#draw();
  };

  readonly #onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    this.#send();
  };

  readonly #onSubmit = (event: Event) => {
    event.preventDefault();
    this.#send();
  };

  #send(): void {
    const text = this.#draft.trim();
    if (this.#answering || text === '') return;
    this.#draft = '';
    this.#draw();
    this.focus();
    this.emit('send', text);
  }
}
