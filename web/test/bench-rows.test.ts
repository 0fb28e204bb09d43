import { expect, test } from 'vitest';
import type { BenchReport } from '../engine/src/protocol/protocol';
import { figureRows, reportText, stageRows } from '../src/bench/bench-rows';

const figure = (median: number) => ({ median, lowest: median - 1, highest: median + 1 });
const REPORT: BenchReport = {
  promptTokens: 256, genTokens: 64, runs: 5, sequences: 1, prefillTps: figure(400), decodeTps: figure(50), tokenMilliseconds: 20,
  bytesPerToken: 4e9, bandwidth: 4e11, boundTps: 100, percentOfBound: 50, dispatchesPerToken: 259, timestamps: true,
  decodeStages: [
    { name: 'ssm_in Q4_K + conv', kernel: 'in_project', stages: 64, milliseconds: 6.4, bytes: 2e9 },
    { name: 'embed', kernel: 'embed', stages: 1, milliseconds: 1.6, bytes: 0 },
  ],
  info: { name: 'm', backend: 'webgpu', adapter: 'a GPU', activations: 'q8', reason: 'r', memoryBytes: 4.2e9, selfTestMilliseconds: 99.6 } as BenchReport['info'],
};

test('the bound stands beside the figure', () => {
  const rows = new Map(figureRows(REPORT, 3.2).map(([label, value, note]) => [label, `${value}|${note}`]));
  expect(rows.get('Runs on')).toBe('WebGPU · a GPU|');
  expect(rows.get('Decode')).toBe('50 tokens/s|49 to 51');
  expect(rows.get('A token reads')).toBe('4.0 GB of weights, 200.0 GB/s|');
  expect(rows.get('This device reads')).toBe('400.0 GB/s|');
  expect(rows.get('Of that bound')).toBe('50.0 %|');
  expect(rows.get('Loading took')).toBe('3.20 s|of it, testing the GPU: 100 ms');
});

test('a CPU has no such rows', () => {
  const { bandwidth, boundTps, percentOfBound, dispatchesPerToken, ...rest } = REPORT;
  const labels = figureRows(rest, 1).map(([label]) => label);
  expect(labels).toContain('Decode');
  for (const label of ['This device reads', 'Of that bound', 'Dispatches a token']) expect(labels).not.toContain(label);
});

test('stages have a time each, a rate where they read weights, and a share', () => {
  expect(stageRows(REPORT)).toEqual([
    ['ssm_in Q4_K + conv', 'in_project', '64', '100.0', '312.5', '80 %'],
    ['embed', 'embed', '1', '1600.0', '', '20 %'],
  ]);
});

test('the text has it all', () => {
  const text = reportText(REPORT, 3.2, 'a browser', '2026-01-01');
  expect(text.split('\n').slice(0, 3)).toEqual(['web-mamba benchmark: m, 256 + 64 tokens, 5 runs', '2026-01-01', 'a browser']);
  expect(text).toContain('in_project');
  expect(text).toContain('Of that bound        50.0 %');
});
