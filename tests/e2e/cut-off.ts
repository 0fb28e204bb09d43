/** What a narrow screen cuts off. Runs in the page: it stands by itself. */

/** Elements with words, or buttons, that reach beyond the screen's sides and can't be scrolled into it. */
export function cutOff(): string[] {
  const beyond = ({ left, right, width, height }: DOMRect) => width > 1 && height > 1 && (left < -1 || right > innerWidth + 1);
  const scrolls = (element: Element | null): boolean => {
    for (let at = element; at; at = at.parentElement) if (at !== document.body && at !== document.documentElement && getComputedStyle(at).overflowX !== 'visible') return true;
    return false;
  };
  const shown = [...document.querySelectorAll<HTMLElement>('button, input, textarea, a, h1, h2, h3, p, dt, dd, li, summary, label, figcaption, .bubble')].filter((each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
  // A drawer that has just been closed still slides away.
  const drawer = matchMedia('(width < 60rem)').matches ? '.sidebar:not(.open)' : '.none';
  const open = document.querySelector('dialog[open]');
  return shown
    .filter((each) => (open === null || open.contains(each)) && !each.closest(`.visually-hidden, .skip, ${drawer}`))
    .filter((each) => beyond(each.getBoundingClientRect()) && (open ? !scrollsWithin(each, open) : !scrolls(each.parentElement)))
    .map(({ outerHTML }) => outerHTML.slice(0, 100));

  /** A dialog scrolls up and down; sideways it must not have to. */
  function scrollsWithin(element: Element, dialog: Element): boolean {
    for (let at = element.parentElement; at && at !== dialog; at = at.parentElement) if (getComputedStyle(at).overflowX !== 'visible') return true;
    return false;
  }
}
