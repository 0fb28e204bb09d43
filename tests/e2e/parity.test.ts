/**
 * Whole models in the browser against values that another implementation made (`tests/golden/logits`): the logits after
 * each prompt and 64 greedy tokens, on WebGPU and on the CPU, for every file.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from './browser';
import { GOLDEN_LOGITS, GOLDEN_MODELS, HARNESS } from './folders';
import { Site } from './site';

/** f32 sums in another order differ by about 5e-5 on these models; a wrong kernel by more than 1e-2. */
const TOLERANCE = 2e-4;

interface Golden {
  file: string;
  n_vocab: number;
  cases: { prompt: string; ids: number[]; hf: { greedy64: number[]; greedy_margin: number[]; full_logits_f32le_b64: Record<string, string> } }[];
}

const goldens = readdirSync(GOLDEN_LOGITS)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(path.join(GOLDEN_LOGITS, name), 'utf8')) as Golden);

/** The reference's logits after the last token of a prompt. */
function lastLogits(all: Record<string, string>, length: number): Float32Array {
  const bytes = Buffer.from(all[length - 1] ?? '', 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  await site.start();
  browser = await openBrowser();
  page = await browser.newPage();
  await page.goto(site.url);
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

describe.each(['cpu', 'webgpu'] as const)('on %s', (backend) => {
  test.each(goldens)('$file', async ({ file, n_vocab, cases }) => {
    const info = await page.evaluate(([url, backend]) => window.harness.open(url, backend), [`golden/${file}`, backend] as const);
    expect(info).toMatchObject({ backend, vocabSize: n_vocab });
    let worst = 0;
    for (const { prompt, ids, hf } of cases) {
      expect(await page.evaluate((text) => window.harness.tokenize(text), prompt)).toEqual(ids);
      const logits = await page.evaluate((tokens) => window.harness.logits(tokens), ids);
      const error = Math.max(...lastLogits(hf.full_logits_f32le_b64, ids.length).map((value, index) => Math.abs(value - (logits[index] ?? NaN))));
      worst = Math.max(worst, error);
      expect(error, `${file}: ${prompt}`).toBeLessThanOrEqual(TOLERANCE);
      const greedy = await page.evaluate((tokens) => window.harness.generate(tokens, { temperature: 0, maxTokens: 64, ignoreEos: true }), ids);
      const differs = hf.greedy64.findIndex((id, step) => id !== greedy[step]);
      // Where the reference's two best are closer than the error, either may win; from there on the texts are different ones.
      if (differs >= 0) expect(hf.greedy_margin[differs], `${file}: ${prompt}: step ${differs}`).toBeLessThan(error);
      else expect(greedy).toEqual(hf.greedy64);
    }
    console.log(`${backend} ${file}: max |difference| ${worst.toExponential(2)} over ${cases.length} prompts`);
  });
});
