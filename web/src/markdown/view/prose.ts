/**
 * Markdown as the content of an element. What reads it comes after the first paint; until then, and where a text can't be drawn, the text
 * is shown as it was written.
 */
import { html, noChange, render, type ElementPart, type TemplateResult } from 'lit-html';
import { AsyncDirective, directive } from 'lit-html/async-directive.js';
import { failure } from '../../base/failure';
import { breakRuns } from '../runs';
import type { MarkdownView } from './markdown-view';

let View: typeof MarkdownView | undefined;
let coming: Promise<void> | undefined;

/** Asks for what reads Markdown, unless it is there or on its way. */
export function loadMarkdown(): Promise<void> {
  return (coming ??= import('./markdown-view').then(
    ({ MarkdownView }) => void (View = MarkdownView),
    () => void (coming = undefined),
  ));
}

class Prose extends AsyncDirective {
  #view: MarkdownView | undefined;
  #shown: string | undefined;
  #failed = false;

  render(_markdown: string, _breaks = true): typeof noChange {
    return noChange;
  }

  override update({ element }: ElementPart, [markdown, breaks = true]: [string, boolean?]): typeof noChange {
    if (markdown !== this.#shown) this.#show(element as HTMLElement, markdown, breaks);
    return noChange;
  }

  #show(element: HTMLElement, markdown: string, breaks: boolean): void {
    this.#shown = markdown;
    if (!View) {
      render(plain(markdown), element);
      void loadMarkdown().then(() => View && this.isConnected && this.#shown === markdown && this.#show(element, markdown, breaks));
      return;
    }
    try {
      render((this.#view ??= new View(breaks)).template(markdown), element);
    } catch (thrown) {
      this.#showPlain(element, markdown, thrown);
    }
  }

  /** What lit had half drawn, it can't go on with. */
  #showPlain(element: HTMLElement, markdown: string, thrown: unknown): void {
    element.replaceChildren();
    delete (element as { _$litPart$?: unknown })._$litPart$;
    this.#view = undefined;
    render(plain(markdown), element);
    // Once, however many words still come.
    if (!this.#failed) reportError(failure('not-drawn', {}, String(thrown)));
    this.#failed = true;
  }
}

export const prose = directive(Prose);

export function plain(text: string): TemplateResult {
  return html`<p class="plain" dir="auto">${breakRuns(text)}</p>`;
}
