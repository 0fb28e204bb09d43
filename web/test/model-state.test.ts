/** States of a model as values, over the real engine and over workers that the test breaks. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { failure, type AnswerSettings, type LoadedModel, type Prompt } from 'web-mamba';
import { answeringModel } from './answering-model';
import { continuationOf } from '../engine/src/worker/prompt-tokens';
import { realModel } from './real-model';

const TUNED = path.join(import.meta.dirname, '../../tests/golden/states/tuned');
const GOLDEN = path.join(import.meta.dirname, '../../tests/golden/models');
/** Whatever a caller without types may pass. */
type Anything = any;

async function written(model: LoadedModel, prompt: Prompt, options: AnswerSettings = {}): Promise<{ text: string; prefilled: number; total: number }> {
  let text = '';
  for await (const event of model.generate(prompt, options)) {
    if (event.type === 'token' || event.type === 'end') text += event.text;
    if (event.type === 'end') return { text, prefilled: event.prefilledTokens, total: event.promptTokens };
  }
  throw new Error('no end');
}

const codeOf = (work: Promise<unknown>) => work.then(() => undefined, (thrown: { code?: string; name?: string }) => thrown.code ?? thrown.name);

describe('with the real engine', () => {
  const LONG = 'Once upon a time there was a small boat on a wide sea. '.repeat(12);
  const QUESTION = [{ role: 'user', content: 'Tell me about the boat.' }];
  const SEEDED = { maxTokens: 12, temperature: 1, seed: 7 } as const;
  let model: LoadedModel;

  beforeAll(async () => ({ model } = await realModel()), 60_000);
  afterAll(async () => {
    await model?.close();
    vi.unstubAllGlobals();
  });

  test('a text is read once, and every answer that goes on from there is the same', async () => {
    const progress = vi.fn();
    const state = await model.state.read(LONG, { onProgress: progress });
    const tokens = (await model.tokenize(LONG)).length;
    expect(state).toMatchObject({ position: tokens, messages: [], beginning: undefined, order: undefined });
    expect(progress.mock.calls.at(-1)).toEqual([{ done: tokens, total: tokens }]);
    const first = await written(model, QUESTION, { ...SEEDED, resume: true });
    expect(first.prefilled).toBeLessThan(tokens);
    expect(first.total).toBeGreaterThan(tokens);
    expect((await written(model, 'Something else.', SEEDED)).text).not.toBe(first.text);
    await model.state.restore(state);
    // Of the question nothing is read again either: its end was kept.
    const again = { ...first, prefilled: 1 };
    expect(await written(model, QUESTION, { ...SEEDED, resume: true })).toEqual(again);
    expect(await written(model, QUESTION, { ...SEEDED, state })).toEqual(again);
    expect(await written(model, QUESTION, { ...SEEDED, state: state.fork() })).toEqual(again);
  });

  test('an answer that was saved half way goes on as it would have, with its own sampler', async () => {
    const whole = await written(model, 'Once upon', { ...SEEDED, ignoreEos: true });
    let text = '';
    for await (const event of model.generate('Once upon', { ...SEEDED, maxTokens: 5, ignoreEos: true })) if (event.type !== 'prefill' && 'text' in event) text += event.text;
    const half = await model.state.save();
    const rest = await written(model, '', { ...SEEDED, maxTokens: 7, ignoreEos: true, state: half });
    expect(text + rest.text).toBe(whole.text);
  });

  test('a text that goes on is read as it is', async () => {
    const [all, start] = [await model.tokenize('One two'), await model.tokenize('One')];
    await model.state.read('One');
    const { position } = await model.state.read(' two', { resume: true });
    expect(position).toBe(start.length + (await model.tokenize(' two')).length);
    expect(position).toBe(all.length);
  });

  test('becomes a file and comes back from it, exact or of half the size, with its conversation', async () => {
    const state = (await model.state.read([{ role: 'user', content: LONG }])).fork(QUESTION);
    const [exact, half, packed] = [await state.toBlob('f32', { compress: false }), await state.toBlob(null, { compress: false }), await state.toBlob()];
    expect(half.size / exact.size).toBeCloseTo(0.5, 1);
    expect(packed.size).toBeLessThan(half.size);
    const answer = await written(model, '', { ...SEEDED, state });
    const opened = await model.state.open(exact);
    expect(opened).toMatchObject({ position: state.position, messages: QUESTION });
    expect(await written(model, '', { ...SEEDED, state: opened })).toEqual(answer);
    expect(await model.state.open(new File([packed], 'a.state'))).toMatchObject({ position: state.position, messages: QUESTION });
    const bytesOf = async (file: Blob) => Buffer.from(await file.arrayBuffer());
    expect((await bytesOf(await opened.toBlob('f32', { compress: false }))).equals(await bytesOf(exact))).toBe(true);
  });

  test('files that are no state of this model are refused by name, and the model stays where it is', async () => {
    const state = await model.state.read(LONG);
    const bytes = new Uint8Array(await (await state.toBlob('f32', { compress: false })).arrayBuffer());
    const spoilt = bytes.slice();
    spoilt[spoilt.length >> 1] = (spoilt[spoilt.length >> 1] ?? 0) ^ 1;
    expect(await codeOf(model.state.open(new Blob([spoilt])))).toBe('state-damaged');
    expect(await codeOf(model.state.open(new Blob([bytes.slice(0, 1000)])))).toBe('state-damaged');
    expect(await codeOf(model.state.open(new Blob(['<html>'])))).toBe('not-state');
    const { model: other } = await realModel(path.join(GOLDEN, 'rwkv7-a-F32.gguf'));
    const foreign = await other.state.save();
    expect(await codeOf(model.state.restore(foreign))).toBe('state-model');
    expect(await codeOf(model.state.open(await foreign.toBlob()))).toBe('state-model');
    await other.close();
    expect(await codeOf(foreign.toBlob())).toBe('freed');
    expect((await model.state.save()).position).toBe(state.position);
  });

  test('a tuned state of another program is where a conversation begins', async () => {
    const { question, answers } = JSON.parse(readFileSync(path.join(TUNED, 'answers.json'), 'utf8')) as { question: string; answers: Record<string, string> };
    const { model: rwkv } = await realModel(path.join(GOLDEN, 'rwkv7-a-F32.gguf'));
    const names = Object.keys(answers).filter((name) => /\.(pth|st)$/.test(name));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const state = await rwkv.state.open(new File([readFileSync(path.join(TUNED, name))], name));
      expect(state).toMatchObject({ position: 0, beginning: expect.stringMatching(/./) as string, order: expect.stringMatching(/-/) as string });
      const { text } = await written(rwkv, [{ role: 'user', content: question }], { state, temperature: 0, maxTokens: 32 });
      expect(text.trim()).toBe(answers[name]?.trim());
      // As a value and as a file it is the same beginning.
      const again = await rwkv.state.open(await state.toBlob('f32'));
      expect(again.beginning).toBe(state.beginning);
    }
    await rwkv.close();
  });

  test('a call of a signal that is set rejects with its reason, and the next has its turn', async () => {
    const control = new AbortController();
    const reading = model.state.read(LONG.repeat(20), { signal: control.signal, onProgress: () => control.abort('enough') });
    await expect(reading).rejects.toBe('enough');
    await expect(model.state.save({ signal: AbortSignal.abort('never') })).rejects.toBe('never');
    expect((await model.state.read(LONG)).position).toBe((await model.tokenize(LONG)).length);
  });

  test('reading and saving is one turn, whatever is asked meanwhile', async () => {
    const reading = model.state.read(LONG);
    const other = written(model, 'Another text', { ...SEEDED, maxTokens: 2 });
    expect((await reading).position).toBe((await model.tokenize(LONG)).length);
    await other;
  });
});

describe('over a worker that breaks', () => {
  afterEach(() => vi.unstubAllGlobals());
  const saved = { file: new Blob(['a state']), position: 3, messages: [] };
  const never = () => new Promise<never>(() => undefined);

  test('what was read is gone, which is said and never passed over; a value that was saved is not', async () => {
    const { model, asked } = await answeringModel({ pieces: ['a'] }, (calls, worker, number) => Object.assign(calls, {
      takeState: async () => saved,
      ...(number === 1 ? { tokenize: () => (queueMicrotask(() => worker.fault()), never()) } : {}),
    }));
    const state = await model.state.save();
    expect(await codeOf(model.tokenize('a'))).toBe('engine-crashed');
    expect(await codeOf(model.state.save())).toBe('state-unknown');
    expect(await codeOf(written(model, 'a', { resume: true }))).toBe('state-unknown');
    expect(await codeOf(model.state.read('a', { resume: true }))).toBe('state-unknown');
    expect(asked()).toEqual([]);
    await written(model, 'a', { state });
    expect(asked()).toEqual([[['a'], { resume: true, state: saved.file }]]);
    expect((await model.state.save()).position).toBe(3);
  });

  test('an answer from a value goes on in another worker, from the same value and what was written', async () => {
    const { model, asked } = await answeringModel({ pieces: ['a', 'b'] }, (calls, worker, number) => {
      Object.assign(calls, { takeState: async () => saved });
      calls.open.mockImplementation(async () => ({ url: 'https://example.org/tiny.gguf', name: 'tiny', info: { backend: 'webgpu', bytesPerToken: 1 } }) as never);
      if (number > 1) return;
      calls.generate.mockImplementation(async (_, __, onEvent) => {
        await onEvent({ type: 'token', id: 7, text: 'first ', milliseconds: 1 });
        queueMicrotask(() => worker.fault());
        return never();
      });
    });
    const state = await model.state.save();
    expect((await written(model, 'Go on', { state, maxTokens: 9 })).text).toBe('first ab');
    expect(asked().at(-1)).toEqual([['Go on'], { resume: true, state: saved.file, maxTokens: 8, written: Uint32Array.of(7) }]);
  });

  test('an answer that goes on from where the model is ends with its worker', async () => {
    const { model, made } = await answeringModel({ pieces: ['a'] }, (calls, worker, number) => {
      if (number === 1) calls.generate.mockImplementation(() => (queueMicrotask(() => worker.fault()), never()));
      calls.open.mockImplementation(async () => ({ url: 'https://example.org/tiny.gguf', name: 'tiny', info: { backend: 'webgpu', bytesPerToken: 1 } }) as never);
    });
    expect(await codeOf(written(model, 'a', { resume: true }))).toBe('engine-crashed-gpu');
    expect(made.flatMap(({ generate }) => generate.mock.calls)).toHaveLength(1);
  });

  test.each([
    ['options', (model: Anything) => model.state.save({ signals: 1 }), 'invalid-option', { option: 'signals', suggestion: 'signal' }],
    ['a state', (model: Anything) => model.state.restore({}), 'invalid-request', { argument: 'state' }],
    ['a state of generate', (model: Anything) => written(model, 'a', { state: new Blob() as Anything }), 'invalid-option', { option: 'state' }],
    ['a state without resume', async (model: Anything) => written(model, 'a', { state: await model.state.save(), resume: false }), 'invalid-option', { option: 'resume' }],
    ['a prompt', (model: Anything) => model.state.read(7), 'invalid-request', { argument: 'prompt' }],
    ['a source', (model: Anything) => model.state.open(7), 'invalid-request', { argument: 'source' }],
    ['an address', (model: Anything) => model.state.open('ftp://a.example/b.state'), 'address', { url: 'ftp://a.example/b.state' }],
    ['an order', (model: Anything) => model.state.open(new Blob(), { order: 'key' }), 'invalid-option', { option: 'order' }],
    ['numbers', async (model: Anything) => (await model.state.save()).toBlob('q8'), 'invalid-request', { argument: 'numbers' }],
    ['messages', async (model: Anything) => (await model.state.save()).fork([{ role: 'user' }]), 'invalid-request', { argument: 'messages[0].content' }],
  ])('%s of another kind are refused by name', async (_, call, code, data) => {
    const { model } = await answeringModel({ pieces: ['a'] }, (calls) => Object.assign(calls, { takeState: async () => saved }));
    await expect((async () => call(model))()).rejects.toMatchObject({ code, data });
  });

  test('an address is fetched here, so that a signal ends it and a server’s refusal is named', async () => {
    const readState = vi.fn(async (file: Blob, options: object) => ({ ...saved, file, options }));
    const { model } = await answeringModel({ pieces: ['a'] }, (calls) => Object.assign(calls, { readState }));
    const fetched = vi.fn(async (url: string, init: RequestInit) => {
      init.signal?.throwIfAborted();
      return url.endsWith('none.state') ? new Response('', { status: 404 }) : new Response('bytes');
    });
    vi.stubGlobal('fetch', fetched);
    expect((await model.state.open('https://a.example/b/tuned.pth')).position).toBe(3);
    expect(readState.mock.calls[0]?.[1]).toEqual({ name: '/b/tuned.pth' });
    await expect(model.state.open(new URL('https://a.example/none.state'))).rejects.toMatchObject({ code: 'http-status' });
    const control = new AbortController();
    fetched.mockImplementation((_, { signal }) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))));
    const opening = model.state.open('https://a.example/slow.state', { signal: control.signal });
    control.abort('enough');
    await expect(opening).rejects.toBe('enough');
    fetched.mockRejectedValue(new TypeError('Failed to fetch'));
    await expect(model.state.open('https://a.example/gone.state')).rejects.toMatchObject({ code: 'network' });
  });

  test('a failure of the worker keeps its code', async () => {
    const { model } = await answeringModel({ pieces: ['a'] }, (calls) => Object.assign(calls, { takeState: () => Promise.reject(failure('state-unknown').report()) }));
    await expect(model.state.save()).rejects.toMatchObject({ name: 'MambaError', code: 'state-unknown' });
  });
});

test('what goes on from a state is read as it is, and with what was written of it', () => {
  const model = { promptTokens: (prompt: Prompt) => Uint32Array.of(0, ...(prompt as { content: string }[]).map(() => 5)), tokenize: (text: string) => new Uint32Array(text.length).fill(1) };
  expect(continuationOf(model, 'ab', {})).toBe('ab');
  expect(continuationOf(model, 'ab', {}, Uint32Array.of(9))).toEqual(Uint32Array.of(1, 1, 9));
  expect(continuationOf(model, [{ role: 'user', content: 'a' }], {}, Uint32Array.of(9))).toEqual(Uint32Array.of(0, 5, 9));
  const base = { ...model, promptTokens: () => { throw Object.assign(new Error(), { code: 'chat-template' }); } };
  expect(continuationOf(base, [{ role: 'user', content: 'a' }, { role: 'user', content: 'b' }], {})).toBe('a\nb');
});
