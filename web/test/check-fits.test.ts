import { expect, onTestFinished, test, vi } from 'vitest';
import { deviceMemory } from '../engine/src/base/device-memory';
import { checkFits } from '../engine/src/worker/check-fits';
import type { ByteSource, ModelPlan } from '../engine/pkg/web_mamba.js';

const PLAN: ModelPlan = {
  requirements: { memory: 4.002e9, largestBinding: 3e8, ranks: 1 },
  needs: { weights: 4e9, state: 1e6, scratch: 1e6, total: 4.002e9, largestBinding: 3e8 },
  device: { backend: 'webgpu', adapter: 'a small GPU', maxBuffer: 2.5e8, maxBinding: 1.28e8 },
  fits: true,
  doubts: [],
};
const REFUSED: ModelPlan = {
  ...PLAN,
  fits: false,
  problem: { code: 'out-of-memory', message: 'blk.0.ssm_a needs 300000000 bytes', remedy: 'r', needed: 3e8, available: 1.28e8 },
};

test('a model that fits passes, by the bytes that have come and the length of the whole', async () => {
  const check = checkFits({
    planModel: async ([source], options) => {
      expect(options).toEqual({ backend: 'cpu' });
      expect(source?.length).toBe(4e9);
      expect(await source?.read(1, 2)).toEqual(Uint8Array.of(2, 3));
      return PLAN;
    },
  });
  await check(Uint8Array.of(1, 2, 3, 4), 4e9, { backend: 'cpu' });
});

test('one that does not fit is refused with the numbers', async () => {
  const check = checkFits({ planModel: async () => REFUSED });
  const error = await check(new Uint8Array(4), 4e9).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'out-of-memory' });
  expect(error).toHaveProperty('detail', expect.stringContaining('It needs 300.0 MB; a small GPU grants 128.0 MB. In all the model takes 4.0 GB.'));
});

test('too little memory is the device’s, and what its browser says of that goes into the plan', async () => {
  vi.stubGlobal('navigator', { deviceMemory: 2 });
  onTestFinished(() => void vi.unstubAllGlobals());
  const problem = { code: 'out-of-memory', message: 'm', remedy: 'r', limit: 'memory', needed: 4.002e9, available: 2 ** 31 } as const;
  const planModel = vi.fn(async () => ({ ...PLAN, fits: false, problem }));
  const error: unknown = await checkFits({ planModel })(new Uint8Array(4), 4e9, {}).catch((thrown: unknown) => thrown);
  expect(planModel).toHaveBeenCalledWith(expect.anything(), { memory: { bytes: 2 ** 31, atLeast: false } });
  expect(error).toHaveProperty('detail', expect.stringContaining('It needs 4.0 GB; this device grants 2.1 GB.'));
});

test('a browser says of memory what it wants: nothing, a rounded number, or the largest that it says', () => {
  expect([undefined, 0.25, 4, 8, 32].map((deviceMemoryGiB) => deviceMemory(deviceMemoryGiB === undefined ? {} : { deviceMemory: deviceMemoryGiB }))).toEqual([
    undefined, { bytes: 2 ** 28, atLeast: false }, { bytes: 2 ** 32, atLeast: false }, { bytes: 2 ** 33, atLeast: true }, { bytes: 2 ** 35, atLeast: true },
  ]);
});

test('a header that has not come whole is left for loading to judge; another fault of the file is not', async () => {
  const late = checkFits({ planModel: async ([source]) => (await source?.read(2, 4), PLAN) });
  await late(new Uint8Array(4), 4e9);
  const other = checkFits({ planModel: () => Promise.reject(Object.assign(new Error('llama'), { code: 'architecture' })) });
  await expect(other(new Uint8Array(4), 4e9)).rejects.toMatchObject({ code: 'architecture' });
});

test('a file of unknown length is judged by what has come of it', async () => {
  const lengths: number[] = [];
  const planModel = async ([source]: ByteSource[]) => {
    lengths.push(source?.length ?? 0);
    return { fits: true } as ModelPlan;
  };
  await checkFits({ planModel })(new Uint8Array(100), 0);
  await checkFits({ planModel })(new Uint8Array(100), 5000);
  expect(lengths).toEqual([Number.MAX_SAFE_INTEGER, 5000]);
});
