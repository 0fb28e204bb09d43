/** One formula as MathML, or its source where it can't be read or would be too large. */
import temml from 'temml';

export interface FormulaText {
  tex: string;
  /** On a line of its own. */
  display: boolean;
  /** As it was written, with the marks around it. */
  source: string;
}

const LONGEST = 3000;
const MOST_ELEMENTS = 1500;
/** Of elements within one another: a browser lays them out by recursion. */
const DEEPEST = 60;
/** Definitions may double at every step. No formula of an answer needs one. */
const DEFINITION = /\\(?:[gex]?def|let|futurelet|(?:re|provide)?newcommand|DeclareMathOperator|global|long)(?![a-z])/i;
const OPTIONS = { throwOnError: true, trust: false, strict: false, maxSize: [20, 500], maxExpand: 500 } as const;

export function formulaElement({ tex, display, source }: FormulaText): Element {
  if (tex.length > LONGEST || DEFINITION.test(tex)) return asSource(source);
  const holder = document.createElement('span');
  try {
    temml.render(tex, holder, { ...OPTIONS, displayMode: display } as never);
  } catch {
    return asSource(source);
  }
  const drawn = holder.firstElementChild;
  return drawn && isSmall(drawn) ? drawn : asSource(source);
}

function isSmall(root: Element): boolean {
  let elements = 0;
  let depth = 0;
  for (let at: Element | null = root; at; ) {
    elements += 1;
    if (elements > MOST_ELEMENTS || depth > DEEPEST) return false;
    if (at.firstElementChild) {
      at = at.firstElementChild;
      depth += 1;
      continue;
    }
    while (at && at !== root && !at.nextElementSibling) {
      at = at.parentElement;
      depth -= 1;
    }
    at = !at || at === root ? null : at.nextElementSibling;
  }
  return true;
}

function asSource(source: string): Element {
  const code = document.createElement('code');
  code.textContent = source;
  return code;
}
