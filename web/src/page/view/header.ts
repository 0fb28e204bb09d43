/** Above each view: the way to the menu on narrow screens, the model in use, the settings, a new chat. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { strings } from '../../base/strings';
import { chevronIcon, memoryIcon, menuIcon, newChatIcon, settingsIcon } from '../../base/view/icons';
import { chatStrings } from '../../chat/chat-strings';
import type { PageData } from '../page-data';
import { pageStrings } from '../page-strings';

export class Header extends Emitter<{ openMenu: undefined; chooseModel: undefined; openSettings: undefined; newChat: undefined; shareState: undefined }> {
  constructor(private readonly container: HTMLElement) {
    super();
  }

  update({ name, messages, view, status, answering, attached }: PageData): void {
    const model = name === '' ? pageStrings.chooseModel : fill(pageStrings.currentModel, { name });
    render(
      html`
        <h1 class="visually-hidden">${strings.product}</h1>
        <button class="icon-button menu-button" type="button" data-testid="open-menu" aria-label=${pageStrings.openMenu} @click=${() => this.emit('openMenu')}>${menuIcon}</button>
        <button class="picker" type="button" data-testid="model-picker" aria-haspopup="dialog" aria-label=${model}
          @click=${() => this.emit('chooseModel')}>
          <span class="picker-name">${name === '' ? pageStrings.chooseModel : name}</span>${chevronIcon}
        </button>
        ${view === 'chat'
          ? html`
              <button class="icon-button labelled" type="button" data-testid="share-state" ?disabled=${messages.length === 0 || answering || status.kind !== 'ready'}
                aria-label=${pageStrings.shareState} title=${pageStrings.shareStateHint} @click=${() => this.emit('shareState')}>${memoryIcon}${label('shareState')}</button>
              <button class="icon-button labelled" type="button" data-testid="settings" aria-haspopup="dialog" aria-label=${chatStrings.settings} title=${chatStrings.settings}
                @click=${() => this.emit('openSettings')}>${settingsIcon}${label('settings')}</button>
              <button class="icon-button labelled new-chat" type="button" data-testid="new-chat" ?disabled=${messages.length === 0 && attached.length === 0}
                aria-label=${chatStrings.newChat} title=${chatStrings.newChat} @click=${() => this.emit('newChat')}>${newChatIcon}${label('newChat')}</button>`
          : nothing}`,
      this.container,
    );
  }
}

/** Beside its icon, where there is room. */
function label(button: keyof typeof pageStrings.labels): TemplateResult {
  return html`<span class="icon-label">${pageStrings.labels[button]}</span>`;
}
