/** The benchmark page: what is measured, how far it is, and the tables. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill } from '../../base/format';
import { strings } from '../../base/strings';
import { copyText } from '../../base/view/clipboard';
import { brandIcon } from '../../base/view/icons';
import { LicenceDialog } from '../../models/view/licence-dialog';
import { LinkDialog } from '../../models/view/link-dialog';
import type { BenchData, BenchStatus, BenchView } from '../bench-controller';
import { figureRows, reportText, stageRows } from '../bench-rows';
import { benchStrings as words } from '../bench-strings';

export class BenchPage extends Emitter<{ measure: undefined; accept: undefined; decline: undefined }> implements BenchView {
  readonly #licence = new LicenceDialog(element('licence-dialog') as HTMLDialogElement);
  readonly #link = new LinkDialog(element('link-dialog') as HTMLDialogElement);

  constructor() {
    super();
    for (const dialog of [this.#licence, this.#link]) {
      dialog.on('accept', () => this.emit('accept'));
      dialog.on('decline', () => this.emit('decline'));
    }
  }

  update(data: BenchData): void {
    this.#licence.update(data);
    this.#link.update(data);
    render(header(), element('header'));
    render(this.#body(data), element('bench'));
  }

  #body({ name, promptTokens, genTokens, runs, status }: BenchData): TemplateResult {
    const busy = ['opening', 'licence', 'link', 'measuring'].includes(status.kind);
    return html`
      <div class="bench-column">
        <h2>${words.title}</h2>
        <p>${fill(words.intro, { name, prompt: promptTokens, answer: genTokens, runs })}</p>
        <p class="quiet-text">${words.hint}</p>
        <p class="bench-actions">
          <button type="button" class="button primary" data-testid="measure" ?disabled=${busy} @click=${() => this.emit('measure')}>
            ${status.kind === 'done' ? words.again : words.measure}
          </button>
          ${status.kind === 'done' ? copyAsText(status) : nothing}
        </p>
        <div aria-live="polite">${progress(status, name, runs)}</div>
        ${status.kind === 'failed' ? failed(status) : nothing}
        ${status.kind === 'done' ? tables(status) : nothing}
      </div>`;
  }
}

function header(): TemplateResult {
  return html`
    <h1 class="brand">${brandIcon}<span class="brand-name">${strings.product}</span></h1>
    <span></span>
    <a class="bench-chat" href="./">${words.chat}</a>`;
}

function progress(status: BenchStatus, name: string, allRuns: number): TemplateResult | typeof nothing {
  if (status.kind !== 'opening' && status.kind !== 'measuring') return nothing;
  let text = fill(words.opening, { name });
  let [done, total] = [0, 0];
  if (status.kind === 'opening') {
    done = status.progress?.done ?? 0;
    total = status.progress?.total ?? 0;
  } else {
    const { step, done: runsDone, runs } = status.progress ?? { step: 'warmUp', done: 0, runs: allRuns };
    text = fill(words.steps[step], { number: runsDone + 1, runs });
    done = runsDone;
    total = step === 'run' || step === 'batch' ? runs : 0;
  }
  return html`
    <div class="progress" data-testid="progress">
      <div class="progress-text"><span>${text}</span></div>
      ${total > 0 ? html`<progress max=${total} .value=${done} aria-label=${text}></progress>` : html`<progress aria-label=${text}></progress>`}
    </div>`;
}

function failed({ failure }: Extract<BenchStatus, { kind: 'failed' }>): TemplateResult {
  return html`
    <div class="error" role="alert" data-testid="error" data-code=${failure.code}>
      <p class="error-sentence">${failure.message}</p>
      <p>${failure.remedy}</p>
      ${failure.detail ? html`<p class="error-detail">${failure.detail}</p>` : nothing}
    </div>`;
}

type Done = Extract<BenchStatus, { kind: 'done' }>;

function tables({ report, loadSeconds }: Done): TemplateResult {
  const stages = stageRows(report);
  return html`
    <h3>${words.figures}</h3>
    <table class="figures" data-testid="figures">
      <tbody>
        ${figureRows(report, loadSeconds).map(
          ([label, value, note]) => html`<tr><th scope="row">${label}</th><td>${value} ${note ? html`<span class="quiet-text">${note}</span>` : nothing}</td></tr>`,
        )}
      </tbody>
    </table>
    ${stages.length > 0
      ? html`
          <h3>${words.stages}</h3>
          <div class="scroller" tabindex="0" role="region" aria-label=${words.stages}>
            <table class="stages" data-testid="stages">
              <thead><tr>${words.stageColumns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
              <tbody>${stages.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
            </table>
          </div>
          <p class="quiet-text">${report.timestamps ? words.withTimestamps : words.withoutTimestamps}</p>`
      : nothing}`;
}

const SAID_MILLISECONDS = 1600;

function copyAsText({ report, loadSeconds }: Done): TemplateResult {
  const onClick = async (event: Event) => {
    const button = event.currentTarget as HTMLButtonElement;
    const copied = await copyText(reportText(report, loadSeconds, navigator.userAgent, new Date().toISOString()));
    button.textContent = copied ? words.copied : strings.notCopied;
    setTimeout(() => (button.textContent = words.copy), SAID_MILLISECONDS);
  };
  return html`<button type="button" class="button" data-testid="copy-text" .textContent=${words.copy} @click=${onClick}></button>`;
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`bench.html has no element #${id}`);
  return found;
}
