/** Questions about the open document, and their answers with the parts of the text that they came from. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { repeat } from 'lit-html/directives/repeat.js';
import { copyButton } from '../../base/view/copy-button';
import type { QuestionRecord, Section } from '../../data/document-records';
import { breakRuns } from '../../markdown/runs';
import { prose } from '../../markdown/view/prose';
import { documentStrings as words } from '../document-strings';
import type { OpenDocument } from '../documents-controller';
import type { DocumentsViewData, EmitDocument } from '../documents-data';
import { placeButton } from './place-button';
import { readFigures } from './read-figures';

export class QuestionPanel {
  /** What is being written. */
  #draft = '';
  /** The question that came back last. */
  #returned: QuestionRecord | undefined;

  constructor(private readonly emit: EmitDocument) {}

  template(open: OpenDocument, { documents: { asking, unanswered, estimate } }: DocumentsViewData, toText: (section: Section) => void): TemplateResult {
    const mine = asking?.documentId === open.record.id ? asking : undefined;
    const onSubmit = (event: Event) => {
      event.preventDefault();
      const question = this.#draft;
      this.#draft = '';
      this.emit('askDocument', question);
    };
    if (unanswered && unanswered !== this.#returned && unanswered.documentId === open.record.id) {
      this.#returned = unanswered;
      this.#draft ||= unanswered.question;
    }
    const parts = (estimate('short')?.sections ?? 1) > 1;
    return html`
      ${open.questions.length === 0 && !mine ? html`<p class="quiet-text">${words.noQuestions}</p>` : nothing}
      ${repeat([...open.questions, ...(mine ? [mine] : [])], ({ id }) => id, (each) => answered(each, each === mine, open, toText))}
      <form class="ask" @submit=${onSubmit}>
        <input class="text-field" name="question" dir="auto" required autocomplete="off" data-testid="document-question" aria-label=${words.question} placeholder=${words.questionPlaceholder}
          .value=${live(this.#draft)} @input=${(event: Event) => (this.#draft = (event.target as HTMLInputElement).value)} />
        ${mine
          ? html`<button type="button" class="button" data-testid="document-stop" @click=${() => this.emit('stopDocument')}>${words.stop}</button>`
          : html`<button type="submit" class="button primary" data-testid="document-ask" ?disabled=${asking !== undefined}>${words.ask}</button>`}
      </form>
      ${parts ? html`<p class="hint">${words.questionHint}</p>` : nothing}`;
  }
}

function answered({ question, answer, passages, figures }: QuestionRecord, running: boolean, open: OpenDocument, toText: (section: Section) => void): TemplateResult {
  return html`
    <article class="summary" data-testid="document-answer" aria-busy=${running ? 'true' : 'false'}>
      <header class="summary-head"><h3 dir="auto">${breakRuns(question)}</h3>${running || answer === '' ? nothing : copyButton(answer, words.copy)}</header>
      ${answer === '' ? html`<p class="waiting"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${words.thinking}</p>` : html`<div class="answer" ${prose(answer)}></div>`}
      <p class="hint sources">
        ${passages.length === 0
          ? words.readAll
          : html`${words.readParts} ${passages.map((passage, index) => placeButton(open, passage, index + 1, toText))}`}
        ${figures ? html`<span data-testid="answer-figures">${readFigures(figures)}.</span>` : nothing}
      </p>
    </article>`;
}
