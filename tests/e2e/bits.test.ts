/**
 * The CPU's logits with 8-bit activations, bit for bit those of every native instruction set (`crate/tests/it/golden_bits.rs`), from both
 * builds of the engine.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { xxhash128 } from 'hash-wasm';
import type { BrowserContext } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { GOLDEN_LOGITS, GOLDEN_MODELS, HARNESS } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

const recorded = JSON.parse(readFileSync(path.join(GOLDEN_LOGITS, '../bits.json'), 'utf8')) as Record<string, string[]>;
const prompts = readdirSync(GOLDEN_LOGITS).map((name) => JSON.parse(readFileSync(path.join(GOLDEN_LOGITS, name), 'utf8')) as { file: string; cases: { ids: number[] }[] });

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
let browser: BrowserContext;

withBrowser(site, { webgpu: false }, (opened) => (browser = opened));

// A browser without relaxed SIMD says that the module which asks for it is none.
describe.each([['relaxed-simd', ''], ['simd128', 'WebAssembly.validate = () => false;']])('%s', (instructions, script) => {
  test.each(prompts)('$file', async ({ file, cases }) => {
    const page = await browser.newPage();
    await page.route('**/*worker*.js', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${script}\n${await response.text()}` });
    });
    await page.goto(site.url);
    const info = await page.evaluate((url) => window.harness.open(url, { backend: 'cpu', activations: 'q8', workers: { count: 1 } }), `golden/${file}`);
    expect(info.adapter).toContain(instructions);
    const found = [];
    for (const { ids } of cases) {
      const logits = await page.evaluate((tokens) => window.harness.logits(tokens), ids);
      found.push(await xxhash128(new Uint8Array(Float32Array.from(logits).buffer)));
    }
    expect(found).toEqual(recorded[file]);
    await page.close();
  });
});
