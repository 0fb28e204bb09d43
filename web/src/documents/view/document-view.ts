/** One document: what it is and what reading it takes; its summaries, questions about it, its text. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { fill, formatRemaining } from '../../base/format';
import { earlierIcon } from '../../base/view/icons';
import type { ExtractNote, Section } from '../../data/document-records';
import { documentStrings as words } from '../document-strings';
import type { OpenDocument } from '../documents-controller';
import type { DocumentsViewData, EmitDocument } from '../documents-data';
import { DocumentText } from './document-text';
import { QuestionPanel } from './question-panel';
import { SummaryPanel } from './summary-panel';

type Tab = keyof typeof words.tabs;
const TABS = Object.keys(words.tabs) as Tab[];

export class DocumentView {
  readonly #summary: SummaryPanel;
  readonly #questions: QuestionPanel;
  #text: DocumentText | undefined;
  #tab: Tab = 'summary';
  #shown = '';
  /** The part of the text that a link led to. */
  #marked: Section | undefined;

  constructor(private readonly redraw: () => void, private readonly emit: EmitDocument) {
    this.#summary = new SummaryPanel(redraw, emit);
    this.#questions = new QuestionPanel(emit);
  }

  /** What is opened next begins at its summary. */
  close(): void {
    this.#shown = '';
  }

  template(open: OpenDocument, data: DocumentsViewData): TemplateResult {
    const { record } = open;
    if (record.id !== this.#shown) {
      [this.#shown, this.#tab, this.#marked] = [record.id, 'summary', undefined];
      this.#text = new DocumentText(open.text, this.redraw);
    }
    return html`
      <button type="button" class="quiet back" data-testid="document-back" @click=${() => this.emit('openDocument', null)}>${earlierIcon}${words.back}</button>
      <h2 class="document-name" dir="auto">${record.name}</h2>
      <p class="quiet-text" data-testid="document-facts">${facts(open, data, this.#summary.style)}</p>
      ${record.notes ? html`<p class="limits-note" data-testid="document-notes">${record.notes.map(noted).join(' ')}</p>` : nothing}
      <div class="tabs" role="tablist" aria-label=${record.name}>${TABS.map((tab) => this.#tabButton(tab))}</div>
      <section role="tabpanel" id="document-panel" aria-labelledby=${`tab-${this.#tab}`} tabindex="-1">${this.#panel(open, data)}</section>`;
  }

  #panel(open: OpenDocument, data: DocumentsViewData): TemplateResult {
    const toText = (section: Section) => this.#toText(section);
    if (this.#tab === 'summary') return this.#summary.template(open, data, toText);
    if (this.#tab === 'questions') return this.#questions.template(open, data, toText);
    return html`${this.#text?.template(this.#marked)}`;
  }

  #tabButton(tab: Tab): TemplateResult {
    const selected = tab === this.#tab;
    const onKey = (event: KeyboardEvent) => {
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
      if (step === 0 || !next) return;
      this.#show(next);
      document.getElementById(`tab-${next}`)?.focus();
    };
    return html`<button type="button" role="tab" id=${`tab-${tab}`} data-testid=${`tab-${tab}`} aria-selected=${selected ? 'true' : 'false'} aria-controls="document-panel"
      tabindex=${selected ? 0 : -1} @click=${() => this.#show(tab)} @keydown=${onKey}>${words.tabs[tab]}</button>`;
  }

  #show(tab: Tab): void {
    this.#tab = tab;
    this.redraw();
  }

  #toText(section: Section): void {
    this.#marked = section;
    this.#show('text');
    const first = document.querySelector<HTMLElement>('.document-text .marked');
    first?.scrollIntoView({ block: 'start' });
    first?.focus({ preventScroll: true });
  }
}

function facts({ record, tokens }: OpenDocument, { context, documents }: DocumentsViewData, style: Parameters<DocumentsViewData['documents']['estimate']>[0]): string {
  const size = `${words.kindNames[record.kind]} · ${fill(words.characters, { count: record.characters.toLocaleString('en') })}`;
  const estimate = tokens === undefined ? undefined : documents.estimate(style);
  if (tokens === undefined || !estimate) return `${size} · ${words.counting}`;
  const long = tokens > context ? words.inSections : words.inSectionsWithAnswer;
  const how = fill(estimate.sections === 1 ? words.onePass : long, { context: context.toLocaleString('en'), sections: estimate.sections });
  const time = estimate.seconds === undefined ? words.estimateUnknown : fill(words.estimate, { time: formatRemaining(estimate.seconds) });
  return [size, fill(words.tokens, { tokens: tokens.toLocaleString('en') }), how, time].join(' · ');
}

function noted(note: ExtractNote): string {
  return note.kind === 'encoding' ? fill(words.encoding, { name: note.name }) : fill(words.emptyPages, { empty: note.empty, pages: note.pages });
}
