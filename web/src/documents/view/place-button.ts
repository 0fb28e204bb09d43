/** Where a part of a document stands, as a button that leads there. */
import { html, type TemplateResult } from 'lit-html';
import { fill } from '../../base/format';
import type { Section } from '../../data/document-records';
import { breakRuns } from '../../markdown/runs';
import { documentStrings as words } from '../document-strings';
import type { OpenDocument } from '../documents-controller';
import { placeOf } from '../sections';

export function placeButton({ text: { places } }: OpenDocument, section: Section, number: number, toText: (section: Section) => void): TemplateResult {
  const label = placeOf(places, section) || fill(words.sectionNumber, { number });
  return html`<button type="button" class="place" dir="auto" data-testid="place" title=${words.toText} @click=${() => toText(section)}>${breakRuns(label)}</button>`;
}
