import { expect, test } from 'vitest';
import { checkFits } from '../engine/src/worker/check-fits';
import type { ByteSource, ModelPlan } from '../engine/pkg/web_mamba.js';

const PLAN: ModelPlan = {
  needs: { weights: 4e9, state: 1e6, scratch: 1e6, total: 4.002e9, largestBinding: 3e8 },
  device: { backend: 'webgpu', adapter: 'a small GPU', maxBuffer: 2.5e8, maxBinding: 1.28e8 },
  fits: true,
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
