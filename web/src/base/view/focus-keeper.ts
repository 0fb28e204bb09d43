/**
 * Keeps the keyboard's place: where the element that had the focus is taken away or disabled, the focus goes to the nearest thing
 * that is left and can have it. Not on touch screens, where it would raise the keyboard.
 */
/** Nobody goes on by choosing a file. */
const FOCUSABLE = 'button, a[href], input:not([type=file]), textarea, select, summary, [tabindex="0"]';

export function keepFocus(root: HTMLElement): void {
  /** The element that got the focus last, and what it is in, below the body. */
  let trail: Element[] = [];
  root.addEventListener('focusin', ({ target }) => (trail = ancestors(target as Element)));
  // A press elsewhere takes the focus away on purpose.
  root.addEventListener('pointerdown', () => (trail = []));
  const observer = new MutationObserver(() => {
    const [last] = trail;
    if (!last || canHaveFocus(last) || matchMedia('(pointer: coarse)').matches) return;
    if (document.activeElement !== document.body && document.activeElement !== last) return;
    for (const around of trail.slice(1)) {
      const next = around.isConnected ? [...around.querySelectorAll<HTMLElement>(FOCUSABLE)].find(canHaveFocus) : undefined;
      if (next) return next.focus();
    }
  });
  observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled', 'hidden'] });
}

function ancestors(element: Element): Element[] {
  const found: Element[] = [];
  for (let each: Element | null = element; each && each !== document.body; each = each.parentElement) found.push(each);
  return found;
}

function canHaveFocus(element: Element): boolean {
  return element.isConnected && !element.matches(':disabled') && !element.closest('[inert]') && element.checkVisibility({ visibilityProperty: true });
}
