import { expect, test } from 'vitest';
import { inspectDevice, judge, type Device } from '../src/models/capability';
import { catalogue, entrySource } from '../src/models/catalogue';
import { offered, offerOf, refusal, type Kept } from '../src/models/offer';
import { sourceKey } from '../engine/src/store/model-source';

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

const BASE = 'http://page/';
const entryOf = (id: string) => catalogue.find((entry) => entry.id === id) ?? expect.fail(id);
const offer = (given: Device, kept: Kept[] = [], entry = offered ?? expect.fail()) => offerOf(entry, given, kept, BASE);

test('where the offered model does not fit, the best smaller one that chats is named', () => {
  expect(offer(device())).toMatchObject({ entry: { name: 'Falcon-Mamba-7B-Instruct' }, verdict: { kind: 'fits' }, kept: false, instead: undefined });
  expect(offer(device({ gpu: undefined, cores: 1 })).instead).toMatchObject({ name: 'Falcon3-Mamba-7B-Instruct', type: 'Q2_K' });
  expect(offer(device({ gpu: undefined, memory: 2 * GB }))).toMatchObject({ verdict: { kind: 'refused' }, instead: undefined });
});

test('every model of the catalogue is judged, and one in fewer bits comes before another model', () => {
  const small = device({ memory: 6 * GB });
  expect(offer(small, [], entryOf('falcon3-mamba-7b-instruct-q8_0'))).toMatchObject({ verdict: { why: 'memory' }, instead: { id: 'falcon3-mamba-7b-instruct-q4_k_m' } });
  expect(offer(small, [], entryOf('mamba-130m-q8_0'))).toMatchObject({ verdict: { kind: 'fits' } });
});

test('what is kept takes no more room, and is not offered to download', () => {
  const url = sourceKey(entrySource(offered ?? expect.fail(), BASE));
  const full = device({ storage: 1e9 });
  expect(offer(full).verdict).toEqual({ kind: 'refused', why: 'storage' });
  expect(offer(full, [{ url, stored: 3.5e9, complete: false }])).toMatchObject({ verdict: { kind: 'fits' }, kept: false });
  expect(offer(full, [{ url, stored: 4.2e9, complete: true }])).toMatchObject({ verdict: { kind: 'fits' }, kept: true });
});

test('a refusal says in plain words why, and what to take in its place', () => {
  const given = device({ gpu: undefined, cores: 1 });
  const { code, message, remedy } = refusal(offer(given), given);
  expect([code, remedy]).toEqual(['refused-no-gpu', 'What fits: Falcon3-Mamba-7B-Instruct in Q2_K, 2.6 GB.']);
  expect(message).not.toMatch(/[{}]/);
  const poor = device({ memory: 2 * GB });
  expect(refusal(offer(poor), poor)).toMatchObject({ code: 'refused-memory', message: 'Falcon-Mamba-7B-Instruct (Q4_K_M) needs about 4.4 GB of memory, and this device has 2 GB.' });
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
