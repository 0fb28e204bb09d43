/** The whole text of a document, with its places, and the part that a link led to. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { LazyGroups } from '../../base/view/lazy-groups';
import type { DocumentText as Text } from '../../data/document-records';
import { breakRuns } from '../../markdown/runs';

/** Characters that are drawn together, at least; at most twice as many, where a table has no empty lines. */
const GROUP = 8000;
/** Paragraphs that are drawn together, at most: they may be one letter each. */
const PARAGRAPHS = 500;

interface Part {
  start: number;
  end: number;
}

export class DocumentText {
  readonly #lazy: LazyGroups;
  #groups: readonly Part[] = [];

  /** With `exact`, what is marked is that part alone, not the paragraphs that it stands in. */
  constructor(private readonly whole: Text, redraw: () => void, private readonly exact = false) {
    this.#lazy = new LazyGroups(redraw);
  }

  template(marked: Part | undefined): TemplateResult {
    if (this.#groups.length === 0) this.#groups = groupsOf(this.whole.text);
    const drawn = () => this.#lazy.template(
      this.#groups.length,
      (group) => this.#paragraphs(this.#groups[group], marked),
      (group) => overlaps(this.#groups[group], marked),
    );
    return html`<div class="document-text" data-testid="document-full-text">${guard([this, marked, this.#lazy.version], drawn)}</div>`;
  }

  #paragraphs(group: Part | undefined, marked: Part | undefined): TemplateResult {
    if (!group) return html``;
    const { text, places } = this.whole;
    let offset = group.start;
    // Both are in the order of the text.
    let next = places.findIndex((place) => place.offset >= group.start);
    const paragraphs = text.slice(group.start, group.end).split('\n\n').map((paragraph) => {
      const part = { start: offset, end: offset + paragraph.length };
      offset += paragraph.length + 2;
      const first = next;
      while (next >= 0 && (places[next]?.offset ?? Infinity) < offset) next += 1;
      if (paragraph.trim() === '') return nothing;
      const labels = places.slice(first, next).map(({ label }) => label).filter((label) => label !== paragraph);
      const isMarked = overlaps(part, marked);
      const isTinted = isMarked && !this.exact;
      return html`${labels.map((label) => html`<p class="place-mark" dir="auto">${breakRuns(label)}</p>`)}
        <p dir="auto" class=${isTinted ? 'marked' : ''} tabindex=${isTinted ? -1 : nothing}>${isMarked && marked && this.exact ? withMark(paragraph, part, marked) : breakRuns(paragraph)}</p>`;
    });
    return html`${paragraphs}`;
  }
}

function withMark(paragraph: string, { start }: Part, marked: Part): TemplateResult {
  const [from, to] = [Math.max(0, marked.start - start), Math.min(paragraph.length, marked.end - start)];
  return html`${breakRuns(paragraph.slice(0, from))}<mark tabindex="-1">${breakRuns(paragraph.slice(from, to))}</mark>${breakRuns(paragraph.slice(to))}`;
}

function overlaps(part: Part | undefined, marked: Part | undefined): boolean {
  return part !== undefined && marked !== undefined && part.start < marked.end && part.end > marked.start;
}

function groupsOf(text: string): Part[] {
  const groups: Part[] = [];
  for (let start = 0; start < text.length; start = groups.at(-1)?.end ?? text.length) groups.push({ start, end: groupEnd(text, start) });
  return groups;
}

/** Where the last paragraph ends that is drawn with those before it, if there are more. */
function paragraphsEnd(text: string): number | undefined {
  let end = 0;
  for (let count = 0; count < PARAGRAPHS; count += 1) {
    const gap = text.indexOf('\n\n', end);
    if (gap < 0) return undefined;
    end = gap + 2;
  }
  return end;
}

/** Between paragraphs, else between lines, else between words. */
function groupEnd(text: string, start: number): number {
  const least = start + GROUP;
  const crowded = paragraphsEnd(text.slice(start, least));
  if (crowded !== undefined) return start + crowded;
  if (least + GROUP >= text.length) return text.length;
  const ahead = text.slice(least, least + GROUP);
  const boundary = ['\n\n', '\n', ' '].find((each) => ahead.includes(each));
  return boundary === undefined ? least + GROUP : least + ahead.indexOf(boundary) + boundary.length;
}
