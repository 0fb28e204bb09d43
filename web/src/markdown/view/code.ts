/**
 * Code in the colours of its language. What reads languages comes with the first code that names one; until then, and where it knows no
 * such language, the code has no colours. While words still come, what has been read keeps its colours and the new words have none yet.
 */
import { html, noChange, nothing, render, type ElementPart, type TemplateResult } from 'lit-html';
import { directive, Directive } from 'lit-html/directive.js';
import type { CodeRun } from '../code-runs';

/** Of the page's time, at most this part goes into colours. */
const SHARE = 0.25;
/** Milliseconds from one reading of the same code to the next, at least. */
const PAUSE = 50;

const waiting = new Set<Code>();
let colouring = false;

class Code extends Directive {
  #element: HTMLElement | undefined;
  #text: string | undefined;
  #language = '';
  #runs: readonly CodeRun[] = [];

  render(_text: string, _language: string): typeof noChange {
    return noChange;
  }

  override update({ element }: ElementPart, [text, language]: [string, string]): typeof noChange {
    if (text === this.#text && language === this.#language) return noChange;
    const grown = language === this.#language && text.startsWith(this.#text ?? '');
    [this.#element, this.#text, this.#language] = [element as HTMLElement, text, language];
    if (!grown) this.#runs = [];
    this.#draw();
    if (language !== '') waiting.add(this);
    if (waiting.size > 0 && !colouring) void colourWaiting();
    return noChange;
  }

  colour(read: (code: string, language: string) => CodeRun[] | undefined): void {
    // What came while its turn was not yet may have gone again.
    if (!this.#element?.isConnected || this.#text === undefined) return;
    const runs = read(this.#text, this.#language);
    if (!runs) return;
    this.#runs = runs;
    this.#draw();
  }

  /** Each run by its place, so that those that are as they were stay, and what is selected stays selected. */
  #draw(): void {
    if (!this.#element || this.#text === undefined) return;
    const coloured = this.#runs.reduce((length, { text }) => length + text.length, 0);
    const rest = this.#text.slice(coloured);
    render(html`${this.#runs.map(drawnRun)}${rest}`, this.#element);
  }
}

function drawnRun({ text, kind }: CodeRun): TemplateResult {
  return html`<span class=${kind ? `code-${kind}` : nothing}>${text}</span>`;
}

const coloured = directive(Code);

export function code(text: string, language: string): TemplateResult {
  return html`<code ${coloured(text, language)}></code>`;
}

/** A conversation may hold hundreds, and one that grows waits again and again: the page is not kept from anything else meanwhile. */
async function colourWaiting(): Promise<void> {
  colouring = true;
  try {
    const { codeRuns } = await import('../code-runs');
    for (const next of waiting) {
      waiting.delete(next);
      const began = performance.now();
      next.colour(codeRuns);
      const taken = performance.now() - began;
      await new Promise((resolve) => setTimeout(resolve, Math.max(waiting.size > 0 ? 0 : PAUSE, taken / SHARE)));
    }
  } catch (thrown) {
    // Without it the code stays as it is; the next one asks for it again.
    waiting.clear();
    console.warn('code is shown without colours:', thrown);
  } finally {
    colouring = false;
  }
}
