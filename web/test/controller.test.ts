import { expect, onTestFinished, test, vi } from 'vitest';
import { fillDisk, refuseDatabases, settle } from './browser';
import { openAppDatabase } from '../src/data/app-database';
import { Controller } from '../src/page/controller';
import { newerOf } from '../src/models/catalogue';
import { failure } from '../src/base/failure';
import type { PageData, PageEvents, PageView } from '../src/page/page-data';
import type { EngineWorker } from '../engine/src/protocol/calls';
import type { DeviceLimits, FitVerdict, ModelRequirements } from '../engine/src/base/wasm-engine';
import type { ChatMessage, GenerateOptions, ModelInfo, GenerateEvent, BatchEvent, OpenedState, OpenModel, StoredModel } from '../engine/src/protocol/protocol';
import type { TextFile } from '../src/base/files';
import type { PageAddress, Shown } from '../src/base/page-address';
import type { Situation } from '../src/models/effort';

const INFO = { name: 'tiny', backend: 'cpu', adapter: '', reason: 'asked for' } as ModelInfo;
const OPEN: OpenModel = { url: 'http://page/models/m.gguf', name: 'm', info: INFO };

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

let databases = 0;

/** A judge that looks at memory alone. */
function verdictBy({ memory: needed }: ModelRequirements, { memory }: DeviceLimits): FitVerdict {
  if (!memory || memory.bytes >= needed) return { fits: true, backend: 'cpu', doubts: [] };
  return { fits: false, backend: 'cpu', problem: { code: 'memory', needed, available: memory.bytes }, doubts: [] };
}

/** A page that only remembers, and an engine whose calls the test settles. */
function setUp(model: string | null = null, state: string | null = null, { database = openAppDatabase(`test-${(databases += 1)}`), memory = undefined as number | undefined, kept = [] as Partial<StoredModel>[] } = {}) {
  const listeners = new Map<string, (detail: never) => void>();
  const page = { data: undefined as PageData | undefined, draft: '', saved: undefined as TextFile | undefined };
  const view: PageView = {
    update: (data) => (page.data = data),
    on: (name, listener) => listeners.set(name, listener),
    restoreDraft: (text) => (page.draft = text),
    saveText: (file) => (page.saved = file),
    exportFiles: async (names) => names.map((name) => ({ handle: { name } as FileSystemFileHandle, finish: async () => undefined })),
    permit: async () => undefined,
    save: () => undefined,
  };
  let back = () => undefined as void;
  const address: PageAddress & { went: Partial<Shown>[] } = {
    order: undefined,
    base: 'http://page/', device: { backend: 'auto' }, model, state, view: 'chat', chat: null, shownDocument: null, went: [],
    go(shown) {
      this.went.push(shown);
      Object.assign(this, shown);
    },
    onReturn: (listener) => (back = listener),
  };
  const opening = deferred<OpenModel>();
  const answering = deferred<void>();
  const batching = deferred<void>();
  const beginning = deferred<OpenedState>();
  let sayOf: (event: BatchEvent) => void = () => undefined;
  let say: (event: GenerateEvent) => void = () => undefined;
  const engine = {
    open: vi.fn(() => opening.promise),
    openState: vi.fn((_: string) => beginning.promise),
    generate: vi.fn((_prompt: unknown, _options: unknown, onEvent: typeof say) => {
      say = onEvent;
      return answering.promise;
    }),
    generateBatch: vi.fn((_prompts: ChatMessage[][], _options: GenerateOptions, onEvent: (event: BatchEvent) => void) => {
      sayOf = onEvent;
      return batching.promise;
    }),
    tokenize: vi.fn(async (text: string) => new Uint32Array(text.length)),
    stop: vi.fn(async () => answering.resolve()),
    judgeFits: vi.fn(async (models: readonly ModelRequirements[], limits: DeviceLimits) => models.map((model) => verdictBy(model, limits))),
    listings: vi.fn(async (sources: readonly unknown[]) => sources.map(() => ({ kind: 'unknown' as const }))),
    stored: vi.fn(async (): Promise<StoredModel[]> => kept as StoredModel[]),
    remove: vi.fn(async () => undefined),
    endOpening: vi.fn(async () => undefined),
    handles: vi.fn(async () => []),
    verify: vi.fn(async () => ({ bad: 2 })),
    exportPart: vi.fn(async (..._: unknown[]) => undefined),
    endTask: vi.fn(async () => undefined),
    setDutyCycle: vi.fn(async (_: number) => undefined),
  };
  const updates = { waiting: false, onChange: () => undefined, use: () => undefined };
  const device = { gpu: undefined, memory: memory === undefined ? undefined : { bytes: memory, atLeast: false }, storage: undefined, cores: 2 };
  const extract = async () => ({ text: 'A short text.', places: [] });
  let tellSituation: (situation: Situation) => void = () => undefined;
  const watchSituation = (listener: typeof tellSituation) => void (tellSituation = listener);
  new Controller(view, engine as unknown as EngineWorker, address, { database, extract, updates, inspect: async () => device, watchSituation }).start();
  const emit = <Name extends keyof PageEvents>(name: Name, detail?: PageEvents[Name]) => (listeners.get(name) as (d: unknown) => void)(detail);
  const token = (text: string) => say({ type: 'token', id: 1, text, milliseconds: 1 });
  return { back: () => back(), page, address, opening, answering, batching, beginning, sayOf: (event: BatchEvent) => sayOf(event), tellSituation: (situation: Situation) => tellSituation(situation), engine, emit, token, settle };
}

test('the model works as hard as is set, or as the machine and the page allow, and a later visit knows it', async () => {
  const database = openAppDatabase(`test-${(databases += 1)}`);
  const { page, engine, emit, tellSituation, settle } = setUp(null, null, { database });
  await settle();
  expect([page.data?.effort, engine.setDutyCycle.mock.calls]).toEqual(['auto', []]);
  for (const hidden of [true, true, false]) tellSituation({ hidden, onBattery: false });
  emit('setEffort', 'gentle');
  tellSituation({ hidden: true, onBattery: true });
  emit('setEffort', 'full');
  emit('setEffort', 'gentle');
  await settle();
  expect(engine.setDutyCycle.mock.calls.flat()).toEqual([0.5, 1, 0.5, 1, 0.5]);
  expect(page.data?.effort).toBe('gentle');
  const later = setUp(null, null, { database });
  await later.settle();
  expect([later.page.data?.effort, later.engine.setDutyCycle.mock.calls.flat()]).toEqual(['gentle', [0.5]]);
});

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

test('a question asked while the saved state is still coming waits for it, and follows what was said there', async () => {
  const { page, opening, beginning, engine, emit, settle } = setUp(null, 'manual.state');
  opening.resolve(OPEN);
  await settle();
  emit('ask', 'And now?');
  await settle();
  expect(engine.openState).toHaveBeenCalledWith('http://page/manual.state');
  expect(page.data).toMatchObject({ status: { kind: 'ready', beginning: true }, messages: [{ text: 'And now?' }, { state: { kind: 'waiting' } }] });
  expect(engine.generate).not.toHaveBeenCalled();
  const messages = [{ role: 'system', content: 'manual' }, { role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }];
  beginning.resolve({ position: 9, messages, fileBytes: 1 });
  await settle();
  expect(engine.generate.mock.calls[0]?.[0]).toEqual([...messages, { role: 'user', content: 'And now?' }]);
  expect(page.data?.status).toEqual({ kind: 'ready', info: INFO });
  expect(page.data?.messages.map(({ id, parent, text }) => [id, parent, text])).toEqual([[1, null, 'a'], [2, 1, 'b'], [3, 2, 'And now?'], [4, 3, '']]);
});

test('new conversations begin from a tuned state, also one whose question came first, and those that were there do not', async () => {
  const { page, opening, beginning, engine, answering, emit, settle } = setUp(null, 'a/persona.st');
  opening.resolve(OPEN);
  await settle();
  emit('ask', 'Who are you?');
  await settle();
  expect(engine.generate).not.toHaveBeenCalled();
  const tuned = { position: 0, messages: [], fileBytes: 1, beginning: 'a'.repeat(32), order: 'key-value' as const };
  beginning.resolve(tuned);
  await settle();
  expect(page.data?.tuned).toEqual({ beginning: tuned.beginning, name: 'persona.st', order: 'key-value' });
  expect(engine.generate.mock.calls[0]?.slice(0, 2)).toMatchObject([[{ role: 'user', content: 'Who are you?' }], { beginning: tuned.beginning }]);
  answering.resolve();
  await settle();
  const told = await importedChat(page, emit, settle);
  emit('openChat', told);
  await settle();
  emit('ask', 'And you?');
  await settle();
  expect(engine.generate.mock.calls.at(-1)?.[1]).not.toHaveProperty('beginning');
});

/** A conversation of before, which began from zeros. */
async function importedChat(page: { data: PageData | undefined }, emit: (name: 'importChats', file: File) => void, settle: () => Promise<void>): Promise<string> {
  const record = { id: 'x', title: 'Before', created: 1, updated: 1, preset: 'assistant', system: '', knowledge: '', leaf: 2, messages: [
    { id: 1, parent: null, role: 'user', text: 'Hello' }, { id: 2, parent: 1, role: 'assistant', text: 'Hi', state: { kind: 'told' } },
  ] };
  emit('importChats', new File([JSON.stringify({ format: 'web-mamba-conversations', version: 1, conversations: [record] })], 'x.json'));
  await settle();
  await settle();
  return page.data?.chats.list.find(({ title }) => title === 'Before')?.id ?? '';
}

test('a question that is taken back while the saved state is coming leaves what was said there; one that fails lets the question be asked', async () => {
  const first = setUp(null, 'manual.state');
  first.opening.resolve(OPEN);
  await first.settle();
  first.emit('ask', 'And now?');
  await first.settle();
  first.emit('stop');
  first.beginning.resolve({ position: 9, messages: [{ role: 'user', content: 'a' }], fileBytes: 1 });
  await first.settle();
  expect(first.page).toMatchObject({ draft: 'And now?', data: { messages: [{ text: 'a' }], answering: false } });
  const second = setUp(null, 'manual.state');
  second.opening.resolve(OPEN);
  second.emit('ask', 'And now?');
  await second.settle();
  second.beginning.reject(failure('not-state'));
  await second.settle();
  expect(second.page.data).toMatchObject({ failure: { code: 'not-state' }, status: { kind: 'ready' } });
  expect(second.engine.generate).toHaveBeenCalledOnce();
});

test('when the model cannot be opened, the question goes back to its writer', async () => {
  const { page, opening, emit, settle } = setUp('x.gguf');
  emit('ask', 'Hello');
  opening.reject(failure('http-status', { status: 404, url: 'x' }));
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'failed' }, failure: { code: 'http-status' }, messages: [], answering: false });
  expect(page.draft).toBe('Hello');
});

test('a question that is asked again is told again why there is no answer', async () => {
  const { page, opening, emit, settle } = setUp('x.gguf');
  opening.reject(failure('http-status', { status: 404, url: 'x' }));
  await settle();
  emit('dismiss');
  emit('ask', 'Hello?');
  await settle();
  expect(page).toMatchObject({ draft: 'Hello?', data: { status: { kind: 'failed' }, failure: { code: 'http-status' }, messages: [] } });
  const paused = setUp();
  paused.opening.reject(failure('paused'));
  await paused.settle();
  expect(paused.page.data?.failure).toBeUndefined();
  paused.emit('ask', 'Hello?');
  await paused.settle();
  expect(paused.page.data?.failure).toMatchObject({ code: 'paused' });
});

test('what this device cannot hold is refused before its licence and its first byte, unless it is kept', async () => {
  const { page, opening, engine, emit, settle } = setUp(FALCON, null, { memory: 2 * 1024 ** 3 });
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'failed' }, failure: { code: 'refused-memory' } });
  expect(engine.open).not.toHaveBeenCalled();
  engine.stored.mockResolvedValue([{ url: KEY, complete: true, stored: 4.2e9 } as StoredModel]);
  emit('retry');
  opening.resolve(OPEN);
  await settle();
  expect(page.data?.status.kind).toBe('ready');
});

test('a browser that keeps nothing is told of once, and the chat goes on in memory', async () => {
  onTestFinished(refuseDatabases());
  const { page, opening, answering, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  await settle();
  expect(page.data?.failure).toMatchObject({ code: 'app-storage' });
  emit('dismiss');
  emit('ask', 'One?');
  await settle();
  token('Yes.');
  answering.resolve();
  await settle();
  expect(page.data).toMatchObject({ failure: undefined, chats: { list: [{ title: 'One?' }] } });
  emit('newChat');
  emit('openChat', page.data?.chats.list[0]?.id);
  await settle();
  expect(page.data).toMatchObject({ failure: undefined, messages: [{ text: 'One?' }, { text: 'Yes.' }] });
});

test('for as long as nothing is kept the page has why, also when the error is dismissed, and neither when it is kept again', async () => {
  const { page, opening, answering, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  await settle();
  expect(page.data?.unkept).toBeUndefined();
  const free = fillDisk('conversations');
  onTestFinished(free);
  emit('ask', 'One?');
  await settle();
  expect(page.data).toMatchObject({ failure: { code: 'app-room' }, unkept: { code: 'app-room' } });
  emit('dismiss');
  token('Yes.');
  answering.resolve();
  await settle();
  expect(page.data).toMatchObject({ failure: undefined, unkept: { code: 'app-room' }, answering: false, chats: { list: [{ title: 'One?' }] } });
  free();
  emit('renameChat', { id: page.data?.chats.current ?? '', title: 'Two' });
  await settle();
  expect(page.data).toMatchObject({ failure: undefined, unkept: undefined, chats: { list: [{ title: 'Two' }] } });
});

test('an error goes when the same thing succeeds, whatever it was, and no other does', async () => {
  const { page, opening, engine, emit, settle } = setUp();
  opening.resolve(OPEN);
  await settle();
  const code = () => page.data?.failure?.code;
  const file = (text: string) => new File([text], 'x.json');
  const conversations = JSON.stringify({
    format: 'web-mamba-conversations', version: 1,
    conversations: [{ title: 'A', created: 1, updated: 1, preset: 'assistant', system: '', knowledge: '', leaf: 1, messages: [{ id: 1, parent: null, role: 'user', text: 'a' }] }],
  });
  const model = { url: 'u', parts: ['a'] } as StoredModel;
  const fails = (fault: 'in-use' | 'read') => () => Promise.reject(failure(fault));
  emit('importChats', file('{}'));
  await settle();
  expect(code()).toBe('import-file');
  emit('setSampling', { key: 'topK', value: 7 });
  emit('verify', model);
  await settle();
  expect(code()).toBe('import-file');
  emit('importChats', file(conversations));
  await settle();
  expect([code(), page.data?.chats.imported]).toEqual([undefined, { added: 1, known: 0 }]);
  emit('importChats', file('null'));
  await settle();
  expect([code(), page.data?.chats.imported]).toEqual(['import-file', undefined]);
  engine.verify.mockImplementationOnce(fails('in-use'));
  emit('verify', model);
  await settle();
  expect(code()).toBe('in-use');
  emit('importChats', file(conversations));
  await settle();
  expect(code()).toBe('in-use');
  emit('verify', model);
  await settle();
  expect(code()).toBeUndefined();
  for (const [call, event] of [['remove', 'remove'], ['exportPart', 'export']] as const) {
    engine[call].mockImplementationOnce(fails('read'));
    emit(event, model);
    await settle();
    expect([event, code()]).toEqual([event, 'read']);
    emit(event, model);
    await settle();
    expect([event, code()]).toEqual([event, undefined]);
  }
  emit('failed', failure('card'));
  emit('succeeded', 'card');
  expect(code()).toBeUndefined();
  emit('failed', failure('files-refused'));
  emit('openFiles', { files: [new File(['x'], 'm.gguf')] });
  await settle();
  expect(code()).toBeUndefined();
});

test('the browser’s way back leads to what was shown before, and not out of the page', async () => {
  const { page, address, back, opening, answering, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  await settle();
  emit('ask', 'One?');
  await settle();
  token('Yes.');
  answering.resolve();
  await settle();
  const { chat } = address;
  // The first question only says where the page is.
  expect(address.went).toEqual([]);
  emit('newChat');
  emit('showView', 'documents');
  expect(address.went).toEqual([{ view: 'chat', chat: null }, { view: 'documents' }]);
  Object.assign(address, { view: 'chat', chat });
  back();
  await settle();
  expect(page.data).toMatchObject({ view: 'chat', messages: [{ text: 'One?' }, { text: 'Yes.' }] });
  address.chat = null;
  back();
  await settle();
  expect(page.data?.messages).toEqual([]);
  expect(address.went).toHaveLength(2);
});

test('figures are those of the answer that is shown, from its first word on', async () => {
  const { page, opening, answering, engine, emit, token, settle } = setUp();
  opening.resolve(OPEN);
  emit('ask', 'One?');
  await settle();
  token('Yes');
  token('.');
  await settle();
  expect(page.data).toMatchObject({ answering: true, chats: { stats: { tokens: 2, firstToken: expect.any(Number) as number } } });
  answering.resolve();
  await settle();
  engine.generate.mockResolvedValue(undefined);
  const first = page.data?.messages[1];
  emit('newChat');
  await settle();
  expect(page.data?.chats).toMatchObject({ stats: undefined, times: [] });
  expect(first).toMatchObject({ state: { kind: 'done' } });
});

test('an import says how many conversations came in; the same file adds nothing twice', async () => {
  const { page, emit, settle } = setUp();
  const record = { title: 'Rain', created: 1, updated: 1, preset: 'assistant', system: '', knowledge: '', messages: [{ id: 1, parent: null, role: 'user', text: 'x' }], leaf: 1 };
  const text = JSON.stringify({ format: 'web-mamba-conversations', version: 1, conversations: [record, { ...record, created: 2 }] });
  await settle();
  for (const imported of [{ added: 2, known: 0 }, { added: 0, known: 2 }]) {
    emit('importChats', new File([text], 'x.json'));
    await settle();
    expect(page.data?.chats).toMatchObject({ imported, list: [{ title: 'Rain' }, { title: 'Rain' }] });
  }
  emit('searchChats', 'rain');
  await settle();
  expect(page.data?.chats.imported).toBeUndefined();
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

test('other answers to a question are written at once, can be looked at meanwhile, and the chat goes on from the one that is shown', async () => {
  const { page, opening, answering, batching, sayOf, engine, emit, token, settle } = setUp();
  const shown = () => page.data?.messages.at(-1)?.text;
  const word = (index: number, text: string) => sayOf({ index, type: 'token', id: 1, text, milliseconds: 1 });
  const end = { type: 'end', text: '', seed: 1, promptTokens: 3, prefilledTokens: 1, tokens: 1, prefillTps: 1, decodeTps: 1 } as const;
  opening.resolve(OPEN);
  await settle();
  emit('setSampling', { key: 'seed', value: 7 });
  emit('ask', 'One?');
  await settle();
  token('Yes.');
  answering.resolve();
  await settle();
  const first = page.data?.messages[1];
  if (first?.role !== 'assistant') throw new Error('an answer');
  emit('answerBatch', first);
  await settle();
  const [prompts, options] = engine.generateBatch.mock.calls[0] ?? [];
  expect(prompts).toEqual(Array(3).fill([{ role: 'user', content: 'One?' }]));
  // The first answer had the seed itself.
  expect(options).toMatchObject({ seed: 8, sequences: 3 });
  ['Ja.', 'Oui.', 'Da.'].forEach((text, index) => word(index, text));
  sayOf({ ...end, index: 2, stop: 'eos' });
  expect(shown()).toBe('Ja.');
  const running = page.data?.messages[1];
  expect(running && page.data?.chats.batch(running)).toEqual({ count: 3, finished: 1 });
  expect(running && page.data?.chats.branches(running)).toEqual({ index: 1, ids: [2, 3, 4, 5], shut: false });
  sayOf({ type: 'rebuild' });
  expect(page.data?.status).toMatchObject({ rebuilding: true });
  sayOf({ type: 'rebuilt' });
  emit('showBranch', 4);
  expect(shown()).toBe('Oui.');
  // Stopped: those that had not ended keep their words.
  batching.resolve();
  await settle();
  expect(page.data).toMatchObject({ answering: false, failure: undefined, status: { rebuilding: false } });
  expect(page.data?.messages[1]).toMatchObject({ text: 'Oui.', state: { kind: 'done', stop: 'cancelled' } });
  emit('ask', 'Two?');
  await settle();
  expect(engine.generate.mock.calls.at(-1)?.[0]).toMatchObject([{ content: 'One?' }, { content: 'Oui.' }, { content: 'Two?' }]);
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

test('the hub says the size that is shown with a licence, and of a file that it does not have no licence is shown', async () => {
  const listed = setUp(FALCON);
  listed.engine.listings.mockResolvedValue([{ kind: 'listed', bytes: 4_567_000_000 }] as never);
  await listed.settle();
  expect(listed.page.data?.status).toMatchObject({ kind: 'licence', bytes: 4_567_000_000 });
  const absent = setUp();
  absent.engine.listings.mockResolvedValue([{ kind: 'absent' }] as never);
  absent.emit('openEntry', absent.page.data?.catalogue.find(({ id }) => id === FALCON) ?? expect.fail());
  await absent.settle();
  expect(absent.page.data).toMatchObject({ status: { kind: 'failed' }, failure: { code: 'not-on-hub' } });
  expect(absent.engine.open).not.toHaveBeenCalled();
});

const NEW = 'http://page/models/web-mamba-demo-31m-v2-q4_k_m.gguf';
const OLD = 'http://page/models/web-mamba-demo-31m-q4_k_m.gguf';
const opened = ({ mock }: { mock: { calls: unknown[][] } }) => mock.calls.map(([source]) => (source as { urls?: string[] }).urls?.[0]);

test.each([
  ['nothing is kept', [], [NEW]],
  ['the earlier version is kept', [{ url: OLD, complete: true }], [OLD]],
  ['a part of it is kept', [{ url: OLD, complete: false }], [NEW]],
  ['both are kept', [{ url: OLD, complete: true }, { url: NEW, complete: true }], [NEW]],
  ['the new one is on its way', [{ url: OLD, complete: true }, { url: NEW, complete: false }], [NEW]],
])('where %s, a visit that names no model opens the right version of the first', async (_, kept, expected) => {
  const { address, page, opening, engine, settle } = setUp(null, null, { kept });
  opening.resolve(OPEN);
  await settle();
  expect(opened(engine.open)).toEqual(expected);
  expect(address.model).toBeNull();
  expect(page.data).toMatchObject({ status: { kind: 'ready' }, entry: { id: expected[0] === OLD ? 'demo-1' : 'demo' } });
});

test('from an earlier version its newer one is opened when the visitor says so, and the way back is the list of what is kept', async () => {
  const { address, page, opening, engine, emit, settle } = setUp(null, null, { kept: [{ url: OLD, complete: true }] });
  opening.resolve(OPEN);
  await settle();
  const newer = page.data?.entry && newerOf(page.data.entry);
  expect(newer).toBe(page.data?.catalogue[0]);
  emit('openEntry', newer);
  await settle();
  emit('openStored', { url: OLD, name: 'web-mamba demo 31M' } as StoredModel);
  await settle();
  expect(opened(engine.open)).toEqual([OLD, NEW, OLD]);
  expect([address.model, page.data?.name]).toEqual(['demo-1', 'web-mamba demo 31M']);
});

test('a saved state goes on in the version that the address asks for', async () => {
  const { opening, beginning, engine, settle } = setUp(null, 'manual.state', { kept: [{ url: OLD, complete: true }] });
  opening.resolve(OPEN);
  beginning.resolve({ position: 9, messages: [], fileBytes: 1 });
  await settle();
  expect(opened(engine.open)).toEqual([NEW]);
});

test.each(['demo-1', 'models/web-mamba-demo-31m-q4_k_m.gguf', OLD])('%s opens a whole copy, and without one says what has taken its place', async (model) => {
  const there = setUp(model, null, { kept: [{ url: OLD, complete: true }] });
  there.opening.resolve(OPEN);
  await there.settle();
  expect(opened(there.engine.open)).toEqual([OLD]);
  for (const kept of [[], [{ url: OLD, complete: false }]]) {
    const { page, engine, settle } = setUp(model, null, { kept });
    await settle();
    expect(engine.open).not.toHaveBeenCalled();
    expect(page.data).toMatchObject({ status: { kind: 'failed' }, failure: { code: 'replaced' } });
    expect(`${page.data?.failure?.message} ${page.data?.failure?.remedy}`).toMatch(/^web-mamba demo 31M is no longer [^{}]*web-mamba demo 31M v2[^{}]*$/);
  }
});

test('a damaged copy of an earlier version, which no server can mend, says what has taken its place', async () => {
  const { page, opening, settle } = setUp('demo-1', null, { kept: [{ url: OLD, complete: true }] });
  opening.reject(failure('http-status', { status: 404, url: OLD }));
  await settle();
  expect(page.data).toMatchObject({ failure: { code: 'replaced', detail: 'The server did not give the model: it answered 404.' } });
});

test('a licence is not asked for again where some of the model is kept', async () => {
  const { engine, emit, settle } = setUp();
  engine.stored.mockResolvedValue([{ url: KEY } as StoredModel]);
  emit('openAddress', KEY);
  await settle();
  expect(engine.open).toHaveBeenLastCalledWith(expect.objectContaining({ kind: 'hub' }), { backend: 'auto' }, expect.anything());
});

test('what the page itself could not do is said', async () => {
  const { page, emit, settle } = setUp();
  emit('failed', failure('files-refused', {}, 'SecurityError'));
  await settle();
  expect(page.data?.failure).toMatchObject({ code: 'files-refused', detail: 'SecurityError' });
});

test('a paused download is no error, and goes on or is given up', async () => {
  const { page, opening, engine, emit, settle } = setUp();
  emit('pause');
  expect(engine.endOpening).toHaveBeenCalledWith('pause');
  opening.reject(failure('paused'));
  await settle();
  expect(page.data).toMatchObject({ status: { kind: 'paused' }, failure: undefined });
  engine.stored.mockResolvedValue([{ url: 'http://page/models/web-mamba-demo-31m-v2-q4_k_m.gguf' } as StoredModel]);
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
