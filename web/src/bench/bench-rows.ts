/** A benchmark's report as rows of text: the page's tables, and what is copied. */
import type { BenchReport } from 'web-mamba';
import { fill, formatBytes, formatRate, formatSeconds } from '../base/format';
import { benchStrings as words } from './bench-strings';

/** A label, its value, and what is said more quietly beside it. */
export type Row = [label: string, value: string, note: string];

export function figureRows(report: BenchReport, loadSeconds: number): Row[] {
  const { info, prefillTps, decodeTps, bandwidth, boundTps, percentOfBound, dispatchesPerToken } = report;
  const rate = (figure: BenchReport['decodeTps'], label: string): Row => [
    label,
    fill(words.rate, { median: formatRate(figure.median) }),
    fill(words.range, { lowest: formatRate(figure.lowest), highest: formatRate(figure.highest) }),
  ];
  const { bytesPerToken, tokenMilliseconds } = report;
  const readRate = formatBytes(bytesPerToken * decodeTps.median);
  const rows: Row[] = [
    [words.adapter, [info.backend === 'webgpu' ? 'WebGPU' : 'CPU', info.backend === 'webgpu' ? info.adapter : ''].filter(Boolean).join(' · '), ''],
    [words.reason, info.reason, ''],
    [words.activations, words.activationKinds[info.activations], ''],
    rate(prefillTps, words.prefill),
    rate(decodeTps, words.decode),
    [words.tokenTime, `${tokenMilliseconds.toFixed(tokenMilliseconds < 10 ? 2 : 1)} ms`, ''],
    [words.bytes, fill(words.readRate, { bytes: formatBytes(bytesPerToken), rate: readRate }), ''],
  ];
  if (bandwidth !== undefined && boundTps !== undefined && percentOfBound !== undefined) {
    rows.push(
      [words.bandwidth, fill(words.perSecond, { bytes: formatBytes(bandwidth) }), ''],
      [words.bound, fill(words.rate, { median: formatRate(boundTps) }), ''],
      [words.reached, `${percentOfBound.toFixed(1)} %`, ''],
    );
  }
  if (dispatchesPerToken !== undefined) rows.push([words.dispatches, String(dispatchesPerToken), '']);
  const selfTest = info.selfTestMilliseconds;
  rows.push(
    [words.load, formatSeconds(loadSeconds), selfTest === undefined ? '' : fill(words.selfTest, { time: Math.round(selfTest) })],
    [words.memory, formatBytes(info.memoryBytes), ''],
  );
  return rows;
}

/** One row a kind of stage, in the columns of `stageColumns`. */
export function stageRows({ decodeStages }: BenchReport): string[][] {
  const total = decodeStages.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return decodeStages.map(({ name, kernel, stages, milliseconds, bytes }) => [
    name,
    kernel,
    String(stages),
    ((1000 * milliseconds) / stages).toFixed(1),
    bytes > 0 && milliseconds > 0 ? (bytes / milliseconds / 1e6).toFixed(1) : '',
    total > 0 ? `${((100 * milliseconds) / total).toFixed(0)} %` : '',
  ]);
}

/** Everything as plain text, with the time and the browser. */
export function reportText(report: BenchReport, loadSeconds: number, browser: string, date: string): string {
  const figures = figureRows(report, loadSeconds).map(([label, value, note]) => `${label.padEnd(20)} ${value}${note ? ` (${note})` : ''}`);
  const stages = stageRows(report);
  const table = stages.length > 0 ? ['', ...aligned([[...words.stageColumns], ...stages]), report.timestamps ? words.withTimestamps : words.withoutTimestamps] : [];
  const asked = `${report.info.name}, ${report.promptTokens} + ${report.genTokens} tokens, ${report.runs} runs`;
  return [`web-mamba ${words.title.toLowerCase()}: ${asked}`, date, browser, '', ...figures, ...table].join('\n') + '\n';
}

function aligned(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd());
}
