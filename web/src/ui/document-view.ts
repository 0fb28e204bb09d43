/** One document: what it is and what reading it takes; its summaries, questions about it, its text. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import type { OpenDocument } from '../app/document-desk';
import type { PageData } from '../app/page-data';
import type { Section } from '../documents/records';
import { documentStrings as words } from './document-strings';
import { fill, formatRemaining } from './format';
import { earlierIcon } from './icons';
import type { EmitDocument } from './document-events';
import { QuestionPanel } from './question-panel';
import { SummaryPanel } from './summary-panel';

type Tab = keyof typeof words.tabs;
const TABS = Object.keys(words.tabs) as Tab[];
/** Paragraphs of the text are drawn in groups, so that the browser can leave out those that nobody sees. */
const GROUP = 20;

export class DocumentView {
  readonly #summary: SummaryPanel;
  readonly #questions: QuestionPanel;
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

  template(open: OpenDocument, data: PageData): TemplateResult {
    const { record } = open;
    if (record.id !== this.#shown) [this.#shown, this.#tab, this.#marked] = [record.id, 'summary', undefined];
    return html`
      <button type="button" class="quiet back" data-testid="document-back" @click=${() => this.emit('openDocument', null)}>${earlierIcon}${words.back}</button>
      <h2 class="document-name">${record.name}</h2>
      <p class="quiet-text" data-testid="document-facts">${facts(open, data, this.#summary.style)}</p>
      <div class="tabs" role="tablist" aria-label=${record.name}>${TABS.map((tab) => this.#tabButton(tab))}</div>
      <section role="tabpanel" id="document-panel" aria-labelledby=${`tab-${this.#tab}`} tabindex="-1">${this.#panel(open, data)}</section>`;
  }

  #panel(open: OpenDocument, data: PageData): TemplateResult {
    const toText = (section: Section) => this.#toText(section);
    if (this.#tab === 'summary') return this.#summary.template(open, data, toText);
    if (this.#tab === 'questions') return this.#questions.template(open, data, toText);
    return html`<div class="document-text" data-testid="document-full-text">${guard([open.text.id, this.#marked], () => paragraphs(open, this.#marked))}</div>`;
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

function facts({ record, tokens }: OpenDocument, { context, documents }: PageData, style: Parameters<PageData['documents']['estimate']>[0]): string {
  const size = `${words.kindNames[record.kind]} · ${record.characters.toLocaleString('en')} characters`;
  const estimate = tokens === undefined ? undefined : documents.estimate(style);
  if (tokens === undefined || !estimate) return `${size} · ${words.counting}`;
  const how = fill(estimate.sections === 1 ? words.onePass : words.inSections, { context: context.toLocaleString('en'), sections: estimate.sections });
  const time = estimate.seconds === undefined ? words.estimateUnknown : fill(words.estimate, { time: formatRemaining(estimate.seconds) });
  return [size, fill(words.tokens, { tokens: tokens.toLocaleString('en') }), how, time].join(' · ');
}

function paragraphs({ text: { text, places } }: OpenDocument, marked: Section | undefined): TemplateResult[] {
  let offset = 0;
  let seen = 0;
  const drawn = text.split('\n\n').map((paragraph) => {
    const start = offset;
    offset += paragraph.length + 2;
    const before = seen;
    while (seen < places.length && (places[seen]?.offset ?? Infinity) < offset) seen += 1;
    const labels = places.slice(before, seen).map(({ label }) => label).filter((label) => label !== paragraph);
    const isMarked = marked !== undefined && start < marked.end && offset - 2 > marked.start;
    return html`${labels.map((label) => html`<p class="place-mark">${label}</p>`)}
      <p class=${isMarked ? 'marked' : ''} tabindex=${isMarked ? -1 : nothing}>${paragraph}</p>`;
  });
  const groups: TemplateResult[] = [];
  for (let at = 0; at < drawn.length; at += GROUP) groups.push(html`<div class="paragraphs">${drawn.slice(at, at + GROUP)}</div>`);
  return groups;
}
