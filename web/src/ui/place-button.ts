/** Where a part of a document stands, as a button that leads there. */
import { html, type TemplateResult } from 'lit-html';
import type { OpenDocument } from '../app/document-desk';
import type { Section } from '../documents/records';
import { placeOf } from '../documents/sections';
import { breakRuns } from '../markdown/runs';
import { documentStrings as words } from './document-strings';
import { fill } from './format';

export function placeButton({ text: { places } }: OpenDocument, section: Section, number: number, toText: (section: Section) => void): TemplateResult {
  const label = placeOf(places, section) || fill(words.sectionNumber, { number });
  return html`<button type="button" class="place" dir="auto" data-testid="place" title=${words.toText} @click=${() => toText(section)}>${breakRuns(label)}</button>`;
}
