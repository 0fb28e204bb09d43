/** Hears keys that mean something wherever they are pressed. In a dialog they are its own. */
import { shortcutOf, type Shortcut } from '../shortcuts';

const TEXT_FIELDS = 'textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=file], [type=button])';

export function onShortcut(page: Document, act: (shortcut: Shortcut) => void): void {
  page.addEventListener('keydown', (event) => {
    const { key, ctrlKey, metaKey, shiftKey, altKey, target } = event;
    if (event.defaultPrevented || event.isComposing || page.querySelector('dialog[open]')) return;
    const shortcut = shortcutOf({ key, ctrl: ctrlKey || metaKey, shift: shiftKey, alt: altKey, writing: (target as Element).matches(TEXT_FIELDS) });
    if (!shortcut) return;
    event.preventDefault();
    act(shortcut);
  });
}
