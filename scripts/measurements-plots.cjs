/** The plots of docs/measurements.md: SVG, readable on a light and on a dark page. */

const COLOURS = { light: ['#2f6db3', '#d1812a', '#3f9a63', '#8a5bb0'], dark: ['#6ea8e8', '#e8a659', '#6cc48d', '#b992dc'] };
const WIDTH = 820;

const escaped = (text) => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
const number = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 1 });
const text = (x, y, content, kind, anchor = 'start') => `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;

function picture(height, title, body) {
  const colours = (list) => list.map((colour, at) => `--c${at}:${colour}`).join(';');
  const style = [
    `svg{--bg:#fff;--ink:#1b2430;--soft:#5a6675;--grid:#dfe4ea;${colours(COLOURS.light)}}`,
    `@media (prefers-color-scheme:dark){svg{--bg:#12161c;--ink:#e8edf3;--soft:#9fabba;--grid:#303947;${colours(COLOURS.dark)}}}`,
    'text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-size:12px;fill:var(--ink)}',
    '.bg{fill:var(--bg)}.soft{fill:var(--soft)}.grid{stroke:var(--grid)}.line{fill:none;stroke-width:2}',
    ...COLOURS.light.map((_, at) => `.f${at}{fill:var(--c${at})}.s${at}{stroke:var(--c${at})}`),
  ].join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>
${style}
</style>
<rect class="bg" width="${WIDTH}" height="${height}" rx="8"/>
${body.join('\n')}
</svg>
`;
}

function legend(columns, y) {
  let x = 16;
  return columns.flatMap((column, at) => {
    const parts = [`<rect class="f${at}" x="${x}" y="${y - 10}" width="12" height="12" rx="2"/>`, text(x + 18, y, column, 'name')];
    x += 44 + 7 * column.length;
    return parts;
  });
}

/** 1, 2 or 5 times a power of ten, so that about four of them reach `most`. */
function tick(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => most / step <= 5);
}

/** Where values lie between 0 and 1, and at which of them a line is drawn. */
function scale(values, log) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (!log) {
    const step = tick(most);
    const end = Math.ceil(most / step) * step;
    return { place: (value) => value / end, ticks: Array.from({ length: Math.round(end / step) + 1 }, (_, at) => at * step) };
  }
  const [begin, end] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  return { place: (value) => (Math.log10(value) - begin) / (end - begin), ticks: Array.from({ length: end - begin + 1 }, (_, at) => 10 ** (begin + at)) };
}

/** A group of bars a row, a colour a column. */
exports.bars = ({ title, unit, columns, rows, log }) => {
  const [left, right, top, bar, gap] = [Math.max(...rows.map(({ row }) => 7 * String(row).length)) + 28, WIDTH - 70, 52, 15, 10];
  const { place, ticks } = scale(rows.flatMap(({ values }) => Object.values(values)), log);
  const x = (value) => left + place(value) * (right - left);
  const body = legend(columns, 24);
  let y = top;
  const groups = rows.flatMap(({ row, values }) => {
    const own = columns.filter((column) => column in values);
    const drawn = own.flatMap((column, at) => {
      const [from, end] = [y + at * bar, x(values[column])];
      return [
        `<rect class="f${columns.indexOf(column)}" x="${left}" y="${from}" width="${(end - left).toFixed(1)}" height="${bar - 3}" rx="2"/>`,
        text((end + 6).toFixed(1), from + bar - 5, number(values[column]), 'soft'),
      ];
    });
    const name = text(left - 8, y + (own.length * bar) / 2 + 2, row, 'name', 'end');
    y += own.length * bar + gap;
    return [name, ...drawn];
  });
  const grid = ticks.flatMap((value) => [
    `<line class="grid" x1="${x(value).toFixed(1)}" x2="${x(value).toFixed(1)}" y1="${top - 6}" y2="${y}"/>`,
    text(x(value).toFixed(1), y + 16, number(value), 'soft', 'middle'),
  ]);
  return picture(y + 44, title, [...body, ...grid, text(right, y + 34, unit + (log ? ', logarithmic' : ''), 'soft', 'end'), ...groups]);
};

/** A line a column over rows that are numbers, which lie on a logarithmic axis. */
exports.lines = ({ title, unit, columns, rows }) => {
  const [left, right, top, bottom] = [64, WIDTH - 70, 52, 290];
  const across = scale(rows.map(({ row }) => row), true);
  const up = scale(rows.flatMap(({ values }) => Object.values(values)), false);
  const x = (value) => (left + across.place(value) * (right - left)).toFixed(1);
  const y = (value) => (bottom - up.place(value) * (bottom - top)).toFixed(1);
  const grid = [
    ...up.ticks.flatMap((value) => [`<line class="grid" x1="${left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>`, text(left - 8, Number(y(value)) + 4, number(value), 'soft', 'end')]),
    ...across.ticks.flatMap((value) => [`<line class="grid" x1="${x(value)}" x2="${x(value)}" y1="${top}" y2="${bottom}"/>`, text(x(value), bottom + 18, number(value), 'soft', 'middle')]),
  ];
  const drawn = columns.flatMap((column, at) => {
    const points = rows.filter(({ values }) => column in values).map(({ row, values }) => [x(row), y(values[column]), values[column]]);
    return [
      `<polyline class="line s${at}" points="${points.map(([px, py]) => `${px},${py}`).join(' ')}"/>`,
      ...points.flatMap(([px, py, value]) => [`<circle class="f${at}" cx="${px}" cy="${py}" r="4"/>`, text(px, Number(py) - 9, number(value), 'soft', 'middle')]),
    ];
  });
  return picture(bottom + 50, title, [...legend(columns, 24), ...grid, text(left, top - 8, unit, 'soft'), text(right, bottom + 38, 'position, logarithmic', 'soft', 'end'), ...drawn]);
};
