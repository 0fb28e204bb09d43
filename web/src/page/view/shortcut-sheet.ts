/** The sheet of shortcuts, which `?` opens. */
import { html, render } from 'lit-html';
import { closeIcon } from '../../base/view/icons';
import { paletteStrings as words } from '../palette-strings';
import { shortcutKeys } from '../shortcuts';

type Named = keyof typeof shortcutKeys;

export class ShortcutSheet {
  constructor(private readonly dialog: HTMLDialogElement) {
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }

  show(): void {
    render(
      html`
        <div class="sheet">
          <div class="sheet-head">
            <h2 id="shortcuts-title">${words.shortcuts}</h2>
            <button type="button" class="icon-button" aria-label=${words.close} @click=${() => this.dialog.close()}>${closeIcon}</button>
          </div>
          <dl class="shortcuts">
            ${(Object.keys(shortcutKeys) as Named[]).map((name) => html`
              <div><dt>${shortcutKeys[name].map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${words.keys[name]}</dd></div>`)}
          </dl>
          <p class="hint">${words.orMac}</p>
        </div>`,
      this.dialog,
    );
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** It shows nothing that changes. */
  update(): void {}
}
