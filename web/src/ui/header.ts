/** Name of the page, the model in use, and the way to a new chat. */
import { html, render } from 'lit-html';
import type { PageData } from '../app/page-data';
import { Emitter } from './emitter';
import { fill } from './format';
import { brandIcon, chevronIcon, exportIcon, newChatIcon } from './icons';
import { strings } from './strings';

export class Header extends Emitter<{ chooseModel: undefined; newChat: undefined; shareState: undefined }> {
  constructor(private readonly container: HTMLElement) {
    super();
  }

  update({ name, messages, status, answering }: PageData): void {
    const label = name === '' ? strings.chooseModel : fill(strings.currentModel, { name });
    render(
      html`
        <h1 class="brand">${brandIcon}<span class="brand-name">${strings.product}</span></h1>
        <button class="picker" type="button" data-testid="model-picker" aria-haspopup="dialog" aria-label=${label}
          @click=${() => this.emit('chooseModel')}>
          <span class="picker-name">${name === '' ? strings.chooseModel : name}</span>${chevronIcon}
        </button>
        <button class="quiet share-state" type="button" data-testid="share-state" ?disabled=${messages.length === 0 || answering || status.kind !== 'ready'}
          aria-label=${strings.shareState} title=${strings.shareStateHint} @click=${() => this.emit('shareState')}>${exportIcon}</button>
        <button class="quiet new-chat" type="button" data-testid="new-chat" ?disabled=${messages.length === 0}
          aria-label=${strings.newChat} @click=${() => this.emit('newChat')}>
          ${newChatIcon}<span class="new-chat-label">${strings.newChat}</span>
        </button>`,
      this.container,
    );
  }
}
