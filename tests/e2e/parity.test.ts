/**
 * Whole models in the browser against values that another implementation made (`tests/golden/logits`): the logits after
 * each prompt and 64 greedy tokens, on WebGPU and on the CPU, for every file.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { DeviceOptions } from '../../web/engine/src/protocol/protocol';
import { EVERY_ROUND } from './every-round';
import { GOLDEN_LOGITS, GOLDEN_MODELS, HARNESS } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

/** f32 sums in another order differ by about 5e-5 on these models; a wrong kernel by more than 1e-2. */
const TOLERANCE = 2e-4;

interface Reference {
  greedy64: number[];
  greedy_margin: number[];
  full_logits_f32le_b64: Record<string, string>;
}

interface Case {
  prompt: string;
  ids: number[];
  /** Of transformers. */
  hf?: Reference;
  max_abs_diff_llama_hf?: number;
  /** Of a forward pass in f64. */
  reference?: Reference;
  max_abs_diff_llama_reference?: number;
}

interface Golden {
  file: string;
  n_vocab: number;
  cases: Case[];
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

withBrowser(site, {}, async (opened) => {
  browser = opened;
  page = await browser.newPage();
  await page.goto(site.url);
});

interface Variant {
  device: DeviceOptions;
  files: RegExp;
  /** Tokens of each greedy answer that are compared. */
  greedy: number;
  /** Tokens of the longest prompt. */
  prompt: number;
}

/** The kernels for hardware are slow on a software adapter, where a barrier is a switch of threads: one file, the short prompts. */
const HARDWARE = { files: /falcon-tiny-Q4_K_M/, greedy: 2, prompt: 4 };
const ALL = { files: /./, greedy: 64, prompt: Infinity };
const GPU = { backend: 'webgpu', activations: 'f32' } as const;
/** The longest prompts, and many tokens. */
const WHOLE = EVERY_ROUND ? /tiny-(Q4_K_M|F32)|rwkv7-a-F32/ : /falcon-tiny-Q4_K_M|rwkv7-a-F32/;
/** Of each kind of types, plain and quantised, and of low-rank pairs, one. */
const PART = EVERY_ROUND ? /./ : /mamba-tiny-F16|falcon-tiny-Q5_K_M|rwkv7-(a-Q8_0-conv|b-Q4_K_M-f16src)/;
const ROUNDED = EVERY_ROUND ? /tiny-(Q4_K_M|Q8_0)|rwkv7-b-Q4_K_M-f16src/ : /falcon-tiny-Q8_0|rwkv7-b-Q4_K_M-f16src/;
const variants: Record<string, Variant> = {
  cpu: { device: { backend: 'cpu', activations: 'f32' }, ...ALL },
  webgpu: { device: GPU, ...ALL, files: WHOLE, greedy: EVERY_ROUND ? 64 : 24 },
  'webgpu, other files': { device: GPU, files: new RegExp(`^(?!.*(${WHOLE.source})).*(${PART.source})`), greedy: EVERY_ROUND ? 8 : 4, prompt: EVERY_ROUND ? 69 : 40 },
  'webgpu, kernels for hardware': { device: { ...GPU, gpu: { software: false } }, ...HARDWARE },
  'webgpu, kernels for hardware without subgroups': {
    device: { ...GPU, gpu: { software: false, defaultLimits: true } }, ...HARDWARE,
  },
  'webgpu, 8-bit activations': { device: { ...GPU, activations: 'q8' }, ...ALL, files: ROUNDED, greedy: EVERY_ROUND ? 32 : 8, prompt: EVERY_ROUND ? Infinity : 69 },
  // Every other quantised type, and the other sizes of these models.
  'webgpu, 8-bit activations, RWKV-7': {
    device: { ...GPU, activations: 'q8' }, files: EVERY_ROUND ? /rwkv7-(?!a-F|b-Q4_K_M-f16src)/ : /rwkv7-c-Q8_0/, greedy: 2, prompt: 16,
  },
};

describe.each(Object.entries(variants))('on %s', (name, { device, files, greedy: count, prompt: longest }) => {
  test.each(goldens.filter(({ file }) => files.test(file)))('$file', async ({ file, n_vocab, cases }) => {
    const info = await page.evaluate(([url, device]) => window.harness.open(url, device), [`golden/${file}`, device] as const);
    expect(info).toMatchObject({ backend: device.backend, activations: device.activations, vocabSize: n_vocab });
    // Loading on hardware begins with the test of its kernels.
    expect(info.selfTestMilliseconds !== undefined).toBe(device.gpu?.software === false);
    let worst = 0;
    const rounded = device.activations === 'q8';
    const short = cases.filter(({ ids }) => ids.length <= longest);
    for (const { prompt, ids, hf, reference = hf, max_abs_diff_llama_hf, max_abs_diff_llama_reference: llama = max_abs_diff_llama_hf } of short) {
      if (!reference || llama === undefined) throw new Error(`${file} has no reference for ${prompt}`);
      // With 8-bit activations: no farther from the exact logits than llama.cpp, which rounds activations to 8 bits too.
      const tolerance = rounded ? llama : TOLERANCE;
      expect(await page.evaluate((text) => window.harness.tokenize(text), prompt)).toEqual(ids);
      const logits = await page.evaluate((tokens) => window.harness.logits(tokens), ids);
      const error = Math.max(...lastLogits(reference.full_logits_f32le_b64, ids.length).map((value, index) => Math.abs(value - (logits[index] ?? NaN))));
      worst = Math.max(worst, error);
      expect(error, `${file}: ${prompt}`).toBeLessThanOrEqual(tolerance);
      const greedy = await page.evaluate(
        ([tokens, maxTokens]) => window.harness.generate(tokens, { temperature: 0, maxTokens, ignoreEos: true }), [ids, count] as const,
      );
      const right = reference.greedy64.slice(0, count);
      const differs = right.findIndex((id, step) => id !== greedy[step]);
      // Where the reference's two best are closer than the error, either may win; from there on the texts are different ones.
      // Later steps may be off by more than the prompt's last one where activations are rounded, and both of the two best are.
      const excused = rounded ? 2 * tolerance : error;
      if (differs >= 0) expect(reference.greedy_margin[differs], `${file}: ${prompt}: step ${differs}`).toBeLessThan(excused);
      else expect(greedy).toEqual(right);
    }
    const selfTest = info.selfTestMilliseconds === undefined ? '' : `, self-test ${Math.round(info.selfTestMilliseconds)} ms`;
    console.log(`${name}, ${file}: max |difference| ${worst.toExponential(2)} over ${short.length} prompts${selfTest}`);
  });
});

/** wgpu does not know the feature on the web: `web.js` asks for it. */
test('subgroups and packed products are what the adapter offers', async () => {
  const offered = await page.evaluate(async () => ({
    subgroups: (await navigator.gpu.requestAdapter())?.features.has('subgroups'),
    packedProducts: navigator.gpu.wgslLanguageFeatures.has('packed_4x8_integer_dot_product'),
  }));
  expect(offered).toEqual({ subgroups: true, packedProducts: true });
  const granted = async (gpu: DeviceOptions['gpu']) =>
    (await page.evaluate(([url, gpu]) => window.harness.plan(url, { backend: 'webgpu', ...(gpu ? { gpu } : {}) }), ['golden/falcon-tiny-F32.gguf', gpu] as const)).device;
  expect((await granted({}))).toMatchObject({ packedProducts: true, subgroup: 4 });
  expect((await granted({ defaultLimits: true })).subgroup).toBe(1);
});

/** A page whose workers run `script` before their own. */
async function pageWith(script: string): Promise<Page> {
  const page = await browser.newPage();
  await page.route('**/*worker*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
  await page.goto(site.url);
  return page;
}

test('pipelines are made while weights are uploaded, and none holds the uploads back', async () => {
  const watched = await pageWith(`{
    const log = new BroadcastChannel('gpu-log');
    const device = GPUDevice.prototype;
    for (const name of ['createComputePipeline', 'createComputePipelineAsync']) {
      const original = device[name];
      device[name] = function (...given) {
        log.postMessage(name);
        const made = original.apply(this, given);
        if (made instanceof Promise) made.then(() => log.postMessage('made'));
        return made;
      };
    }
    const { writeBuffer } = GPUQueue.prototype;
    GPUQueue.prototype.writeBuffer = function (buffer, ...given) {
      if (buffer.label.includes('ssm_in')) log.postMessage('weight');
      return writeBuffer.call(this, buffer, ...given);
    };
  }`);
  const events = await watched.evaluate(async (url) => {
    const events: string[] = [];
    new BroadcastChannel('gpu-log').onmessage = ({ data }) => events.push(data as string);
    await window.harness.open(url, { backend: 'webgpu' });
    return events;
  }, 'golden/falcon-tiny-Q4_K_M.gguf');
  const count = (name: string) => events.filter((event) => event === name).length;
  expect(count('createComputePipeline')).toBe(0);
  expect(count('createComputePipelineAsync')).toBeGreaterThan(5);
  expect(count('made')).toBe(count('createComputePipelineAsync'));
  expect(count('weight')).toBeGreaterThan(0);
  expect(events.lastIndexOf('weight')).toBeLessThan(events.lastIndexOf('made'));
  await watched.close();
});

test('a browser that cannot multiply packed bytes uses f32, and refuses 8 bits', async () => {
  const old = await pageWith("Object.defineProperty(navigator.gpu, 'wgslLanguageFeatures', { value: new Set() });");
  const open = (activations?: 'q8') => old.evaluate(
    ([url, activations]) => window.harness.open(url, { backend: 'webgpu', gpu: { software: false }, ...(activations ? { activations } : {}) }).then(
      (info) => info.activations as string, (error: { code: string }) => error.code),
    ['golden/falcon-tiny-Q4_0.gguf', activations] as const,
  );
  expect(await open()).toBe('f32');
  expect(await open('q8')).toBe('invalid-option');
  await old.close();
});
