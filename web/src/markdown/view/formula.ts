/** Formulas, drawn as MathML by a library that comes with the first of them. Until then, and where it can't read one, their source is shown. */
import { html, noChange, type ElementPart, type TemplateResult } from 'lit-html';
import { directive, Directive } from 'lit-html/directive.js';
import type { FormulaText } from './formula-mathml';

/** Milliseconds of the page's thread for formulas, at a stretch. */
const STRETCH = 8;

const waiting = new Map<Element, FormulaText>();
let drawing = false;

class Formula extends Directive {
  #source = '';

  render(_formula: FormulaText): typeof noChange {
    return noChange;
  }

  override update({ element }: ElementPart, [formula]: [FormulaText]): typeof noChange {
    if (formula.source === this.#source) return noChange;
    this.#source = formula.source;
    element.textContent = formula.source;
    waiting.set(element, formula);
    if (!drawing) void drawWaiting();
    return noChange;
  }
}

const drawnLater = directive(Formula);

export function formula(text: FormulaText): TemplateResult {
  return html`<span class=${text.display ? 'formula display' : 'formula'} dir="ltr" ${drawnLater(text)}></span>`;
}

/** A conversation may hold hundreds: the page is not kept from anything else meanwhile. */
async function drawWaiting(): Promise<void> {
  drawing = true;
  try {
    const { formulaElement } = await import('./formula-mathml');
    while (waiting.size > 0) {
      await new Promise((resolve) => setTimeout(resolve));
      drawSome(formulaElement);
    }
  } catch (thrown) {
    // Without the library they stay as they were written; the next one asks for it again.
    waiting.clear();
    console.warn('formulas are shown as they were written:', thrown);
  } finally {
    drawing = false;
  }
}

function drawSome(draw: (formula: FormulaText) => Element): void {
  const until = performance.now() + STRETCH;
  for (const [element, text] of waiting) {
    waiting.delete(element);
    // What came while its turn was not yet may have gone again.
    if (element.isConnected) element.replaceChildren(draw(text));
    if (performance.now() > until) return;
  }
}
