/** Puts a text together from paragraphs and remembers where its places begin. */
import type { Extracted, Place } from './records';

export class TextBuilder {
  #text = '';
  readonly #places: Place[] = [];

  /** The next paragraph begins a place. Of two at one point, the later says more (a chapter's own heading). */
  place(label: string, page?: number): void {
    const clean = label.replace(/\s+/g, ' ').trim();
    if (clean === '') return;
    const offset = this.#text === '' ? 0 : this.#text.length + 2;
    if (this.#places.at(-1)?.offset === offset) this.#places.pop();
    this.#places.push({ offset, label: clean, ...(page === undefined ? {} : { page }) });
  }

  paragraph(text: string): void {
    const clean = tidy(text);
    if (clean === '') return;
    this.#text += this.#text === '' ? clean : `\n\n${clean}`;
  }

  done(): Extracted {
    return { text: this.#text, places: this.#places.filter(({ offset }) => offset < this.#text.length) };
  }
}

/** Without characters that no reader sees, trailing spaces and empty lines. */
export function tidy(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u00ad\ufeff]/g, '')
    .replace(/[ \t\u00a0]+/g, ' ')
    .replace(/ *\n */g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
