/** The page that explains: its recorded figures are the recorded ones, lines are relative to their own first tokens, and nothing begins unasked. */
import { readFileSync } from 'node:fs';
import type { BenchReport, ModelInfo } from 'web-mamba';
import { expect, test, vi } from 'vitest';
import { HowController, type HowData } from '../src/how/how-controller';
import { issueText } from '../src/how/issue-text';
import { recordedMamba, recordedRates, recordedTransformer } from '../src/how/recorded';
import { relativeSpeeds, relativeTo } from '../src/how/relative-speed';

interface Row {
  table: string;
  row?: string | number;
  values?: Record<string, number>;
}

const rows = readFileSync(new URL('../../tests/record/figures.jsonl', import.meta.url), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Row);
const value = (table: string, row: string | number, name: string) => rows.find((each) => each.table === table && each.row === row)?.values?.[name];

test('what is called measured is what was recorded', () => {
  for (const { position, tokensPerSecond } of recordedTransformer) expect(value('positions', position, 'wllama, transformer')).toBe(tokensPerSecond);
  for (const { position, tokensPerSecond } of recordedMamba) expect(value('positions', position, 'web-mamba, mamba-130m')).toBe(tokensPerSecond);
  for (const { what, prefill, decode } of recordedRates) {
    expect([value('page-prefill', what, 'web-mamba'), value('page-decode', what, 'web-mamba')]).toEqual([prefill, decode]);
  }
});

test('a line is relative to its own first tokens, and single slow tokens do not bend it', () => {
  const flat = Array.from({ length: 1000 }, (_, index) => (index % 5 < 3 ? 40 + index % 7 : 10));
  const line = relativeSpeeds(flat);
  expect(line.length).toBeGreaterThan(6);
  expect(line.every(({ relative }) => relative === 1)).toBe(true);
  expect(line[0]?.position).toBe(64);
  const growing = relativeSpeeds(Array.from({ length: 1000 }, (_, index) => 10 + index));
  expect(growing.at(-1)?.relative).toBeLessThan(0.1);
  expect(relativeSpeeds([1, 2, 3])).toEqual([]);
  expect(relativeSpeeds(Array<number>(100).fill(0))).toEqual([]);
  expect(relativeTo(recordedTransformer[0], recordedTransformer).map(({ relative }) => Math.round(100 * relative))).toEqual([100, 31, 10]);
  expect(relativeTo(undefined, recordedMamba)).toEqual([]);
});

const info = { name: 'demo', backend: 'cpu', reason: '', activations: 'q8', memoryBytes: 1e6 } as unknown as ModelInfo;
const rate = { median: 100, lowest: 90, highest: 110 };
const report = {
  info, prefillTps: rate, decodeTps: rate, promptTokens: 128, genTokens: 32, runs: 3, bytesPerToken: 1e6, tokenMilliseconds: 10, decodeStages: [], timestamps: false,
} as unknown as BenchReport;

function setUp(model: string | null = null, stored: { url: string; complete: boolean }[] = []) {
  const shown: HowData[] = [];
  let measure: () => void = () => undefined;
  const engine = {
    open: vi.fn(async () => ({ info })), stored: vi.fn(async () => stored), stop: vi.fn(async () => undefined), bench: vi.fn(async () => report),
    generate: vi.fn(async (_prompt: unknown, _options: unknown, onEvent: (event: { type: string; milliseconds: number; text: string }) => void) => {
      for (let token = 0; token < 200; token += 1) onEvent({ type: 'token', milliseconds: 5, text: 'a' });
    }),
  };
  const make = vi.fn(() => engine);
  new HowController({ update: (data) => shown.push(data), on: (_, listener) => (measure = listener) }, make as never, { base: 'http://page/', model, device: {} }).start();
  return { shown, engine, make, press: async () => {
    measure();
    await vi.waitFor(() => expect(shown.at(-1)?.status.kind).toMatch(/done|failed/));
  } };
}

test('no engine begins before the visitor asks; then there is a line, and figures', async () => {
  const { shown, make, press } = setUp();
  expect([shown.map(({ status }) => status.kind), make.mock.calls.length]).toEqual([['idle'], 0]);
  await press();
  expect(shown.at(-1)?.status).toMatchObject({ kind: 'done', report, line: [{ position: 64, relative: 1 }, { relative: 1 }, { relative: 1 }, { relative: 1 }] });
  await press();
  expect(make).toHaveBeenCalledTimes(1);
});

test('of the address, only a model that is kept here is measured: a link makes nothing be fetched', async () => {
  const url = 'https://models.example/m.gguf';
  const elsewhere = setUp(url);
  await elsewhere.press();
  expect(elsewhere.engine.open).toHaveBeenCalledWith(expect.objectContaining({ urls: [expect.stringMatching(/^http:\/\/page\/models\//) as string] }), {}, expect.anything());
  const kept = setUp(url, [{ url, complete: true }]);
  await kept.press();
  expect(kept.engine.open).toHaveBeenCalledWith(expect.objectContaining({ urls: [url] }), {}, expect.anything());
});

test('what fails is said', async () => {
  const { shown, engine, press } = setUp();
  engine.open.mockRejectedValueOnce(new Error('broken'));
  await press();
  expect(shown.at(-1)?.status).toMatchObject({ kind: 'failed', failure: { detail: expect.stringContaining('broken') as string } });
});

test('the text of an issue has the figures, the browser and the line, and nothing else to fill in', () => {
  const text = issueText(report, 1.5, [{ position: 64, relative: 1 }, { position: 91, relative: 0.987 }], 'Browser/1', '2026-11-27');
  expect(text).toMatch(/^### Benchmark of demo\n\n```\nweb-mamba benchmark: demo, 128 \+ 32 tokens, 3 runs\n2026-11-27\nBrowser\/1\n/);
  expect(text).toContain('64: 1.00, 91: 0.99');
  expect(text).not.toMatch(/[{}]|undefined/);
});
