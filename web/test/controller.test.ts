import { expect, test, vi } from 'vitest';
import './browser';
import { openAppDatabase } from '../src/app/app-database';
import { Controller } from '../src/app/controller';
import type { TextFile } from '../src/app/conversation-files';
import { failure } from '../src/app/failure';
import type { PageAddress, PageData, PageEvents, PageView } from '../src/app/page-data';
import type { ModelInfo, EngineWorker, GenerateEvent, OpenModel, StoredModel } from '../src/engine/protocol';

const INFO = { name: 'tiny', backend: 'cpu', adapter: '', reason: 'asked for' } as ModelInfo;
const OPEN: OpenModel = { url: 'http://page/models/m.gguf', name: 'm', info: INFO };

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

let databases = 0;

/** A page that only remembers, and an engine whose calls the test settles. */
function setUp(model: string | null = null) {
  const listeners = new Map<string, (detail: never) => void>();
  const page = { data: undefined as PageData | undefined, draft: '', saved: undefined as TextFile | undefined };
  const view: PageView = {
    update: (data) => (page.data = data),
    on: (name, listener) => listeners.set(name, listener),
    restoreDraft: (text) => (page.draft = text),
    saveText: (file) => (page.saved = file),
    exportFile: async (name) => ({ handle: { name } as FileSystemFileHandle, finish: async () => undefined }),
    permit: async () => undefined,
    save: () => undefined,
  };
  const address: PageAddress = { base: 'http://page/', device: { backend: 'auto' }, model, state: null, view: 'chat', chat: null, shownDocument: null };
  const opening = deferred<OpenModel>();
  const answering = deferred<void>();
  let say: (event: GenerateEvent) => void = () => undefined;
  const engine = {
    open: vi.fn(() => opening.promise),
    generate: vi.fn((_prompt: unknown, _options: unknown, onEvent: typeof say) => {
      say = onEvent;
      return answering.promise;
    }),
    generateMany: vi.fn(async () => undefined),
    tokenize: vi.fn(async (text: string) => new Uint32Array(text.length)),
    stop: vi.fn(async () => answering.resolve()),
    stored: vi.fn(async (): Promise<StoredModel[]> => []),
    remove: vi.fn(async () => undefined),
    endOpening: vi.fn(async () => undefined),
    handles: vi.fn(async () => []),
    verify: vi.fn(async () => ({ bad: 2 })),
    exportPart: vi.fn(async (..._: unknown[]) => undefined),
    endTask: vi.fn(async () => undefined),
  };
  const database = openAppDatabase(`test-${(databases += 1)}`);
  const updates = { waiting: false, onChange: () => undefined, use: () => undefined };
  const device = { gpu: undefined, memory: undefined, storage: undefined, cores: 2 };
  const extract = async () => ({ text: 'A short text.', places: [] });
  new Controller(view, engine as unknown as EngineWorker, address, { database, extract, updates, inspect: async () => device }).start();
  const emit = <Name extends keyof PageEvents>(name: Name, detail?: PageEvents[Name]) => (listeners.get(name) as (d: unknown) => void)(detail);
  const token = (text: string) => say({ type: 'token', id: 1, text, milliseconds: 1 });
  return { page, address, opening, answering, engine, emit, token, settle: () => new Promise((resolve) => setTimeout(resolve, 25)) };
}

test('a question asked before the model is open waits for it', async () => {
  const { page, opening, answering, engine, emit, token, settle } = setUp();
  emit('ask', ' Hello ');
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'opening' }, answering: true, messages: [{ text: 'Hello' }, { state: { kind: 'waiting' } }] });
  expect(engine.generate).not.toHaveBeenCalled();
  opening.resolve(OPEN);
  await settle();
  expect(engine.generate).toHaveBeenCalledWith([{ role: 'user', content: 'Hello' }], expect.objectContaining({ temperature: 0.6 }), expect.anything());
  token('Good ');
  token('day');
  answering.resolve();
  await settle();
  expect(page.data).toMatchObject({ answering: false, messages: [{}, { text: 'Good day', state: { kind: 'done', stats: { tokens: 2 } } }] });
});

test('when the model cannot be opened, the question goes back to its writer', async () => {
  const { page, opening, emit, settle } = setUp('https://example.org/x.gguf');
  emit('ask', 'Hello');
  opening.reject(failure('http-status', { status: 404, url: 'x' }));
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'failed' }, failure: { code: 'http-status' }, messages: [], answering: false });
  expect(page.draft).toBe('Hello');
});

test('a stop keeps what was said and marks it', async () => {
  const { page, opening, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  emit('ask', 'Count');
  await settle();
  token('one');
  emit('stop');
  await settle();
  expect(page.data?.messages[1]).toMatchObject({ text: 'one', state: { kind: 'done', stop: 'cancelled' } });
});

test('an answer that fails half way keeps its words and says why', async () => {
  const { page, opening, answering, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  emit('ask', 'Count');
  await settle();
  token('one');
  answering.reject(failure('gpu'));
  await settle();
  expect(page.data).toMatchObject({ failure: { code: 'gpu' }, answering: false, messages: [{}, { text: 'one' }] });
});

test('the next question carries the conversation on', async () => {
  const { opening, answering, engine, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  emit('ask', 'One?');
  await settle();
  token('Yes.');
  answering.resolve();
  await settle();
  emit('ask', 'Two?');
  await settle();
  expect(engine.generate.mock.calls[1]?.[0]).toEqual([
    { role: 'user', content: 'One?' }, { role: 'assistant', content: 'Yes.' }, { role: 'user', content: 'Two?' },
  ]);
});

test('a typed address that is none leaves the open model alone', async () => {
  const { page, address, opening, engine, emit, settle } = setUp();
  opening.resolve(OPEN);
  await settle();
  emit('openAddress', 'http://example.org/m.gguf');
  await settle();
  expect(page.data).toMatchObject({ failure: { code: 'address' }, status: { kind: 'ready' } });
  emit('openAddress', 'https://example.org/m.gguf');
  expect(address.model).toBe('https://example.org/m.gguf');
  await settle();
  expect(engine.open).toHaveBeenCalledTimes(2);
});

const FALCON = 'falcon-mamba-7b-instruct-q4_k_m';
const KEY = 'https://huggingface.co/tiiuae/falcon-mamba-7b-instruct-Q4_K_M-GGUF/resolve/main/falcon-mamba-7B-instruct-Q4_K_M.gguf';

test('a licence that must be accepted is shown before the first byte; a no leaves everything alone', async () => {
  const { page, engine, emit, settle } = setUp(FALCON);
  await settle();
  expect(page.data?.status).toMatchObject({ kind: 'licence', entry: { id: FALCON, licence: { accept: true } } });
  emit('declineLicence');
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'failed' }, failure: undefined });
  expect(engine.open).not.toHaveBeenCalled();
  emit('retry');
  await settle();
  emit('acceptLicence');
  await settle();
  expect(engine.open).toHaveBeenCalledWith(expect.objectContaining({ kind: 'hub' }), { backend: 'auto' }, expect.anything());
});

test('a licence is not asked for again where some of the model is kept', async () => {
  const { engine, emit, settle } = setUp();
  engine.stored.mockResolvedValue([{ url: KEY } as StoredModel]);
  emit('openAddress', KEY);
  await settle();
  expect(engine.open).toHaveBeenLastCalledWith(expect.objectContaining({ kind: 'hub' }), { backend: 'auto' }, expect.anything());
});

test('a paused download is no error, and goes on or is given up', async () => {
  const { page, opening, engine, emit, settle } = setUp();
  emit('pause');
  expect(engine.endOpening).toHaveBeenCalledWith('pause');
  opening.reject(failure('paused'));
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'paused' }, failure: undefined });
  engine.stored.mockResolvedValue([{ url: 'http://page/models/web-mamba-demo-31m-q4_k_m.gguf' } as StoredModel]);
  emit('retry');
  await settle();
  expect(engine.open).toHaveBeenCalledTimes(2);
  expect(page.data?.status.kind).toBe('paused');
  emit('discard');
  await settle();
  expect(engine.remove).toHaveBeenCalledOnce();
  expect(page.data?.status.kind).toBe('failed');
});

test('a verification and an export report how they ended', async () => {
  const { page, engine, emit, settle } = setUp();
  const model = { url: KEY, parts: ['a.gguf', 'b.gguf'] } as StoredModel;
  emit('verify', model);
  await settle();
  expect(page.data?.task).toMatchObject({ url: KEY, kind: 'verify', ended: true, bad: 2 });
  emit('export', model);
  await settle();
  expect(engine.exportPart.mock.calls.map(([url, part, target]: unknown[]) => [url, part, target])).toEqual([[KEY, 0, { name: 'a.gguf' }], [KEY, 1, { name: 'b.gguf' }]]);
  expect(page.data?.task).toMatchObject({ kind: 'export', ended: true });
});
