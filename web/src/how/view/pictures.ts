/** The pictures: a state against a cache, and lines of speeds. Drawn in the colours of the page; lines differ by their dashes too. */
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit-html';
import { howStrings as words } from '../how-strings';
import type { RelativeSpeed } from '../relative-speed';

const [WORDS, STEP, LEFT, WORD_Y] = [6, 52, 34, 96];

/** Each word looks back at all before it; what is kept grows by a box with each. */
export function cachePicture(): TemplateResult {
  const at = (index: number) => LEFT + index * STEP;
  const looks = numbers(WORDS).flatMap((to) => numbers(to).map((from) => {
    const lift = 14 + (to - from) * 11;
    return svg`<path class="look" d="M${at(to)} ${WORD_Y - 12}C${at(to)} ${WORD_Y - 12 - lift} ${at(from)} ${WORD_Y - 12 - lift} ${at(from)} ${WORD_Y - 12}"/>`;
  }));
  const boxes = numbers(WORDS).flatMap((word) => numbers(word + 1).map((level) => svg`<rect class="box" x=${at(word) - 14} y=${WORD_Y + 22 + level * 13} width="28" height="10" rx="2"/>`));
  return picture(words.cacheAlt, words.cacheCaption, svg`${looks}${boxes}${spoken(at)}`);
}

/** One box of a fixed size, handed on. */
export function statePicture(): TemplateResult {
  const at = (index: number) => LEFT + index * STEP;
  const arrows = numbers(WORDS - 1).map((index) => svg`<path class="hand" d="M${at(index) + 16} ${WORD_Y + 42}h${STEP - 36}m-6 -5 6 5-6 5"/>`);
  const boxes = numbers(WORDS).map((index) => svg`
    <path class="look" d="M${at(index)} ${WORD_Y + 12}v12"/>
    <rect class="box filled" x=${at(index) - 14} y=${WORD_Y + 28} width="28" height="28" rx="4"/>`);
  return picture(words.stateAlt, words.stateCaption, svg`${arrows}${boxes}${spoken(at)}`);
}

function spoken(at: (index: number) => number): SVGTemplateResult[] {
  return numbers(WORDS).map((index) => svg`<rect class="word" x=${at(index) - 20} y=${WORD_Y - 9} width="40" height="18" rx="9"/><path class="letters" d="M${at(index) - 11} ${WORD_Y}h22"/>`);
}

function picture(alt: string, caption: string, drawing: SVGTemplateResult): TemplateResult {
  return html`
    <figure class="picture-figure">
      <svg viewBox="0 0 330 204" role="img" aria-label=${alt}>${drawing}</svg>
      <figcaption>${caption}</figcaption>
    </figure>`;
}

export interface Line {
  kind: 'here' | 'mamba' | 'transformer';
  points: readonly RelativeSpeed[];
}

const [WIDTH, HEIGHT] = [640, 300];
const FRAME = { left: 76, right: 12, top: 12, bottom: 44 };
const [FIRST, LAST] = [64, 16384];
const HIGHEST = 1.25;

/** Positions by doublings, since what slows a transformer is the length of the text. */
export function speedChart(lines: readonly Line[], alt: string): TemplateResult {
  const x = (position: number) => FRAME.left + (WIDTH - FRAME.left - FRAME.right) * (Math.log(Math.max(position, FIRST) / FIRST) / Math.log(LAST / FIRST));
  const y = (relative: number) => HEIGHT - FRAME.bottom - (HEIGHT - FRAME.top - FRAME.bottom) * (Math.min(relative, HIGHEST) / HIGHEST);
  const rows = [0, 0.25, 0.5, 0.75, 1].map((relative) => svg`
    <path class="grid" d="M${FRAME.left} ${y(relative)}H${WIDTH - FRAME.right}"/><text class="tick" x=${FRAME.left - 8} y=${y(relative) + 4} text-anchor="end">${Math.round(100 * relative)} %</text>`);
  const columns = [64, 256, 1024, 4096, 16384].map((position) => svg`
    <text class="tick" x=${x(position)} y=${HEIGHT - FRAME.bottom + 18} text-anchor=${position === LAST ? 'end' : 'middle'}>${position.toLocaleString('en')}</text>`);
  const drawn = lines.filter(({ points }) => points.length > 0).map(({ kind, points }) => svg`
    <polyline class=${`line ${kind}`} points=${points.map(({ position, relative }) => `${x(position).toFixed(1)},${y(relative).toFixed(1)}`).join(' ')}/>
    ${points.map(({ position, relative }) => svg`<circle class=${`dot ${kind}`} cx=${x(position).toFixed(1)} cy=${y(relative).toFixed(1)} r="3"/>`)}`);
  return html`
    <figure class="chart">
      <p class="tick-title">${words.flatAxis}</p>
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${alt} data-testid="chart">${rows}${columns}${drawn}</svg>
      <p class="tick-title end">${words.flatPositions}</p>
      <ul class="legend">${lines.filter(({ points }) => points.length > 0).map(({ kind }) => html`
        <li><svg viewBox="0 0 32 8" aria-hidden="true"><path class=${`line ${kind}`} d="M0 4H32"/></svg>${words.lines[kind]}</li>`)}</ul>
    </figure>`;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
