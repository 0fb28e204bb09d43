import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { initSync, judgeFit } from '../engine/pkg/web_mamba.js';
import type { DeviceLimits, ModelRequirements } from '../engine/src/base/wasm-engine';
import { inspectDevice, type Device } from '../src/models/capability';
import { catalogue, entrySource } from '../src/models/catalogue';
import { Fits } from '../src/models/fits';
import { DownloadSpeed } from '../src/models/download-speed';
import { bestOffer, costText, offerOf, offers, refusal, shortCostText, type Kept } from '../src/models/offer';
import { rateOf } from '../src/models/rate-estimate';
import { sourceKey } from '../engine/src/store/model-source';

beforeAll(() => void initSync({ module: readFileSync(path.join(import.meta.dirname, '../engine/pkg/web_mamba_bg.wasm')) }));

/** The engine, of which only the judge is needed. */
const engine = { judgeFits: async (models: readonly ModelRequirements[], limits: DeviceLimits) => models.map((model) => judgeFit(model, limits)) };

const GB = 1024 ** 3;
const memory = (gigabytes: number) => ({ bytes: gigabytes * GB, atLeast: gigabytes >= 8 });
const GPU = { name: 'nvidia', maxBuffer: 4 * GB, maxBinding: 2 * GB };
const device = (change: Partial<Device> = {}): Device => ({ gpu: GPU, memory: memory(8), storage: 100e9, cores: 8, ...change });

const BASE = 'http://page/';
const entryOf = (id: string) => catalogue.find((entry) => entry.id === id) ?? expect.fail(id);
const falcon = entryOf('falcon-mamba-7b-instruct-q4_k_m');
async function offer(given: Device, kept: Kept[] = [], entry = falcon) {
  const situation = await new Fits(engine, Promise.resolve(given), () => undefined).situation();
  return offerOf(entry, situation ?? expect.fail(), kept, BASE);
}
const doubts = (...codes: string[]) => ({ kind: 'doubt', doubts: codes.map((code) => expect.objectContaining({ code }) as object) });
const refused = (code: string) => ({ kind: 'refused', why: { code } });

test.each([
  ['a GPU and room', device(), { kind: 'fits' }],
  ['a browser that says nothing of memory', device({ memory: undefined, storage: undefined }), doubts('memory-unknown')],
  ['a GPU with small buffers', device({ gpu: { ...GPU, maxBuffer: GB } }), doubts('gpu-memory')],
  ['a GPU with small bindings', device({ gpu: { ...GPU, maxBinding: 1e6 } }), doubts('speed-unknown')],
  ['a GPU with small bindings, and one core', device({ gpu: { ...GPU, maxBinding: 1e6 }, cores: 1 }), refused('gpu-binding')],
  ['no GPU', device({ gpu: undefined }), doubts('speed-unknown')],
  ['a phone', device({ phone: true }), doubts('phone')],
  ['no GPU, and a browser that says nothing of memory', device({ gpu: undefined, memory: undefined }), doubts('memory-unknown', 'speed-unknown')],
  ['no GPU and one core', device({ gpu: undefined, cores: 1 }), refused('no-gpu')],
  ['little storage', device({ storage: 2e9 }), refused('storage')],
  ['little memory', device({ memory: memory(4) }), refused('memory')],
] as const)('%s', async (_, given, verdict) => expect((await offer(given)).verdict).toMatchObject(verdict));

test('until the engine has judged, nothing is said of a model but what is kept of it and whether there is room', () => {
  const entry = falcon;
  const url = sourceKey(entrySource(entry, BASE));
  expect(offerOf(entry, { device: device() }, [], BASE)).toMatchObject({ verdict: { kind: 'unknown' }, kept: false, instead: undefined });
  expect(offerOf(entry, { device: device() }, [{ url, stored: 4.2e9, complete: true }], BASE)).toMatchObject({ verdict: { kind: 'unknown' }, kept: true });
  expect(offerOf(entry, { device: device({ storage: 1 }) }, [], BASE).verdict).toMatchObject(refused('storage'));
});

test('the engine is asked once for all, and again only where it could not say', async () => {
  const judgeFits = vi.fn(engine.judgeFits).mockRejectedValueOnce(new Error('not started'));
  const changed = vi.fn();
  const fits = new Fits({ judgeFits }, Promise.resolve(device()), changed);
  expect(await fits.situation()).toBeUndefined();
  expect([fits.known, changed.mock.calls.length]).toEqual([undefined, 0]);
  const [one, other] = await Promise.all([fits.situation(), fits.situation()]);
  expect(one).toBe(other);
  expect(fits.known?.size).toBeGreaterThanOrEqual(catalogue.length);
  expect([judgeFits.mock.calls.length, changed.mock.calls.length]).toEqual([2, 1]);
});

test('where a model does not fit, the best smaller one that chats is named', async () => {
  expect(await offer(device())).toMatchObject({ entry: { name: 'Falcon-Mamba-7B-Instruct' }, verdict: { kind: 'fits' }, kept: false, instead: undefined });
  expect((await offer(device({ gpu: undefined, cores: 1 }))).instead).toMatchObject({ name: 'RWKV-7 G1 2.9B', type: 'Q6_K' });
  // Where nothing is certain because the browser says nothing of memory, what is only unknown is named.
  expect((await offer(device({ gpu: undefined, cores: 1, memory: undefined }))).instead).toMatchObject({ name: 'RWKV-7 G1 2.9B' });
  expect(await offer(device({ gpu: undefined, memory: memory(2) }))).toMatchObject({ verdict: { kind: 'refused' }, instead: { name: 'RWKV-7 G1 1.5B' } });
  expect(await offer(device({ gpu: undefined, memory: memory(0.25) }))).toMatchObject({ verdict: { kind: 'refused' }, instead: undefined });
});

test.each([
  ['a computer with a GPU', device(), 'Falcon-Mamba-7B-Instruct', 'fits'],
  ['a computer with less memory', device({ memory: memory(4) }), 'RWKV-7 G1 2.9B', 'fits'],
  ['a computer without a GPU', device({ gpu: undefined }), 'RWKV-7 G1 1.5B', 'fits'],
  ['a phone that says what it has', device({ memory: memory(1), cores: 4 }), 'RWKV-7 G1 0.1B', 'fits'],
  ['a phone that says nothing', device({ memory: undefined, phone: true }), 'RWKV-7 G1 0.1B', 'doubt'],
  ['a phone with much memory', device({ memory: memory(8), phone: true }), 'RWKV-7 G1 0.4B', 'fits'],
  ['a computer whose data are dear', device({ metered: true }), 'RWKV-7 G1 0.4B', 'fits'],
  ['nothing that could hold one', device({ gpu: undefined, memory: memory(0.25) }), 'Falcon-Mamba-7B-Instruct', 'refused'],
])('%s is offered the best model that it really holds', async (_, given, name, kind) => {
  const situation = (await new Fits(engine, Promise.resolve(given), () => undefined).situation()) ?? expect.fail();
  expect(bestOffer(given, (entry) => offerOf(entry, situation, [], BASE))).toMatchObject({ entry: { name }, verdict: { kind } });
});

test('nothing is offered on a first visit, or in place of another, that no listing was seen of', () => {
  expect(offers.length).toBeGreaterThan(3);
  expect(offers.filter(({ unconfirmed, chats }) => unconfirmed || !chats)).toEqual([]);
});

test('every model of the catalogue is judged, and one in fewer bits comes before another model', async () => {
  const small = device({ memory: memory(6) });
  expect(await offer(small, [], entryOf('falcon3-mamba-7b-instruct-q8_0'))).toMatchObject({ verdict: { why: { code: 'memory' } }, instead: { id: 'falcon3-mamba-7b-instruct-q4_k_m' } });
  expect(await offer(small, [], entryOf('mamba-130m-q8_0'))).toMatchObject({ verdict: { kind: 'fits' } });
});

test('what is kept takes no more room, and is not offered to download', async () => {
  const url = sourceKey(entrySource(falcon, BASE));
  const full = device({ storage: 1e9 });
  expect((await offer(full)).verdict).toEqual({ kind: 'refused', why: { code: 'storage', needed: 4.2e9, available: 1e9 } });
  expect(await offer(full, [{ url, stored: 3.5e9, complete: false }])).toMatchObject({ verdict: { kind: 'fits' }, kept: false });
  expect(await offer(full, [{ url, stored: 4.2e9, complete: true }])).toMatchObject({ verdict: { kind: 'fits' }, kept: true });
});

test('a refusal says in plain words why, and what to take in its place', async () => {
  const given = device({ gpu: undefined, cores: 1 });
  const { code, message, remedy } = refusal(await offer(given));
  expect([code, remedy]).toEqual(['refused-no-gpu', 'What fits: RWKV-7 G1 2.9B in Q6_K, 2.6 GB.']);
  expect(message).not.toMatch(/[{}]/);
  const poor = device({ memory: memory(2) });
  expect(refusal(await offer(poor))).toMatchObject({ code: 'refused-memory', message: 'Falcon-Mamba-7B-Instruct (Q4_K_M) needs about 4.4 GB of memory, and this device has 2 GB.' });
});

test('a device is what its browser says; a software GPU is none, and a browser may say nothing', async () => {
  const limits = { maxBufferSize: 1, maxStorageBufferBindingSize: 1 };
  const adapter = { info: { vendor: 'amd', architecture: 'rdna-3', isFallbackAdapter: false }, limits };
  const said = await inspectDevice({ gpu: { requestAdapter: async () => adapter }, deviceMemory: 8, hardwareConcurrency: 4, storage: { estimate: async () => ({ quota: 100, usage: 30 }) } });
  expect(said).toEqual({ gpu: { name: 'amd rdna-3', maxBuffer: 1, maxBinding: 1 }, memory: { bytes: 8 * GB, atLeast: true }, storage: 70, cores: 4 });
  const software = { info: { isFallbackAdapter: true }, limits };
  expect((await inspectDevice({ gpu: { requestAdapter: async () => software } })).gpu).toBeUndefined();
  const silent = await inspectDevice({ gpu: { requestAdapter: () => Promise.reject(new Error('lost')) }, storage: { estimate: () => Promise.reject(new Error('no')) } });
  expect(silent).toEqual({ gpu: undefined, memory: undefined, storage: undefined, cores: 1 });
});

test('phones, tablets and connections that count data are seen', async () => {
  const seen = async (browser: Parameters<typeof inspectDevice>[0]) => {
    const { phone = false, metered = false } = await inspectDevice(browser);
    return [phone, metered];
  };
  expect(await seen({ userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)' })).toEqual([true, false]);
  expect(await seen({ userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', maxTouchPoints: 5 })).toEqual([true, false]);
  expect(await seen({ userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', maxTouchPoints: 0 })).toEqual([false, false]);
  expect(await seen({ userAgentData: { mobile: true }, connection: { type: 'cellular' } })).toEqual([true, true]);
  expect(await seen({ userAgentData: { mobile: false }, userAgent: 'Android', connection: { saveData: true } })).toEqual([false, true]);
  expect(await seen({})).toEqual([false, false]);
});

test('time and speed are told from what was measured, of models of about the same size; else they are unknown', async () => {
  const entry = entryOf('rwkv7-g1-1.5b-q6_k');
  const key = (id: string) => sourceKey(entrySource(entryOf(id), BASE));
  const measured = (rates: Record<string, number>) => ({ decodeRate: (of: string, backend: string) => rates[`${of} ${backend}`] });
  expect(rateOf(entry, 'webgpu', measured({}), BASE)).toBeUndefined();
  // A toy tells nothing of a model that is sixty times as large, nor one backend of another.
  expect(rateOf(entry, 'webgpu', measured({ [`${key('demo')} webgpu`]: 300, [`${key('rwkv7-g1-2.9b-q6_k')} cpu`]: 1 }), BASE)).toBeUndefined();
  expect(rateOf(entry, 'webgpu', measured({ [`${key('rwkv7-g1-2.9b-q6_k')} webgpu`]: 10 }), BASE)).toBeCloseTo((10 * 2.57) / 1.34);
  expect(rateOf(entry, 'webgpu', measured({ [`${key('rwkv7-g1-2.9b-q6_k')} webgpu`]: 10, [`${key(entry.id)} webgpu`]: 17 }), BASE)).toBe(17);
  const situation = (await new Fits(engine, Promise.resolve(device({ gpu: undefined })), () => undefined).situation()) ?? expect.fail();
  const told = (rate: number | undefined) => offerOf(falcon, situation, [], BASE, { seconds: (bytes) => bytes / 1e7, rate: () => rate });
  expect(told(1).verdict).toMatchObject(doubts('slow'));
  expect(told(5)).toMatchObject({ verdict: { kind: 'fits' }, cost: { download: 420, rate: 5 } });
  expect(costText(told(5))).toBe('About 7 min to download, at the speed that was measured here · about 5.0 tokens/s here, by what was measured');
  expect(costText(told(undefined))).toContain('how fast it is here is not known yet');
  expect(shortCostText(offerOf(falcon, situation, [], BASE))).toBe('time unknown, speed unknown');
});

test('the speed of downloads is kept for the next visit', async () => {
  const kept = new Map<string, unknown>();
  const database = { get: async (_: string, name: string) => kept.get(name), put: async (_: string, value: unknown, name: string) => void kept.set(name, value) };
  const speed = new DownloadSpeed(database as never);
  expect(speed.seconds(1e6)).toBeUndefined();
  speed.take(0);
  speed.take(5e5);
  speed.keep();
  const later = new DownloadSpeed(database as never);
  await later.read();
  expect(later.seconds(1e6)).toBe(2);
});
