/** The page that explains: pictures, a line that is measured here, the promise and how to check it, and figures. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { Emitter } from '../../base/emitter';
import { fill, formatRate } from '../../base/format';
import { strings } from '../../base/strings';
import { copyText } from '../../base/view/clipboard';
import { brandIcon } from '../../base/view/icons';
import type { HowData, HowStatus, HowView } from '../how-controller';
import { howStrings as words } from '../how-strings';
import { issueText } from '../issue-text';
import { recordedMamba, recordedRates, recordedTransformer } from '../recorded';
import { relativeTo, type RelativeSpeed } from '../relative-speed';
import { cachePicture, speedChart, statePicture } from './pictures';

const SAID_MILLISECONDS = 1600;
const transformer = relativeTo(recordedTransformer[0], recordedTransformer);
const mamba = relativeTo(recordedMamba[0], recordedMamba);

export class HowPage extends Emitter<{ measure: undefined }> implements HowView {
  #data: HowData | undefined;

  constructor() {
    super();
    // What was requested is counted while the visitor looks.
    if ('PerformanceObserver' in window) new PerformanceObserver(() => this.#data && this.update(this.#data)).observe({ type: 'resource' });
  }

  update(data: HowData): void {
    this.#data = data;
    const { name, chat, status } = data;
    render(html`<h1 class="brand">${brandIcon}<span class="brand-name">${strings.product}</span></h1><span></span><a class="bench-chat" href=${chat}>${words.chat}</a>`, element('header'));
    render(
      html`
        <div class="bench-column">
          <h2>${words.title}</h2>
          <p class="lead">${words.intro}</p>
          ${section('memory', words.memoryTitle, html`
            ${words.memory.map((text) => html`<p>${text}</p>`)}
            <div class="picture-pair">${cachePicture()} ${statePicture()}</div>
            <p class="quiet-text">${words.price}</p>`)}
          ${section('flat', words.flatTitle, this.#flat(name, status))}
          ${section('privacy', words.privacyTitle, html`
            <p>${words.privacy}</p>
            <h4>${words.checkTitle}</h4>
            <ol class="checks">${words.checks.map((text) => html`<li>${text}</li>`)}</ol>
            <p class="quiet-text" data-testid="requests">${requests()}</p>`)}
          ${section('figures', words.figuresTitle, figures(status))}
        </div>`,
      element('how'),
    );
  }

  #flat(name: string, status: HowStatus): TemplateResult {
    const busy = status.kind === 'opening' || status.kind === 'writing' || status.kind === 'timing';
    const line = 'line' in status ? status.line : [];
    const said = summary(line);
    return html`
      <p>${fill(words.flat, { name })}</p>
      ${speedChart([{ kind: 'here', points: line }, { kind: 'mamba', points: mamba }, { kind: 'transformer', points: transformer }], said || words.flatAxis)}
      <p class="bench-actions">
        <button type="button" class="button primary" data-testid="measure" ?disabled=${busy} @click=${() => this.emit('measure')}>${status.kind === 'done' ? words.again : words.measure}</button>
      </p>
      <p class="quiet-text" role="status" data-testid="how-status" data-kind=${status.kind}>${progress(name, status)}</p>
      ${status.kind === 'done' ? html`<p data-testid="flat-said">${said || words.short}</p>` : nothing}
      ${status.kind === 'failed'
        ? html`<div class="error" role="alert" data-testid="error" data-code=${status.failure.code}><p class="error-sentence">${status.failure.message}</p><p>${status.failure.remedy}</p></div>`
        : nothing}`;
  }
}

function section(id: string, title: string, content: TemplateResult): TemplateResult {
  return html`<section aria-labelledby=${`${id}-title`}><h3 id=${`${id}-title`}>${title}</h3>${content}</section>`;
}

function progress(name: string, status: HowStatus): string {
  if (status.kind === 'opening') return fill(words.opening, { name });
  if (status.kind === 'writing') return fill(words.writing, { tokens: status.tokens.toLocaleString('en'), total: status.total.toLocaleString('en') });
  return status.kind === 'timing' ? words.timing : '';
}

function summary(line: readonly RelativeSpeed[]): string {
  const [last, other] = [line.at(-1), transformer.at(-1)];
  if (!last || !other || line.length < 2) return '';
  const percent = (relative: number) => Math.round(100 * relative);
  return fill(words.said, {
    position: last.position.toLocaleString('en'), percent: percent(last.relative), other: percent(other.relative), otherPosition: other.position.toLocaleString('en'),
  });
}

function requests(): string {
  const all = performance.getEntriesByType('resource').map(({ name }) => new URL(name, location.href));
  const own = all.filter(({ origin, protocol }) => origin === location.origin || protocol === 'blob:').length;
  return fill(words.requests, { own, other: all.length - own });
}

function figures(status: HowStatus): TemplateResult {
  const done = status.kind === 'done' ? status : undefined;
  const here = done
    ? [fill(words.thisDevice, { name: done.report.info.name, backend: done.report.info.backend === 'webgpu' ? 'WebGPU' : 'CPU' }), formatRate(done.report.prefillTps.median), formatRate(done.report.decodeTps.median)]
    : [words.notMeasured, '–', '–'];
  const rows = [here, ...recordedRates.map(({ what, prefill, decode }) => [what, formatRate(prefill), formatRate(decode)])];
  return html`
    <p>${words.figures}</p>
    <table data-testid="rates">
      <thead><tr>${words.columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
      <tbody>${rows.map(([what, ...rates]) => html`<tr><th scope="row">${what}</th>${rates.map((rate) => html`<td>${rate}</td>`)}</tr>`)}</tbody>
    </table>
    ${done ? theIssue(done) : nothing}`;
}

function theIssue({ report, loadSeconds, line }: Extract<HowStatus, { kind: 'done' }>): TemplateResult {
  const text = issueText(report, loadSeconds, line, navigator.userAgent, new Date().toISOString().slice(0, 10));
  const onClick = async (event: Event) => {
    const button = event.currentTarget as HTMLButtonElement;
    button.textContent = (await copyText(text)) ? words.copied : strings.notCopied;
    setTimeout(() => (button.textContent = words.copy), SAID_MILLISECONDS);
  };
  return html`
    <h4>${words.issueTitle}</h4>
    <p>${words.issue}</p>
    <details><summary>${words.show}</summary><pre class="issue" tabindex="0" data-testid="issue-text">${text}</pre></details>
    <p class="bench-actions"><button type="button" class="button" data-testid="copy-issue" .textContent=${words.copy} @click=${onClick}></button></p>`;
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`how.html has no element #${id}`);
  return found;
}
