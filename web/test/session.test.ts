import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AnswerEvent } from '../engine/src/protocol/protocol';
import { Session } from '../engine/src/worker/session';
import type { EngineModel, WasmEngine } from '../engine/src/base/wasm-engine';
import type { ModelSource } from '../engine/src/store/model-source';
import { emptyStore, ggufBytes } from './browser';

const SOURCE: ModelSource = { kind: 'address', name: 'model', urls: ['https://example.org/model.gguf'] };
const INFO = {
  name: 'tiny', architecture: 'mamba', parameters: 1, layers: 1, canThink: false, dModel: 1, vocabSize: 1, fileBytes: 1, stateBytes: 1,
  bytesPerToken: 1, memoryBytes: 1,
  backend: 'cpu', adapter: '', activations: 'f32', reason: 'asked for',
} as const;

const none = () => { throw new Error('no states'); };
const withoutStates = {
  hash: none, promptTokens: () => new Uint32Array(1), conversationTokens: none, knownTokens: none, saveState: none, readState: none, restoreState: none,
  continueLogits: none, newCheckpoints: none, checkpoint: none, addCheckpoint: none, setCheckpoints: none, reload: none,
  beginning: () => undefined, beginFrom: async () => true,
};

/** A model that counts up to `words`, one in each turn of the event loop. */
function countingModel(words: number): EngineModel & { prompts: unknown[] } {
  const prompts: unknown[] = [];
  return {
    prompts,
    info: () => INFO,
    async *generateBatch(asked) {
      for (const [index, prompt] of asked.entries()) {
        prompts.push(prompt);
        for (let id = 0; id < words; id += 1) {
          await new Promise((resolve) => setImmediate(resolve));
          yield { index, type: 'token', id, text: `${id} `, milliseconds: 1 };
        }
        yield { index, type: 'end', text: '', stop: 'eos', seed: 1, promptTokens: 1, prefilledTokens: 1, tokens: words, prefillTps: 1, decodeTps: 1 };
      }
    },
    logits: async () => new Float32Array(1),
    tokenize: () => new Uint32Array(1),
    tokenTable: () => new Uint8Array(4),
    detokenize: () => '',
    chatTemplate: () => undefined,
    applyChatTemplate: () => '',
    score: () => Promise.reject(new Error('no score')),
    perplexity: () => Promise.reject(new Error('no perplexity')),
    embed: () => Promise.reject(new Error('no vectors')),
    bench: () => Promise.reject(new Error('no bench')),
    ...withoutStates,
    free: vi.fn(),
  };
}

async function sessionWith(loadModel: WasmEngine['loadModel'], start: WasmEngine['start'] = async () => undefined) {
  const { store, rows } = await emptyStore();
  return { session: new Session({ start, loadModel, planModel: () => Promise.reject(new Error('no plan')), judgeFit: () => Promise.reject(new Error('no judge')), checkChatTemplate: () => Promise.reject(new Error('no templates')) }, Promise.resolve(store)), store, rows };
}

const engineError = (code: string) => Object.assign(new Error(`engine says ${code}`), { code, remedy: 'engine remedy' });
const quiet = () => undefined;

beforeEach(() => vi.stubGlobal('fetch', async () => new Response(ggufBytes(100))));
afterEach(() => vi.unstubAllGlobals());

test('opening receives the bytes, then loads them, and says how far it is', async () => {
  const steps: string[] = [];
  const { session } = await sessionWith(async ([source], options) => {
    expect(await source?.read(0, 100)).toEqual(ggufBytes(100));
    options?.onProgress?.({ done: 100, total: 100 });
    return countingModel(1);
  });
  const model = await session.open(SOURCE, { backend: 'auto' }, ({ step }) => steps.push(step));
  expect(model).toEqual({ url: SOURCE.kind === 'address' ? SOURCE.urls[0] : '', name: 'model', info: INFO });
  expect([...new Set(steps)]).toEqual(['receive', 'load']);
  expect(await session.stored()).toMatchObject([{ url: model.url, name: 'model', bytes: 100, stored: 100, complete: true, verification: 'received' }]);
});

test('between tokens it rests as it is set to, and a stop ends a rest', async () => {
  const { session } = await sessionWith(async () => {
    // A token takes a second by the clock, and no time.
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
    return countingModel(1000);
  });
  await session.open(SOURCE, {}, quiet);
  await session.setDutyCycle(0.5);
  const events: AnswerEvent[] = [];
  const began = Date.now();
  const answer = session.generate('a', {}, (event) => events.push(event));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(events.filter(({ type }) => type === 'token')).toHaveLength(1);
  await session.stop();
  await answer;
  expect(Date.now() - began).toBeLessThan(900);
  vi.restoreAllMocks();
});

test.each([['architecture', 0], ['truncated', 0], ['tensor', 0], ['gpu', 2], ['out-of-memory', 2]])(
  'after the engine fails with %s, %i rows stay in the store',
  async (code, expected) => {
    const { session, rows } = await sessionWith(() => Promise.reject(engineError(code)));
    await expect(session.open(SOURCE, { backend: 'auto' }, quiet)).rejects.toMatchObject({ code, detail: `engine says ${code}` });
    expect(await rows()).toBe(expected);
  },
);

test.each(['architecture', 'malformed-gguf', 'tensor', 'read'])('a model that has been kept stays when the engine fails with %s', async (code) => {
  let fails = false;
  const { session, rows } = await sessionWith(async () => {
    if (fails) throw engineError(code);
    return countingModel(1);
  });
  await session.open(SOURCE, {}, quiet);
  fails = true;
  await expect(session.open(SOURCE, {}, quiet)).rejects.toMatchObject({ code, remedy: expect.stringMatching(code === 'read' ? /Reload/ : /choose another file/) as string });
  expect(await rows()).toBe(2);
});

/** Loads what has the right bytes only. */
const careful: WasmEngine['loadModel'] = async ([source]) => {
  const bytes = await source?.read(0, 100);
  if (String(bytes) !== String(ggufBytes(100))) throw engineError('malformed-gguf');
  return countingModel(1);
};

test('a model whose copy here is damaged is mended before it is blamed', async () => {
  const { session, store } = await sessionWith(careful);
  const { url } = await session.open(SOURCE, {}, quiet);
  const record = await store.get(url);
  await store.putChunk([url, 0, 0], new Uint8Array(100), record as never);
  const phases = new Set<string | undefined>();
  expect(await session.open(SOURCE, {}, ({ phase }) => phases.add(phase))).toMatchObject({ url });
  expect([...phases]).toContain('verify');
});

test('a copy of a file of this computer that is damaged says what to do, and is not deleted', async () => {
  const { session, store, rows } = await sessionWith(careful);
  const { url } = await session.open({ kind: 'files', files: [new File([ggufBytes(100)], 'mine.gguf')] }, {}, quiet);
  const record = await store.get(url);
  await store.putChunk([url, 0, 0], new Uint8Array(100), record as never);
  await expect(session.open({ kind: 'stored', url }, {}, quiet)).rejects.toMatchObject({ code: 'damaged', remedy: expect.stringContaining('choose the file again') as string });
  expect(await rows()).toBe(2);
});

test('a model that is loaded answers although the disk is full', async () => {
  const { session, store } = await sessionWith(async () => countingModel(1));
  store.touch = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
  expect(await session.open(SOURCE, {}, quiet)).toMatchObject({ name: 'model' });
});

test('an engine that does not start is said so', async () => {
  const { session } = await sessionWith(async () => countingModel(1), () => Promise.reject(new Error('no wasm')));
  await expect(session.open(SOURCE, { backend: 'auto' }, quiet)).rejects.toMatchObject({ code: 'engine-start', detail: 'Error: no wasm' });
});

test('a stop is heard between tokens', async () => {
  const { session } = await sessionWith(async () => countingModel(100_000));
  await session.open(SOURCE, { backend: 'auto' }, quiet);
  let tokens = 0;
  const running = session.generate([{ role: 'user', content: 'count' }], {}, () => (tokens += 1));
  await expect(session.generate([], {}, quiet)).rejects.toMatchObject({ code: 'busy' });
  setTimeout(() => void session.stop(), 20);
  await running;
  expect(tokens).toBeGreaterThan(0);
  expect(tokens).toBeLessThan(100_000);
});

test('whether the model thinks is asked of its prompt too', async () => {
  const model = countingModel(1);
  const asked: unknown[] = [];
  model.promptTokens = (_, options) => {
    asked.push(options);
    return Uint32Array.of(7, 8);
  };
  const { session } = await sessionWith(async () => model);
  await session.open(SOURCE, { backend: 'auto' }, quiet);
  const question = [{ role: 'user', content: 'one' }];
  await session.generate(question, { thinking: 'on' }, quiet);
  await session.generate(question, {}, quiet);
  expect(asked).toEqual([{ thinking: 'on' }, undefined]);
});

test('a model without a chat template continues the text', async () => {
  const model = countingModel(2);
  const asked: unknown[] = [];
  model.promptTokens = (prompt) => {
    asked.push(prompt);
    if (Array.isArray(prompt)) throw engineError('chat-template');
    return Uint32Array.of(7, 8);
  };
  const { session } = await sessionWith(async () => model);
  await session.open(SOURCE, { backend: 'auto' }, quiet);
  const events: AnswerEvent[] = [];
  await session.generate([{ role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }, { role: 'user', content: 'three' }], {}, (e) => events.push(e));
  expect([asked.length, asked[1], model.prompts]).toEqual([2, 'one\ntwo\nthree', [Uint32Array.of(7, 8)]]);
  expect(events.map(({ type }) => type)).toEqual(['token', 'token', 'end']);
});

test('a load that is given up ends at its next read, and what was downloaded is kept', async () => {
  let reads = 0;
  const { session, rows } = await sessionWith(async ([source]) => {
    for (;;) {
      reads += 1;
      await source?.read(0, 10);
      if (reads === 3) void session.endOpening('pause');
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  await expect(session.open(SOURCE, { backend: 'auto' }, quiet)).rejects.toMatchObject({ code: 'paused' });
  expect(reads).toBeLessThan(6);
  expect(await rows()).toBe(2);
  expect(await session.stored()).toMatchObject([{ complete: true }]);
});

test('a download that is cancelled leaves nothing behind', async () => {
  const { session, rows } = await sessionWith(async () => countingModel(1));
  const opening = session.open(SOURCE, { backend: 'auto' }, () => void session.endOpening('discard'));
  await expect(opening).rejects.toMatchObject({ code: 'discarded' });
  expect(await rows()).toBe(0);
});

test('opening another model gives up the first and frees the one before', async () => {
  const models = [countingModel(1), countingModel(1)];
  const { session, rows } = await sessionWith(async () => models.shift() as EngineModel);
  const [first] = models;
  await session.open(SOURCE, { backend: 'auto' }, quiet);
  vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))));
  const slow = session.open({ kind: 'address', name: 'slow', urls: ['https://example.org/slow.gguf'] }, { backend: 'auto' }, quiet);
  const outcome = expect(slow).rejects.toMatchObject({ code: 'cancelled' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await session.open(SOURCE, { backend: 'auto' }, quiet);
  await outcome;
  expect(first?.free).toHaveBeenCalledOnce();
  expect(await rows()).toBe(2);
});

test('several answers come side by side, each event with the number of its prompt', async () => {
  const { session } = await sessionWith(async () => countingModel(2));
  await session.open(SOURCE, {}, quiet);
  const events: string[] = [];
  await session.generateBatch([[{ role: 'user', content: 'a' }], [{ role: 'user', content: 'b' }]], {}, (event) => events.push(`${'index' in event ? event.index : ''} ${event.type}`));
  expect(events).toEqual(['0 token', '0 token', '0 end', '1 token', '1 token', '1 end']);
  await expect(Promise.all([session.generateBatch([], {}, quiet), session.generate([], {}, quiet)])).rejects.toMatchObject({ code: 'busy' });
});

test('a stop that comes while an answer is still being prepared ends it', async () => {
  const { session } = await sessionWith(async () => countingModel(5));
  await session.open(SOURCE, { backend: 'auto' }, quiet);
  const events: AnswerEvent[] = [];
  const answering = session.generate([{ role: 'user', content: 'a' }], {}, (event) => events.push(event));
  await session.stop();
  await answering;
  expect(events).toEqual([]);
  await session.generate([{ role: 'user', content: 'b' }], {}, (event) => events.push(event));
  expect(events.filter(({ type }) => type === 'token')).toHaveLength(5);
});

test('a prompt is counted as it is read: with the template, and of a base model as the text of its conversation', async () => {
  const conversation = [{ role: 'user', content: 'a' }, { role: 'user', content: 'bc' }];
  const asked: unknown[] = [];
  const promptTokens = (hasTemplate: boolean) => (prompt: unknown, options?: object) => {
    asked.push([prompt, options]);
    if (!hasTemplate && Array.isArray(prompt)) throw engineError('chat-template');
    return new Uint32Array(typeof prompt === 'string' ? prompt.length : 9);
  };
  for (const [hasTemplate, length] of [[true, 9], [false, 4]] as const) {
    const { session } = await sessionWith(async () => ({ ...countingModel(1), promptTokens: promptTokens(hasTemplate) }));
    await expect(session.promptTokens('a', {})).rejects.toMatchObject({ code: 'not-stored' });
    await session.open(SOURCE, {}, quiet);
    expect(await session.promptTokens(conversation, { thinking: 'on' })).toHaveLength(length);
    expect(await session.promptTokens('abcdef', {})).toHaveLength(6);
    expect(await session.promptTokens(Uint32Array.of(7), {})).toEqual(Uint32Array.of(7));
  }
  expect(asked).toEqual([[conversation, { thinking: 'on' }], ['abcdef', undefined], [conversation, { thinking: 'on' }], ['a\nbc', undefined], ['abcdef', undefined]]);
});
