import { expect, test } from 'vitest';
import { inspectDevice, judge, offer, type Device } from '../src/app/capability';
import { catalogue } from '../src/app/catalogue';

const GB = 1024 ** 3;
const GPU = { name: 'nvidia', maxBuffer: 4 * GB, maxBinding: 2 * GB };
const device = (change: Partial<Device> = {}): Device => ({ gpu: GPU, memory: 8 * GB, storage: 100e9, cores: 8, ...change });
const MODEL = { bytes: 4.2e9, memory: 4.4e9 };

test.each([
  ['a GPU and room', device(), { kind: 'fits' }],
  ['a browser that says nothing of memory', device({ memory: undefined, storage: undefined }), { kind: 'fits' }],
  ['a GPU with small buffers', device({ gpu: { ...GPU, maxBuffer: GB } }), { kind: 'doubt', why: 'gpu-memory' }],
  ['no GPU', device({ gpu: undefined }), { kind: 'doubt', why: 'slow' }],
  ['no GPU and one core', device({ gpu: undefined, cores: 1 }), { kind: 'refused', why: 'no-gpu' }],
  ['little storage', device({ storage: 2e9 }), { kind: 'refused', why: 'storage' }],
  ['little memory', device({ memory: 4 * GB }), { kind: 'refused', why: 'memory' }],
] as const)('%s', (_, given, verdict) => expect(judge(MODEL, given)).toEqual(verdict));

test('where the offered model does not fit, the best smaller one that chats is named', () => {
  expect(offer(catalogue, device())).toMatchObject({ entry: { name: 'Falcon-Mamba-7B-Instruct' }, verdict: { kind: 'fits' }, instead: undefined });
  expect(offer(catalogue, device({ gpu: undefined, cores: 1 }))?.instead).toMatchObject({ name: 'Falcon3-Mamba-7B-Instruct', type: 'Q2_K' });
  expect(offer(catalogue, device({ gpu: undefined, memory: 2 * GB }))).toMatchObject({ verdict: { kind: 'refused' }, instead: undefined });
});

test('a device is what its browser says; a software GPU is none, and a browser may say nothing', async () => {
  const limits = { maxBufferSize: 1, maxStorageBufferBindingSize: 1 };
  const adapter = { info: { vendor: 'amd', architecture: 'rdna-3', isFallbackAdapter: false }, limits };
  const said = await inspectDevice({ gpu: { requestAdapter: async () => adapter }, deviceMemory: 8, hardwareConcurrency: 4, storage: { estimate: async () => ({ quota: 100, usage: 30 }) } });
  expect(said).toEqual({ gpu: { name: 'amd rdna-3', maxBuffer: 1, maxBinding: 1 }, memory: 8 * GB, storage: 70, cores: 4 });
  const software = { info: { isFallbackAdapter: true }, limits };
  expect((await inspectDevice({ gpu: { requestAdapter: async () => software } })).gpu).toBeUndefined();
  const silent = await inspectDevice({ gpu: { requestAdapter: () => Promise.reject(new Error('lost')) }, storage: { estimate: () => Promise.reject(new Error('no')) } });
  expect(silent).toEqual({ gpu: undefined, memory: undefined, storage: undefined, cores: 1 });
});
