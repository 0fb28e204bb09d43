/**
 * Deleting all that the page keeps, by a reload: what is deleted before anything of the page has begun, nothing of it writes again. The
 * wish is kept for this tab alone, so that no link can express it.
 */
const WISH = 'erase everything';

function key(): string {
  return `${WISH} ${new URL('.', document.baseURI).pathname}`;
}

export function eraseByReload(): void {
  sessionStorage.setItem(key(), '');
  location.replace(new URL('.', document.baseURI));
}

/** Whether it was wished for; it is no more. */
export function takeWishToErase(): boolean {
  try {
    const wished = sessionStorage.getItem(key()) !== null;
    sessionStorage.removeItem(key());
    return wished;
  } catch {
    // Where the browser keeps nothing, there is nothing to delete.
    return false;
  }
}
