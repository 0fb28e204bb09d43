/** OpenAI's calls and counts of tokens over the real engine: the wasm package and a session in this thread, with the demo model. */
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openAiFetch, type GenerateEvent, type LoadedModel, type Prompt } from 'web-mamba';
import { realModel } from './real-model';

const MESSAGES = [{ role: 'user', content: 'Hello! What is your name?' }] as const;
const SAMPLED = { temperature: 1, max_tokens: 12, seed: 5 } as const;

let model: LoadedModel;

beforeAll(async () => {
  ({ model } = await realModel());
}, 60_000);
afterAll(async () => {
  await model?.close();
  vi.unstubAllGlobals();
});

async function written(prompt: Prompt, options: Parameters<LoadedModel['generate']>[1]): Promise<{ text: string; end: Extract<GenerateEvent, { type: 'end' }> }> {
  let text = '';
  for await (const event of model.generate(prompt, options)) {
    if (event.type === 'token' || event.type === 'end') text += event.text;
    if (event.type === 'end') return { text, end: event };
  }
  throw new Error('no end');
}

test('an answer is that of generate, as a whole, in chunks and through the client', async () => {
  const { text, end } = await written([...MESSAGES], { temperature: 1, maxTokens: 12, seed: 5 });
  const { choices, usage } = await model.chat.completions.create({ messages: MESSAGES, ...SAMPLED });
  expect(choices[0]?.message.content).toBe(text.replace(/^\s*\n/, ''));
  expect(choices[0]?.finish_reason).toBe(end.stop === 'length' ? 'length' : 'stop');
  expect(usage).toMatchObject({ prompt_tokens: end.promptTokens, completion_tokens: end.tokens });
  // The same prompt was read before, but for its last token at least.
  expect(usage.prompt_tokens_details.cached_tokens).toBe(end.promptTokens - 1);
  const client = new OpenAI({ baseURL: 'http://web-mamba/v1', apiKey: 'none', fetch: openAiFetch(model), dangerouslyAllowBrowser: true });
  let streamed = '';
  for await (const chunk of await client.chat.completions.create({ model: 'demo', messages: [...MESSAGES], stream: true, ...SAMPLED })) streamed += chunk.choices[0]?.delta.content ?? '';
  expect(streamed).toBe(choices[0]?.message.content);
});

test('choices are those of the seeds that follow each other, and a prompt of several counts once', async () => {
  const { choices, usage } = await model.completions.create({ prompt: 'Once upon a time', n: 3, ...SAMPLED });
  const alone = await Promise.all([5, 6, 7].map((seed) => model.completions.create({ prompt: 'Once upon a time', ...SAMPLED, seed })));
  expect(choices.map(({ text }) => text)).toEqual(alone.map((each) => each.choices[0]?.text));
  expect(new Set(choices.map(({ text }) => text)).size).toBe(3);
  expect(usage.prompt_tokens).toBe(alone[0]?.usage.prompt_tokens);
  expect(usage.completion_tokens).toBe(alone.reduce((sum, each) => sum + each.usage.completion_tokens, 0));
  const [fresh, again] = [await model.completions.create({ prompt: 'A text of its own', n: 2, ...SAMPLED }), await model.completions.create({ prompt: 'A text of its own', n: 2, ...SAMPLED })];
  const cached = (each: typeof fresh) => each.usage.prompt_tokens_details.cached_tokens;
  expect([cached(fresh), cached(again)]).toEqual([0, fresh.usage.prompt_tokens - 1]);
  expect(again.choices).toEqual(fresh.choices);
});

test('several prompts are continued as each of them alone, from texts and from tokens', async () => {
  const prompts = ['The sun', 'A river'];
  const options = { temperature: 0, max_tokens: 6 } as const;
  const alone = await Promise.all(prompts.map((prompt) => model.completions.create({ prompt, ...options })));
  const together = await model.completions.create({ prompt: prompts, ...options });
  expect(together.choices.map(({ text }) => text)).toEqual(alone.map((each) => each.choices[0]?.text));
  expect(together.usage.prompt_tokens).toBe(alone.reduce((sum, each) => sum + each.usage.prompt_tokens, 0));
  const ids = [...await model.tokenize('The sun')];
  expect((await model.completions.create({ prompt: ids, ...options })).usage.prompt_tokens).toBe(ids.length);
});

test('a stop text ends a choice and is no part of it', async () => {
  const options = { prompt: 'Once upon a time', temperature: 0, max_tokens: 12 } as const;
  const [whole] = (await model.completions.create(options)).choices;
  const stop = whole?.text.slice(6, 9) ?? '';
  const [stopped] = (await model.completions.create({ ...options, stop })).choices;
  expect([stopped?.text, stopped?.finish_reason]).toEqual([whole?.text.slice(0, whole.text.indexOf(stop)), 'stop']);
});

test('tokens of a prompt are counted as usage has them', async () => {
  for (const prompt of ['Hello', [...MESSAGES], [{ role: 'system', content: 'Be brief.' }, ...MESSAGES]] as Prompt[]) {
    const { end } = await written(prompt, { maxTokens: 1 });
    expect(await model.countTokens(prompt)).toBe(end.promptTokens);
  }
});

test('what the engine refuses is refused by its own error, and the next call is answered', async () => {
  await expect(model.completions.create({ prompt: '' })).rejects.toMatchObject({ name: 'MambaError', code: 'empty-prompt' });
  await expect(model.completions.create({ prompt: ['a', ''], stream: true })).rejects.toMatchObject({ code: 'empty-prompt' });
  await expect(model.completions.create({ prompt: [2 ** 32 - 1] })).rejects.toMatchObject({ code: 'token-range' });
  const refused = await openAiFetch(model)('/v1/completions', { method: 'POST', body: JSON.stringify({ prompt: '' }) });
  expect([refused.status, await refused.json()]).toMatchObject([400, { error: { type: 'invalid_request_error', code: 'empty-prompt' } }]);
  expect((await model.completions.create({ prompt: 'a', max_tokens: 1 })).choices).toHaveLength(1);
});

test('an answer that is aborted ends with its reason, alone or one of several, and the next one is answered', async () => {
  for (const n of [1, 3]) {
    const control = new AbortController();
    const stream = await model.completions.create({ prompt: 'Once', n, stream: true, ignore_eos: true, max_tokens: 4000 }, { signal: control.signal });
    const ended = (async () => { for await (const chunk of stream) if (chunk.choices[0]?.text) control.abort('enough'); })();
    await expect(ended).rejects.toBe('enough');
    expect((await model.completions.create({ prompt: 'a', max_tokens: 1, n })).choices).toHaveLength(n);
  }
});

test('log-probabilities are those of generate and of the score, and bytes join to the text', async () => {
  const options = { temperature: 1.3, max_tokens: 8, seed: 3 } as const;
  const { choices: [choice] } = await model.completions.create({ prompt: 'Once upon a time', logprobs: 3, ...options });
  const { tokens, token_logprobs: logprobs, text_offset: offsets } = choice?.logprobs ?? { tokens: [], token_logprobs: [], text_offset: [] };
  expect(tokens).toHaveLength(8);
  expect(tokens.join('')).toBe(choice?.text);
  expect(offsets).toEqual(tokens.map((_, at) => tokens.slice(0, at).join('').length));
  const ids: number[] = [];
  for await (const event of model.generate('Once upon a time', { temperature: 1.3, maxTokens: 8, seed: 3, logprobs: 0 })) if (event.type === 'token') ids.push(event.id);
  const score = await model.score('Once upon a time', Uint32Array.from(ids));
  expect(score.logprob).toBeCloseTo(logprobs.reduce((sum, each) => sum + each, 0), 4);
  for (const [at, each] of score.logprobs.entries()) expect(each).toBeCloseTo(logprobs[at] ?? NaN, 4);
  const chat = await model.chat.completions.create({ messages: MESSAGES, logprobs: true, top_logprobs: 2, ...SAMPLED });
  const content = chat.choices[0]?.logprobs?.content ?? [];
  expect(new TextDecoder().decode(Uint8Array.from(content.flatMap(({ bytes }) => bytes))).trim()).toBe(chat.choices[0]?.message.content?.trim());
  expect(content.every(({ logprob, top_logprobs: top }) => top.length === 2 && (top[0]?.logprob ?? -Infinity) >= logprob)).toBe(true);
});

test('a bias rules a token out and another in', async () => {
  const [id = 0] = await model.tokenize(' sun');
  const { choices: [forced] } = await model.completions.create({ prompt: 'The', max_tokens: 2, logit_bias: { [id]: 100 } });
  expect(forced?.text).toBe(' sun sun');
});

test('texts become tokens and texts again, conversations what an answer is read from, and both vectors', async () => {
  const text = 'Größe – 5 €, \u{1f600}!';
  expect(await model.detokenize(await model.tokenize(text))).toBe(text);
  const rendered = await model.applyChatTemplate([...MESSAGES]);
  expect(rendered).toContain(MESSAGES[0].content);
  expect([...await model.tokenize(rendered)]).toHaveLength(await model.countTokens([...MESSAGES]));
  expect((await model.applyChatTemplate([...MESSAGES], { addGenerationPrompt: false })).length).toBeLessThan(rendered.length);
  expect(await model.chatTemplate()).toContain('message');
  const [first, second] = await model.embed(['The sun is warm.', 'A river.']);
  const alone = await model.embed('A river.', { pooling: 'mean', normalize: true });
  expect([first?.length, [...alone]]).toEqual([model.info.dModel, [...(second ?? [])]]);
  expect(Math.hypot(...alone)).toBeCloseTo(1, 5);
});

test('a perplexity is of the score, and an aborted one ends with its reason', async () => {
  const ids = await model.tokenize('The river runs to the sea.');
  const { logprob, logprobs } = await model.score(ids.slice(0, 1), ids.slice(1));
  expect(await model.perplexity('The river runs to the sea.')).toBeCloseTo(Math.exp(-logprob / logprobs.length), 3);
  await expect(model.perplexity('')).rejects.toMatchObject({ name: 'MambaError', code: 'invalid-request' });
  const control = new AbortController();
  const ended = model.perplexity('The river runs to the sea. '.repeat(2000), { signal: control.signal });
  setTimeout(() => control.abort('enough'), 30);
  await expect(ended).rejects.toBe('enough');
  expect(await model.countTokens('a')).toBe(1);
});
