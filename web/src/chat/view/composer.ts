/**
 * The message box with its button, which sends or, during an answer, stops; beside it, for a model that can think, whether it does. Files
 * that are chosen or pasted here, and texts that are too long for a message, become documents that the chat is answered from.
 */
import { html, nothing, render } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { attachIcon, sendIcon, stopIcon } from '../../base/view/icons';
import { attachmentStrings } from '../attachment-strings';
import type { ChatData } from '../chat-data';
import { chatStrings } from '../chat-strings';
import { attachments } from './attachments';

/** A longer paste is a document: as a message it would be read in one piece, again with every question, and would hide the chat. */
const MOST_PASTED_CHARACTERS = 4000;

interface Events {
  send: string;
  stop: undefined;
  setThinks: boolean;
  attach: File[];
  attachText: string;
  detach: string;
  unlockAttached: { key: string; password: string };
  putBack: string;
  showAttached: string;
}

export class Composer extends Emitter<Events> {
  #draft = '';
  #answering = false;
  #thinks = false;
  #canThink = false;
  #attached: ChatData['attached'] = [];
  /** The model's name, where it is known to be no help with a text. */
  #notUpTo: string | undefined;

  /** `endings`: of the files that can be attached. */
  constructor(private readonly container: HTMLElement, private readonly endings: string) {
    super();
  }

  update({ answering, thinks, status, attached, entry }: ChatData): void {
    const stopHadFocus = document.activeElement?.matches('[data-testid=stop]') ?? false;
    this.#answering = answering;
    this.#thinks = thinks;
    this.#attached = attached;
    this.#notUpTo = entry?.summaries === false ? entry.name : undefined;
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
        ${attachments(this.#attached, {
          detach: (key) => this.emit('detach', key),
          unlock: (key, password) => this.emit('unlockAttached', { key, password }),
          putBack: (key, text) => this.#putBack(key, text),
          show: (key) => this.emit('showAttached', key),
        })}
        ${this.#attached.length > 0 && this.#notUpTo !== undefined
          ? html`<p class="attachment-note" data-testid="attachment-limits">${fill(attachmentStrings.notUpTo, { name: this.#notUpTo })}</p>`
          : nothing}
        <form class="composer" @submit=${this.#onSubmit}>
          <label class="attach file" title=${attachmentStrings.attachHint}>${attachIcon}<span>${attachmentStrings.attach}</span>
            <input class="visually-hidden" type="file" accept=${this.endings} multiple data-testid="attach" aria-description=${attachmentStrings.attachHint} @change=${this.#onFiles} /></label>
          <label class="visually-hidden" for="chat-input">${chatStrings.inputLabel}</label>
          <div class="grow" data-text=${`${this.#draft}\n`}>
            <textarea id="chat-input" data-testid="chat-input" rows="1" dir="auto" placeholder=${chatStrings.inputPlaceholder} aria-describedby="input-hint"
              enterkeyhint="send" autocomplete="off" .value=${this.#draft} @input=${this.#onInput} @keydown=${this.#onKey} @paste=${this.#onPaste}></textarea>
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

  readonly #onFiles = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const files = [...(input.files ?? [])];
    input.value = '';
    if (files.length > 0) this.emit('attach', files);
    this.focus();
  };

  readonly #onPaste = (event: ClipboardEvent) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData('text/plain') ?? '';
    // Programs that copy a table give a picture of it beside the text.
    if (files.length > 0 && text === '') this.emit('attach', files);
    else if (text.length > MOST_PASTED_CHARACTERS) this.emit('attachText', text);
    else return;
    event.preventDefault();
  };

  #putBack(key: string, text: string): void {
    this.#draft = this.#draft === '' ? text : `${this.#draft}\n\n${text}`;
    this.emit('putBack', key);
    this.#draw();
    this.focus();
  }

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
