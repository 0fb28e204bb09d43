/** Models are judged by the beginning of their file, in a real browser. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { GOLDEN_MODELS, GOLDEN_SPLIT, HARNESS } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

const site = new Site(HARNESS);
site.mount('/golden/', GOLDEN_MODELS);
site.mount('/split/', GOLDEN_SPLIT);
let page: Page;

withBrowser(site, {}, async (browser) => {
  page = await browser.newPage();
  await page.goto(site.url);
});

test.each(['webgpu', 'cpu'] as const)('a small model fits on %s, and its needs are what loading it takes', async (backend) => {
  const plan = await page.evaluate((backend) => window.harness.plan('golden/falcon-tiny-Q4_K_M.gguf', { backend }), backend);
  expect(plan).toMatchObject({ fits: true, device: { backend } });
  expect(plan.needs.total).toBe(plan.needs.weights + plan.needs.state + plan.needs.scratch);
  const info = await page.evaluate((backend) => window.harness.open('golden/falcon-tiny-Q4_K_M.gguf', { backend }), backend);
  // What is loaded has a few buffers more: logits for the host to read, the activations' second form.
  expect(info.memoryBytes / plan.needs.total).toBeGreaterThan(0.95);
  expect(info.memoryBytes / plan.needs.total).toBeLessThan(2);
  if (backend === 'webgpu') expect(plan.device.maxBinding).toBeGreaterThan(plan.needs.largestBinding);
  else expect(plan.device.memory).toBe(2 ** 32 - 1);
});

/** A header of `mamba` with these sizes, and an F32 embedding that exceeds 4 GiB, of so few channels that no workers can share it. */
function largeModel(architecture: string): number[] {
  const bytes: number[] = [];
  const number = (value: number, width: number) => {
    for (let i = 0; i < width; i += 1) bytes.push(Math.floor(value / 256 ** i) % 256);
  };
  const text = (value: string) => {
    number(value.length, 8);
    bytes.push(...Buffer.from(value));
  };
  const sizes = { block_count: 1, embedding_length: 8192, 'ssm.inner_size': 16, 'ssm.state_size': 16, 'ssm.conv_kernel': 4, 'ssm.time_step_rank': 32 };
  const tensors: [string, number[]][] = [
    ['token_embd.weight', [8192, 200_000]], ['output_norm.weight', [8192]], ['blk.0.attn_norm.weight', [8192]],
    ['blk.0.ssm_in.weight', [8192, 32]], ['blk.0.ssm_conv1d.weight', [4, 16]], ['blk.0.ssm_conv1d.bias', [16]],
    ['blk.0.ssm_x.weight', [16, 64]], ['blk.0.ssm_dt.weight', [32, 16]], ['blk.0.ssm_dt.bias', [16]],
    ['blk.0.ssm_a', [16, 16]], ['blk.0.ssm_d', [16]], ['blk.0.ssm_out.weight', [16, 8192]],
  ];
  bytes.push(...Buffer.from('GGUF'));
  number(3, 4);
  number(tensors.length, 8);
  number(2 + Object.keys(sizes).length, 8);
  text('general.architecture');
  number(8, 4);
  text(architecture);
  text('mamba.attention.layer_norm_rms_epsilon');
  number(6, 4);
  bytes.push(...Buffer.from(Float32Array.of(1e-5).buffer));
  for (const [key, value] of Object.entries(sizes)) {
    text(`mamba.${key}`);
    number(4, 4);
    number(value, 4);
  }
  let offset = 0;
  for (const [name, dims] of tensors) {
    text(name);
    number(dims.length, 4);
    dims.forEach((dim) => number(dim, 8));
    number(0, 4);
    number(offset, 8);
    offset += Math.ceil((4 * dims.reduce((product, dim) => product * dim, 1)) / 32) * 32;
  }
  return bytes;
}

test('a model that no workers can hold together is refused by a header of some hundred bytes, with the numbers', async () => {
  const judge = (bytes: number[]) => page.evaluate((bytes) => window.harness.checkHeader(bytes, 7e9, { backend: 'cpu' }), bytes);
  const refused = await judge(largeModel('mamba'));
  expect(refused?.code).toBe('out-of-memory');
  expect(refused?.detail).toMatch(/It needs 6[.]6 GB; CPU grants 4[.]3 GB/);
  expect(await judge(largeModel('llama'))).toMatchObject({ code: 'architecture' });
});

test('the first part of a split set is enough', async () => {
  const fits = await page.evaluate(() => window.harness.checkFits('split/mamba-tiny-Q4_0-00001-of-00003.gguf', { backend: 'cpu' }));
  expect(fits).toBeNull();
});
