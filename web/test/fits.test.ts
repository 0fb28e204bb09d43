/** The page's list of models and the header of a file are judged by one rule, the engine's: with the real wasm package. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { initSync, judgeFit, planModel, type ByteSource, type DeviceLimits, type ModelRequirements } from '../engine/pkg/web_mamba.js';
import { catalogue } from '../src/models/catalogue';

const here = import.meta.dirname;
const GOLDEN = path.join(here, '../../tests/golden/models');
const GiB = 1024 ** 3;
const [demo] = catalogue;
const DEMO = path.join(here, '../public', demo?.urls?.[0] ?? '');

beforeAll(() => void initSync({ module: readFileSync(path.join(here, '../engine/pkg/web_mamba_bg.wasm')) }));

function source(file: string): ByteSource {
  const bytes = new Uint8Array(readFileSync(file));
  return { name: 'model', length: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) };
}

test('the figures of the catalogue are those of the header, where the file is here', async () => {
  const { requirements } = await planModel([source(DEMO)], { backend: 'cpu' });
  expect({ memory: demo?.memory, largestBinding: demo?.largestBinding, ranks: demo?.ranks }).toEqual(requirements);
});

test.each([DEMO, ...readdirSync(GOLDEN).filter((name) => name.endsWith('.gguf')).map((name) => path.join(GOLDEN, name))])('%s is judged alike by its header and by its numbers', async (file) => {
  const { requirements } = await planModel([source(file)], { backend: 'cpu' });
  const { memory: needed } = requirements;
  const memories = [needed - 1, needed, Math.ceil(needed / 3) * 4 - 8, Math.ceil(needed / 3) * 4 + 8, 8 * GiB];
  for (const memory of [undefined, ...memories.flatMap((bytes) => [{ bytes }, { bytes, atLeast: true }])]) {
    const plan = await planModel([source(file)], { backend: 'cpu', ...(memory ? { memory } : {}) });
    const verdict = judgeFit(requirements, { workers: 1, ...(memory ? { memory } : {}) });
    expect({ fits: plan.fits, doubts: plan.doubts }).toEqual({ fits: verdict.fits, doubts: verdict.doubts });
    expect(plan.problem?.limit).toBe(verdict.problem?.code);
    if (!memory) expect(plan.doubts).toEqual([{ code: 'memory-unknown', needed }]);
    if (!plan.fits) expect(plan.problem).toMatchObject({ code: 'out-of-memory', needed, available: memory?.bytes });
  }
});

const MODEL: ModelRequirements = { memory: 4.4e9, largestBinding: 36e6, ranks: 2 };
const GPU = { maxBuffer: 4 * GiB, maxBinding: 2 * GiB };
const DEVICE: DeviceLimits = { gpu: GPU, workers: 8, memory: { bytes: 8 * GiB, atLeast: true } };

test('a verdict is data: codes with numbers', () => {
  expect(judgeFit(MODEL, DEVICE)).toEqual({ fits: true, backend: 'gpu', doubts: [] });
  expect(judgeFit(MODEL, { workers: 8 })).toEqual({
    fits: true, backend: 'cpu', doubts: [{ code: 'memory-unknown', needed: 4.4e9 }, { code: 'slow', needed: 4.4e9, available: 2 ** 32 - 1 }],
  });
  expect(judgeFit(MODEL, { ...DEVICE, gpu: { ...GPU, maxBinding: 1e6 }, workers: 1 })).toEqual({
    fits: false, backend: 'gpu', problem: { code: 'gpu-binding', needed: 36e6, available: 1e6 }, doubts: [],
  });
  expect(judgeFit(MODEL, { workers: 1 })).toEqual({ fits: false, backend: 'cpu', problem: { code: 'no-gpu', needed: 4.4e9, available: 2 ** 32 - 1 }, doubts: [] });
});

/** What a caller without types may pass. */
const untyped = judgeFit as (...given: unknown[]) => unknown;

test.each([
  ['nothing', [], 'requirements'],
  ['a number for a model', [7, DEVICE], 'requirements'],
  ['a model without its memory', [{ ...MODEL, memory: undefined }, DEVICE], 'requirements.memory'],
  ['a model of a fraction of a byte', [{ ...MODEL, memory: 0.5 }, DEVICE], 'requirements.memory'],
  ['a binding that is NaN', [{ ...MODEL, largestBinding: NaN }, DEVICE], 'requirements.largestBinding'],
  ['ranks below nothing', [{ ...MODEL, ranks: -1 }, DEVICE], 'requirements.ranks'],
  ['no device', [MODEL], 'limits'],
  ['a device without workers', [MODEL, {}], 'limits.workers'],
  ['a GPU without its buffer', [MODEL, { ...DEVICE, gpu: { maxBinding: 1 } }], 'limits.gpu.maxBuffer'],
  ['a GPU that is a text', [MODEL, { ...DEVICE, gpu: 'nvidia' }], 'limits.gpu'],
  ['memory as a number', [MODEL, { ...DEVICE, memory: 8 }], 'limits.memory'],
  ['memory without bytes', [MODEL, { ...DEVICE, memory: { atLeast: true } }], 'limits.memory.bytes'],
  ['a text for a flag', [MODEL, { ...DEVICE, memory: { bytes: 8, atLeast: 'yes' } }], 'limits.memory.atLeast'],
])('%s is refused by its place', (_, given, argument) => {
  expect(() => untyped(...given)).toThrow(expect.objectContaining({ code: 'invalid-request', argument }) as Error);
});

test('numbers at their ends are taken', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const verdict = judgeFit({ memory: most, largestBinding: most, ranks: 2 ** 32 - 1 }, { gpu: { maxBuffer: 0, maxBinding: 0 }, workers: 2 ** 32 - 1, memory: { bytes: 0 } });
  expect(verdict).toMatchObject({ fits: false, problem: { code: 'gpu-binding', needed: most, available: 0 } });
  expect(judgeFit({ memory: 0, largestBinding: 0, ranks: 1 }, { workers: 0 })).toMatchObject({ fits: false, problem: { code: 'no-gpu', available: 0 } });
  expect(judgeFit({ memory: most, largestBinding: 0, ranks: 2 ** 32 - 1 }, { workers: 2 ** 32 - 2 })).toMatchObject({ fits: false, problem: { code: 'no-gpu' } });
});

test('a plan whose memory is none is refused', async () => {
  const options = { backend: 'cpu', memory: { bytes: -1 } } as const;
  await expect(planModel([source(DEMO)], options)).rejects.toMatchObject({ code: 'invalid-option', option: 'memory' });
});
