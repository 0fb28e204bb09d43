/** The benchmark opens a model as the chat does: where a licence must be accepted, it asks first. */
import { expect, test, vi } from 'vitest';
import './browser';
import { BenchController, type BenchData } from '../src/bench/bench-controller';
import { catalogue, entryById, entrySource } from '../src/models/catalogue';
import type { BenchReport, OpenModel, StoredModel } from '../engine/src/protocol/protocol';
import { sourceKey } from '../engine/src/store/model-source';

const FALCON = catalogue.find(({ licence }) => licence.accept);

function setUp(stored: StoredModel[] = [], model = FALCON?.id ?? '') {
  const listeners = new Map<string, () => void>();
  const page = { data: undefined as BenchData | undefined };
  const engine = { open: vi.fn(async () => ({}) as OpenModel), bench: vi.fn(async () => ({}) as BenchReport), endOpening: async () => undefined, stored: async () => stored, listings: async () => [] };
  const address = { base: 'http://page/', model, device: { backend: 'auto' as const }, count: (_: string, otherwise: number) => otherwise };
  const view = { update: (data: BenchData) => (page.data = data), on: (name: string, listener: () => void) => void listeners.set(name, listener) };
  new BenchController(view, engine, address).start();
  const emit = async (name: string) => {
    listeners.get(name)?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { page, engine, emit };
}

test('a licence that must be accepted is asked for before the first byte', async () => {
  const { page, engine, emit } = setUp();
  await emit('measure');
  expect(page.data?.status).toMatchObject({ kind: 'licence', entry: { id: FALCON?.id } });
  await emit('decline');
  expect(page.data?.status.kind).toBe('idle');
  expect(engine.open).not.toHaveBeenCalled();
  await emit('measure');
  await emit('accept');
  expect(engine.open).toHaveBeenCalledOnce();
  expect(page.data?.status.kind).toBe('done');
});

test('what is kept was accepted', async () => {
  const { page, engine, emit } = setUp([{ url: sourceKey(entrySource(FALCON as never, 'http://page/')) } as StoredModel]);
  await emit('measure');
  expect(engine.open).toHaveBeenCalledOnce();
  expect(page.data?.status.kind).toBe('done');
});

test('an earlier version is measured where a copy is kept, and else says what has taken its place', async () => {
  const without = setUp([], 'demo-1');
  await without.emit('measure');
  expect(without.page.data?.status).toMatchObject({ kind: 'failed', failure: { code: 'replaced' } });
  expect(without.engine.open).not.toHaveBeenCalled();
  const url = sourceKey(entrySource(entryById('demo-1') as never, 'http://page/'));
  const { page, emit } = setUp([{ url, complete: true } as StoredModel], 'demo-1');
  await emit('measure');
  expect(page.data?.status.kind).toBe('done');
});
