/** Summaries of the open document: asks for one, shows how far it is, and those that are written. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { fill, formatRate, formatRemaining } from '../../base/format';
import { copyButton } from '../../base/view/copy-button';
import { exportIcon, removeIcon } from '../../base/view/icons';
import { LazyGroups } from '../../base/view/lazy-groups';
import type { Section, SectionSummary, SummaryRecord, SummaryStyle } from '../../data/document-records';
import { prose } from '../../markdown/view/prose';
import { documentStrings as words } from '../document-strings';
import type { OpenDocument } from '../documents-controller';
import type { DocumentsViewData, EmitDocument } from '../documents-data';
import type { SummaryProgress } from '../summary-job';
import { placeButton } from './place-button';
import { readFigures } from './read-figures';

const STYLES = Object.keys(words.styles) as SummaryStyle[];
/** Sections that are drawn together: a book has thousands. */
const GROUP = 20;

export class SummaryPanel {
  style: SummaryStyle = 'short';
  #instruction = '';
  readonly #lists = new WeakMap<SummaryRecord, LazyGroups>();

  constructor(private readonly redraw: () => void, private readonly emit: EmitDocument) {}

  template(open: OpenDocument, data: DocumentsViewData, toText: (section: Section) => void): TemplateResult {
    const { running } = data.documents;
    const mine = open.summaries.some(({ id }) => id === running?.id);
    const onSubmit = (event: Event) => {
      event.preventDefault();
      this.emit('summarise', { style: this.style, instruction: this.#instruction });
    };
    return html`
      <form class="summarise" @submit=${onSubmit}>
        <div class="styles" role="radiogroup" aria-label=${words.style}>${STYLES.map((style) => this.#style(style))}</div>
        ${this.style === 'custom'
          ? html`<textarea class="text-field" rows="2" dir="auto" required data-testid="instruction" aria-label=${words.instruction} placeholder=${words.instructionPlaceholder}
              .value=${this.#instruction} @input=${(event: Event) => (this.#instruction = (event.target as HTMLTextAreaElement).value)}></textarea>`
          : nothing}
        <button type="submit" class="button primary" data-testid="summarise" ?disabled=${running !== undefined}>${words.summarise}</button>
        ${running && !mine ? html`<p class="hint">${words.beforeOthers}</p>` : nothing}
      </form>
      ${open.summaries.map((summary) => this.#summary(summary, open, data, toText))}`;
  }

  #style(style: SummaryStyle): TemplateResult {
    const choose = () => {
      this.style = style;
      this.redraw();
    };
    return html`<label class="style"><input type="radio" name="style" data-testid=${`style-${style}`} .checked=${style === this.style} @change=${choose} /><span>${words.styles[style]}</span></label>`;
  }

  #summary(summary: SummaryRecord, open: OpenDocument, { documents: { running } }: DocumentsViewData, toText: (section: Section) => void): TemplateResult {
    const { started, result, sections, figures } = summary;
    const progress = running?.id === summary.id ? running : undefined;
    const title = [madeBy(summary), new Date(started).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' })].join(' · ');
    return html`
      <article class="summary" data-testid="summary" aria-busy=${progress ? 'true' : 'false'}>
        <header class="summary-head">
          <h3>${title}</h3>
          ${result === null
            ? nothing
            : html`${copyButton(result, words.copy)}
                <button type="button" class="copy" data-testid="summary-export" aria-label=${words.export} title=${words.export}
                  @click=${() => this.emit('exportText', exported(summary, open))}>${exportIcon}</button>`}
          <button type="button" class="copy" data-testid="summary-delete" aria-label=${words.remove} title=${words.remove} @click=${() => this.emit('removeSummary', summary)}>${removeIcon}</button>
        </header>
        ${progress ? this.#progress(progress.progress) : result === null ? this.#paused(summary) : nothing}
        ${result === null ? nothing : html`<div class="answer" data-testid="summary-result" ${prose(result)}></div>`}
        ${result !== null && figures ? html`<p class="hint" data-testid="summary-figures">${readFigures(figures)}</p>` : nothing}
        ${sections.length > 1 ? this.#sections(summary, open, toText) : nothing}
      </article>`;
  }

  #progress(progress: SummaryProgress | undefined): TemplateResult {
    if (!progress) return this.#bar(words.waiting, '', 0, 0);
    const { step, read, total, sectionsDone, sections, rate, remaining, bound, text } = progress;
    const sectionCount = sections > 1 ? fill(words.section, { done: sectionsDone, sections }) : '';
    const what = step === 'merge' ? words.merging : text !== '' ? words.writing : fill(words.progress, { read: read.toLocaleString('en'), total: total.toLocaleString('en') });
    const left = { about: words.left, 'at-most': words.leftAtMost, 'at-least': words.leftAtLeast }[bound];
    const speed = [rate > 0 ? fill(words.rate, { rate: formatRate(rate) }) : '', remaining === undefined ? '' : fill(left, { time: formatRemaining(remaining) })];
    return html`
      ${this.#bar(what, [sectionCount, ...speed].filter(Boolean).join(' · '), read, total)}
      ${text === '' ? nothing : html`<div class="answer" data-testid="summary-live" ${prose(text)}></div>`}`;
  }

  #bar(text: string, amount: string, done: number, total: number): TemplateResult {
    return html`
      <div class="progress" data-testid="summary-progress">
        <div class="progress-main">
          <div class="progress-text"><span>${text}</span><span class="amount">${amount}</span></div>
          ${total > 0 ? html`<progress max=${total} .value=${done} aria-label=${text}></progress>` : html`<progress aria-label=${text}></progress>`}
        </div>
        <button type="button" class="button" data-testid="summary-pause" @click=${() => this.emit('pauseSummary')}>${words.pause}</button>
      </div>`;
  }

  /** Drawn when one more section is finished, not at every word. */
  #sections(record: SummaryRecord, open: OpenDocument, toText: (section: Section) => void): TemplateResult {
    const { sections, result } = record;
    const list = this.#lists.get(record) ?? new LazyGroups(this.redraw);
    this.#lists.set(record, list);
    const done = sections.filter(({ summary }) => summary !== null).length;
    const item = (section: SectionSummary, number: number) => html`
      <li>${placeButton(open, section, number, toText)}
        ${section.summary === null ? html`<p class="quiet-text">${words.notYet}</p>` : html`<div class="answer" ${prose(section.summary)}></div>`}</li>`;
    const group = (at: number) => html`
      <ol start=${at * GROUP + 1}>${sections.slice(at * GROUP, (at + 1) * GROUP).map((section, index) => item(section, at * GROUP + index + 1))}</ol>`;
    return html`
      <details class="sections" ?open=${result === null}>
        <summary>${words.sections}</summary>
        <div data-testid="section-summaries">${guard([sections, done, list.version], () => list.template(Math.ceil(sections.length / GROUP), group))}</div>
      </details>`;
  }

  #paused(summary: SummaryRecord): TemplateResult {
    const { sections } = summary;
    const done = sections.filter((each) => each.summary !== null).length;
    return html`
      <p class="kept-task">
        <span data-testid="summary-paused">${sections.length > 1 ? fill(words.paused, { done, sections: sections.length }) : words.pausedWhole}</span>
        <button type="button" class="button" data-testid="summary-resume" @click=${() => this.emit('resumeSummary', summary)}>${words.resume}</button>
      </p>`;
  }
}

/** Its style, and every model that wrote a part of it. */
function madeBy({ style, modelName, sections }: SummaryRecord): string {
  const writers = new Set([...sections.flatMap((section) => section.modelName ?? []), modelName]);
  return [words.styles[style], [...writers].filter(Boolean).join(', ')].filter(Boolean).join(' · ');
}

function exported(summary: SummaryRecord, { record }: OpenDocument): { name: string; text: string } {
  return { name: record.name, text: `# ${record.name}\n\n${summary.result ?? ''}\n\n*${madeBy(summary)}*\n` };
}
