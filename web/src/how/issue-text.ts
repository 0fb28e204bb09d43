/** A measurement as the text of an issue, for those who want to tell it. */
import type { BenchReport } from 'web-mamba';
import { fill } from '../base/format';
import { reportText } from '../bench/bench-rows';
import { howStrings as words } from './how-strings';
import type { RelativeSpeed } from './relative-speed';

export function issueText(report: BenchReport, loadSeconds: number, line: readonly RelativeSpeed[], browser: string, date: string): string {
  return fill(words.issueText, {
    name: report.info.name,
    report: reportText(report, loadSeconds, browser, date),
    line: line.map(({ position, relative }) => `${position}: ${relative.toFixed(2)}`).join(', ') || '–',
  });
}
