/** Keys that belong to an input method while it composes a character: Enter takes what it offers, Escape drops it. The page's parts never see them. */

const KEYS: ReadonlySet<string> = new Set(['Enter', 'Escape']);
/** The key code of whatever an input method has taken. Safari says of the Enter that ends a composition only this: the composition is over by then. */
const TAKEN = 229;

/** Listens before every part of the page does, so that no part has to ask. */
export function leaveKeysToInputMethods(page: Document): void {
  page.addEventListener('keydown', leave, { capture: true });
}

function leave(event: KeyboardEvent): void {
  if (!KEYS.has(event.key) || !(event.isComposing || event.keyCode === TAKEN)) return;
  event.stopImmediatePropagation();
  // In a field of one line, a browser would send its form.
  if (!event.isComposing && event.target instanceof HTMLInputElement) event.preventDefault();
}
