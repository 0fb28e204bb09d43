/** Draws a long list in groups: the first ones at once, each other one when it comes near what is seen. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { ref } from 'lit-html/directives/ref.js';

/** More than a screen. */
const AT_ONCE = 3;
/** How near a group comes before it is drawn. */
const NEAR = '1500px';

export class LazyGroups {
  /** Changes whenever more is to be drawn. */
  version = 0;
  readonly #near = new Set<number>();
  readonly #numbers = new WeakMap<Element, number>();
  readonly #watching: ((element: Element | undefined) => void)[] = [];
  #observer: IntersectionObserver | undefined;

  constructor(private readonly redraw: () => void) {}

  /** So many groups; `wanted` ones are drawn wherever they are. */
  template(count: number, draw: (group: number) => TemplateResult, wanted: (group: number) => boolean = () => false): TemplateResult[] {
    return Array.from({ length: count }, (_, group) => html`<div class="group" ${ref(this.#watch(group))}>${
      group < AT_ONCE || this.#near.has(group) || wanted(group) ? draw(group) : nothing}</div>`);
  }

  /** One listener a group, so that a group is not watched anew at every drawing. */
  #watch(group: number): (element: Element | undefined) => void {
    return (this.#watching[group] ??= (element) => {
      if (!element || group < AT_ONCE) return;
      this.#numbers.set(element, group);
      this.#observer ??= new IntersectionObserver((entries) => this.#see(entries), { root: element.closest('.documents, .beside'), rootMargin: NEAR });
      this.#observer.observe(element);
    });
  }

  #see(entries: readonly IntersectionObserverEntry[]): void {
    const before = this.#near.size;
    for (const { isIntersecting, target } of entries) {
      const group = this.#numbers.get(target);
      if (!isIntersecting || group === undefined) continue;
      this.#near.add(group);
      this.#observer?.unobserve(target);
    }
    if (this.#near.size === before) return;
    this.version += 1;
    this.redraw();
  }
}
