/** The figures of the running or last answer, with a plot of time per token against position: flat is the point of this model. */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import type uPlot from 'uplot';
import { fill, formatBytes, formatRate, formatSeconds } from '../../base/format';
import type { TokenTime } from '../answer-clock';
import type { ChatData } from '../chat-data';
import { chatStrings as words } from '../chat-strings';

const HEIGHT = 130;
/** From this part of the trained length on, the meter is seen while the panel is closed. */
const WORTH_SAYING = 0.5;
/** Redrawing the plot more often than this shows nothing more. */
const REDRAW_MILLISECONDS = 250;

export class FiguresPanel {
  #plot: uPlot | undefined;
  #drawn = 0;
  #open = false;
  #data: ChatData | undefined;

  constructor(private readonly container: HTMLDetailsElement) {
    container.addEventListener('toggle', () => {
      this.#open = container.open;
      if (this.#data) this.update(this.#data);
    });
    const redraw = () => {
      this.#clear();
      if (this.#data) this.update(this.#data);
    };
    new ResizeObserver(() => this.#plot && this.#plot.width !== this.#width && redraw()).observe(container);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  }

  update(data: ChatData): void {
    this.#data = data;
    const { status, chats, context } = data;
    const info = status.kind === 'ready' ? status.info : undefined;
    const { stats, times } = chats;
    const rate = stats?.rate ?? 0;
    const first = stats && stats.tokens > 0 ? formatSeconds(stats.firstToken) : '';
    const { position } = chats;
    const length = fill(words.positionOf, { position: position.toLocaleString('en'), context: context.toLocaleString('en') });
    const used = context > 0 ? position / context : 0;
    render(
      html`
        <summary data-testid="figures">
          <span class="figures-word">${words.figures}</span>
          <span class="live-figure" data-testid="live-length">${used >= WORTH_SAYING ? html`${meter(used)} ${fill(words.liveLength, { percent: percent(used) })}` : nothing}</span>
        </summary>
        <dl class="figure-list">
          ${figure('rate', words.rate, rate > 0 ? formatRate(rate) : '–')}
          ${figure('first', words.firstWord, first || '–')}
          ${figure('position', words.position, position > 0 ? html`${meter(used)} ${length}` : '–')}
          ${figure('state', words.state, info ? `${formatBytes(info.stateBytes)}, ${words.stateHint}` : '–')}
        </dl>
        <p class="hint">${times.length > 1 ? words.plot : words.plotEmpty}</p>
        <div class="plot" role="img" aria-label=${words.plot} data-testid="plot"></div>
        <p class="hint">${times.length > 1 ? words.plotHint : ''}</p>`,
      this.container,
    );
    if (this.#open) void this.#draw(times, data.answering);
  }

  async #draw(times: readonly TokenTime[], answering: boolean): Promise<void> {
    const now = performance.now();
    if (times.length < 2) this.#clear();
    if (times.length < 2 || (answering && now - this.#drawn < REDRAW_MILLISECONDS)) return;
    this.#drawn = now;
    const points: uPlot.AlignedData = [times.map(({ position }) => position), times.map(({ milliseconds }) => milliseconds)];
    if (this.#plot) {
      this.#plot.setData(points);
      return;
    }
    const Plot = await plotting();
    if (!Plot) return;
    const holder = this.container.querySelector<HTMLElement>('.plot');
    // While it was fetched, another answer may have come in place of this one.
    if (holder && !this.#plot && this.#data?.chats.times === times) this.#plot = new Plot(this.#options(), points, holder);
  }

  /** What was drawn was of another answer. */
  #clear(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#drawn = 0;
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => resolved(style.getPropertyValue(name));
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui' };
    return {
      width: this.#width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, most * 1.2] } },
      axes: [{ ...axis, size: 24 }, { ...axis, size: 40 }],
      series: [{}, { stroke: colour('--accent'), width: 1.5, points: { show: false } }],
    };
  }

  get #width(): number {
    return this.container.querySelector('.plot')?.clientWidth ?? 300;
  }
}

/** Undefined where it cannot be fetched: the figures stand for themselves. */
async function plotting(): Promise<typeof uPlot | undefined> {
  return import('uplot').then(({ default: Plot }) => Plot, () => undefined);
}

/** A canvas does not know `light-dark()`: the first of its colours is the light one. */
function resolved(value: string): string {
  const pair = /light-dark\(([^,]+),([^)]+)\)/.exec(value);
  if (!pair) return value.trim();
  return (matchMedia('(prefers-color-scheme: dark)').matches ? pair[2] : pair[1])?.trim() ?? '';
}

/** How far what the model was trained on at once is used. */
function meter(used: number): TemplateResult {
  return html`<meter class="length" min="0" max="1" high="0.9" .value=${Math.min(1, used)} aria-label=${words.position} aria-valuetext=${percent(used)}></meter>`;
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}

function figure(id: string, label: string, value: string | TemplateResult): TemplateResult {
  return html`<div><dt>${label}</dt><dd data-testid=${`figure-${id}`}>${value}</dd></div>`;
}
