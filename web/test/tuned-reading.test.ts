/** Scores, vectors and logits read from the tuned state that a model was taken to, whatever else is asked in between, over the real engine. */
import { openAsBlob } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { realPackage } from './real-model';

const GOLDEN = path.join(import.meta.dirname, '../../tests/golden');
const PROMPT = Uint32Array.of(5, 17, 3);
const REST = Uint32Array.of(99, 40);

afterEach(() => vi.unstubAllGlobals());

test('a tuned state holds for what is read after it, is not lost by logits from zeros, and what has gone with its engine is an error', async () => {
  const { api, file, sessions, workers } = await realPackage(path.join(GOLDEN, 'models/rwkv7-a-F32.gguf'));
  const model = await api.load(file, { backend: 'cpu', activations: 'f32' });
  const tuned = await model.state.open(await openAsBlob(path.join(GOLDEN, 'states/tuned/time-state.safetensors')), { name: 'time-state.safetensors' });
  expect(tuned.beginning).toBeDefined();
  const scored = async () => [...(await model.score(PROMPT, REST)).logprobs];
  const written = async (options: object = {}) => {
    const ids: number[] = [];
    for await (const event of model.generate(PROMPT, { temperature: 0, maxTokens: 4, ignoreEos: true, ...options })) if (event.type === 'token') ids.push(event.id);
    return ids;
  };
  const [zeros, plain] = [await scored(), await written()];
  await model.state.restore(tuned);
  const begun = await scored();
  expect(begun).not.toEqual(zeros);
  const [session] = sessions;
  // A call of the session's own that reads from elsewhere leaves the model where it was.
  const logits = await session?.logits(PROMPT);
  expect(await scored()).toEqual(begun);
  const after = await written({ resume: true });
  expect(await scored()).toEqual(begun);
  // And so do the words that go on from it.
  expect(await written({ state: tuned })).toEqual(after);
  expect(await session?.logits(PROMPT, { beginning: tuned.beginning as string })).not.toEqual(logits);
  // Without a state the model goes back to zeros.
  expect([await written(), await scored()]).toEqual([plain, zeros]);
  await written({ state: tuned });
  expect(await scored()).toEqual(begun);
  workers[0]?.fault();
  await expect(scored()).rejects.toMatchObject({ code: 'state-beginning' });
  await model.state.restore(tuned);
  expect(await scored()).toEqual(begun);
  await model.close();
}, 60_000);
