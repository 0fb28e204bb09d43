/** The engine's own border, with the real wasm package: every misuse is an error with a code, after which the same instance still answers. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { initSync, loadModel, planModel, serveRank, type ByteSource, type GenerateEvent, type Model } from '../engine/pkg/web_mamba.js';

const here = import.meta.dirname;
const MODEL = path.join(here, '../../tests/golden/models/falcon-tiny-Q4_K_M.gguf');
const OTHER = path.join(here, '../../tests/golden/models/mamba-tiny-Q4_0.gguf');
const CPU = { backend: 'cpu' } as const;
const GREEDY = { temperature: 0, ignoreEos: true } as const;
const PROMPT = Uint32Array.of(5, 6, 7);

const file = new Uint8Array(readFileSync(MODEL));
const source = (changes: object = {}): ByteSource => ({ name: 'tiny', length: file.length, read: async (offset, length) => file.slice(offset, offset + length), ...changes });

let model: Model;
beforeAll(async () => {
  initSync({ module: readFileSync(path.join(here, '../engine/pkg/web_mamba_bg.wasm')) });
  model = await loadModel([source()], CPU);
});

/** Whatever a caller without types may pass. */
type Anything = any;

interface Thrown {
  code: string;
  remedy: string;
  message: string;
  option: string;
  suggestion: string;
  argument: string;
}

/** What a call throws, or rejects with; an iterable is asked for its first event. */
async function thrownBy(call: () => unknown): Promise<Partial<Thrown> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(Object.assign(new Error('it never settles'), { code: 'never' })), 5000)));
  const run = async () => {
    const value = (await call()) as AsyncIterator<unknown> | undefined;
    if (typeof value?.next === 'function') {
      await value.next();
      await value.return?.();
    }
  };
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (thrown) {
    return thrown as Partial<Thrown>;
  } finally {
    clearTimeout(timer);
  }
}

async function stillAnswers(): Promise<void> {
  const logits = await model.logits(Uint32Array.of(1, 2));
  expect(logits).toHaveLength(model.info().vocabSize);
  expect(logits.every(Number.isFinite)).toBe(true);
}

async function events(answer: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of answer) all.push(event);
  return all;
}

const idsIn = (all: readonly GenerateEvent[]) => all.flatMap((event) => (event.type === 'token' ? [event.id] : []));
const seedIn = (all: readonly GenerateEvent[]) => all.flatMap((event) => (event.type === 'end' ? [event.seed] : []))[0];

/** Options that each throw in their own way. */
const throwing = { get maxTokens(): number { throw new Error('no'); } };
const withHole = [1, 2, 3];
delete withHole[1];
const cyclic: Record<string, unknown> = {};
cyclic.maxTokens = cyclic;
const load: Anything = loadModel;
const plan: Anything = planModel;
const reading = (read: Anything) => () => load([source({ read })], CPU);
/** The model without its types. */
const any = (): Anything => model;

type Misuse = [name: string, call: () => unknown, code: string, data?: Partial<Thrown>];

const sources: Misuse[] = [
  ['no sources', () => load(), 'invalid-request', { argument: 'sources' }],
  ['a source without the array', () => load(source(), CPU), 'invalid-request', { argument: 'sources', message: expect.stringContaining('[source]') as string }],
  ['null for sources', () => load(null), 'invalid-request', { argument: 'sources' }],
  ['an address for sources', () => load('model.gguf'), 'invalid-request', { argument: 'sources' }],
  ['bytes for sources', () => load(file), 'invalid-request', { argument: 'sources' }],
  ['a set of sources', () => load(new Set([source()])), 'invalid-request', { argument: 'sources' }],
  ['an array-like of sources', () => load({ length: 1, 0: source() }), 'invalid-request', { argument: 'sources' }],
  ['an empty array', () => load([]), 'split'],
  ['a hole in the array', () => load(new Array(2)), 'invalid-request', { argument: 'sources[0]' }],
  ['undefined in the array', () => load([source(), undefined]), 'invalid-request', { argument: 'sources[1]' }],
  ['null in the array', () => load([null]), 'invalid-request', { argument: 'sources[0]' }],
  ['an address in the array', () => load(['model.gguf']), 'invalid-request', { argument: 'sources[0]' }],
  ['a number in the array', () => load([7]), 'invalid-request', { argument: 'sources[0]' }],
  ['an array in the array', () => load([[source()]]), 'invalid-request', { argument: 'sources[0]' }],
  ['an empty object', () => load([{}]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a source without read', () => load([{ name: 'a', length: 5 }]), 'invalid-request', { argument: 'sources[0].read' }],
  ['a read that is no function', () => load([source({ read: 'x' })]), 'invalid-request', { argument: 'sources[0].read' }],
  ['a source without length', () => load([source({ length: undefined })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a length that is NaN', () => load([source({ length: NaN })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a negative length', () => load([source({ length: -1 })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a fractional length', () => load([source({ length: 1.5 })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['an infinite length', () => load([source({ length: Infinity })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a length above 2^53', () => load([source({ length: 2 ** 60 })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a length as text', () => load([source({ length: '100' })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a bigint for length', () => load([source({ length: 100n })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a name that is none', () => load([source({ name: 7 })]), 'invalid-request', { argument: 'sources[0].name' }],
  ['a getter that throws', () => load([Object.defineProperty(source(), 'length', { get() { throw new Error('no'); } })]), 'invalid-request', { argument: 'sources[0].length' }],
  ['a revoked proxy', () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return load([proxy]); }, 'invalid-request', { argument: 'sources[0].length' }],
  ['readColumns that is no function', () => load([source({ readColumns: true })]), 'invalid-request', { argument: 'sources[0].readColumns' }],
  ['a length of nothing', () => load([source({ length: 0 })]), 'truncated'],
  ['a GPU where there is none', () => load([source()], { backend: 'webgpu' }), 'no-gpu'],
  ['a plan for a GPU where there is none', () => plan([source()], { backend: 'webgpu' }), 'no-gpu'],
  ['a plan without the array', () => plan(source()), 'invalid-request', { argument: 'sources' }],
  ['a plan of null', () => plan([null]), 'invalid-request', { argument: 'sources[0]' }],
  ['a reload without the array', () => any().reload(source()), 'invalid-request', { argument: 'sources' }],
];

const reads: Misuse[] = [
  ['a read that throws', reading(() => { throw new Error('gone'); }), 'read', { message: expect.stringContaining('gone') as string }],
  ['a read that throws a text', reading(() => { throw 'gone'; }), 'read', { message: expect.stringContaining('gone') as string }],
  ['a read that throws nothing', reading(() => { throw undefined; }), 'read'],
  ['a read that throws what cannot be read', reading(() => { throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('y'); } }); }), 'read'],
  ['a read that rejects', reading(async () => { throw new Error('gone'); }), 'read', { message: expect.stringContaining('gone') as string }],
  ['a read that rejects with a number', reading(() => Promise.reject(42)), 'read', { message: expect.stringContaining('42') as string }],
  ['a read that rejects with nothing', reading(() => Promise.reject()), 'read'],
  ['a read that gives nothing', reading(() => undefined), 'read'],
  ['a read that promises nothing', reading(async () => undefined), 'read'],
  ['a read that gives null', reading(() => null), 'read'],
  ['a read that gives a text', reading(async () => 'GGUF'), 'read'],
  ['a read that gives an ArrayBuffer', reading(async (offset: number, length: number) => file.slice(offset, offset + length).buffer), 'read'],
  ['a read that gives a DataView', reading(async (offset: number, length: number) => new DataView(file.buffer, offset, length)), 'read'],
  ['a read that gives other numbers', reading(async (_: number, length: number) => new Int8Array(length)), 'read'],
  ['a read that gives too little', reading(async (offset: number, length: number) => file.slice(offset, offset + length - 1)), 'read'],
  ['a read that gives too much', reading(async (offset: number, length: number) => file.slice(offset, offset + length + 1)), 'read'],
  ['a read that gives a response', reading(async () => new Response('x')), 'read'],
  ['a thenable that throws', reading(() => ({ then() { throw new Error('gone'); } })), 'read'],
];

const options: Misuse[] = [
  ['options that are a text', () => load([source()], 'cpu'), 'invalid-request', { argument: 'options' }],
  ['options that are a number', () => any().generate('a', 5), 'invalid-request', { argument: 'options' }],
  ['options that are an array', () => any().generate('a', [5]), 'invalid-request', { argument: 'options' }],
  ['options that are a function', () => any().generate('a', () => ({})), 'invalid-request', { argument: 'options' }],
  ['options that are a map', () => any().generate('a', new Map([['maxTokens', 3]])), 'invalid-request', { argument: 'options' }],
  ['options that are a promise', () => any().generate('a', Promise.resolve({ maxTokens: 3 })), 'invalid-request', { argument: 'options' }],
  ['a signal for options', () => any().generate('a', new AbortController().signal), 'invalid-request', { argument: 'options' }],
  ['a getter that throws', () => any().generate('a', throwing), 'invalid-option', { option: 'maxTokens' }],
  ['options that contain themselves', () => any().generate('a', cyclic), 'invalid-option', { option: 'maxTokens' }],
  ['a proxy that throws', () => any().generate('a', new Proxy({}, { ownKeys() { throw new Error('no'); } })), 'invalid-request', { argument: 'options' }],
  ['an unknown backend', () => load([source()], { backend: 'gpu2' }), 'invalid-option', { option: 'backend' }],
  ['a backend in capitals', () => load([source()], { backend: 'CPU' }), 'invalid-option', { option: 'backend' }],
  ['a number for backend', () => load([source()], { backend: 1 }), 'invalid-option', { option: 'backend' }],
  ['unknown activations', () => load([source()], { ...CPU, activations: 'q4' }), 'invalid-option', { option: 'activations' }],
  ['gpu that is no object', () => load([source()], { ...CPU, gpu: true }), 'invalid-option', { option: 'gpu' }],
  ['gpu.selfTest that is a text', () => load([source()], { ...CPU, gpu: { selfTest: 'no' } }), 'invalid-option', { option: 'gpu.selfTest' }],
  ['gpu.software that is a number', () => load([source()], { ...CPU, gpu: { software: 1 } }), 'invalid-option', { option: 'gpu.software' }],
  ['workers that are a number', () => load([source()], { ...CPU, workers: 3 }), 'invalid-option', { option: 'workers' }],
  ['workers without start', () => load([source()], { ...CPU, workers: { count: 2 } }), 'invalid-option', { option: 'workers.start' }],
  ['workers.start that is no function', () => load([source()], { ...CPU, workers: { start: 'rank.js' } }), 'invalid-option', { option: 'workers.start' }],
  ['no workers at all', () => load([source()], { ...CPU, workers: { start: () => undefined, count: 0 } }), 'invalid-option', { option: 'workers.count' }],
  ['half a worker', () => load([source()], { ...CPU, workers: { start: () => undefined, count: 1.5 } }), 'invalid-option', { option: 'workers.count' }],
  ['workers.start that starts nothing', () => load([source()], { ...CPU, workers: { start: () => undefined, count: 2 } }), 'worker'],
  ['workers.start that throws', () => load([source()], { ...CPU, workers: { start() { throw new Error('no'); }, count: 2 } }), 'worker'],
  ['workers.start that gives a promise', () => load([source()], { ...CPU, workers: { start: async () => undefined, count: 2 } }), 'worker'],
  ['onProgress that is no function', () => load([source()], { ...CPU, onProgress: 'log' }), 'invalid-option', { option: 'onProgress' }],
  ['a signal that is none', () => load([source()], { ...CPU, signal: {} }), 'invalid-option', { option: 'signal' }],
  ['a controller for a signal', () => any().generate('a', { signal: new AbortController() }), 'invalid-option', { option: 'signal' }],
  ...[NaN, -1, 1.5, Infinity, 2 ** 32, '5', true, [], {}, 5n].map((maxTokens): Misuse => [`maxTokens of ${typeof maxTokens} ${String(maxTokens)}`, () => any().generate('a', { maxTokens }), 'invalid-option', { option: 'maxTokens' }]),
  ...[NaN, -1, Infinity, 1e39, '0.5'].map((temperature): Misuse => [`temperature of ${typeof temperature} ${temperature}`, () => any().generate('a', { temperature }), 'invalid-option', { option: 'temperature' }]),
  ...[NaN, -1, 1.5, 2 ** 53, '1', -1n, 2n ** 64n].map((seed): Misuse => [`a seed of ${typeof seed} ${seed}`, () => any().generate('a', { seed }), 'invalid-option', { option: 'seed' }]),
  ['topK below nothing', () => any().generate('a', { topK: -1 }), 'invalid-option', { option: 'topK' }],
  ['topP above one', () => any().generate('a', { topP: 2 }), 'invalid-option', { option: 'topP' }],
  ['a penalty that is none', () => any().generate('a', { repetitionPenalty: 0 }), 'invalid-option', { option: 'repetitionPenalty' }],
  ['stop that is a text', () => any().generate('a', { stop: 'end' }), 'invalid-option', { option: 'stop' }],
  ['stop that holds no texts', () => any().generate('a', { stop: ['end', null] }), 'invalid-option', { option: 'stop', message: expect.stringContaining('[1]') as string }],
  ['stop with a hole', () => any().generate('a', { stop: new Array(1) }), 'invalid-option', { option: 'stop' }],
  ['stopTokens that are texts', () => any().generate('a', { stopTokens: ['a'] }), 'invalid-option', { option: 'stopTokens' }],
  ['stopTokens below nothing', () => any().generate('a', { stopTokens: [-1] }), 'invalid-option', { option: 'stopTokens' }],
  ['ignoreEos that is a number', () => any().generate('a', { ignoreEos: 1 }), 'invalid-option', { option: 'ignoreEos' }],
  ['keepAfter that is no text', () => any().generate('a', { keepAfter: 3 }), 'invalid-option', { option: 'keepAfter' }],
  ['no sequences', () => any().generateBatch(['a'], { sequences: 0 }), 'invalid-option', { option: 'sequences' }],
  ['more sequences than there can be', () => any().generateBatch(['a'], { sequences: 33 }), 'invalid-option', { option: 'sequences' }],
  ['sequences that are NaN', () => any().generateBatch(['a'], { sequences: NaN }), 'invalid-option', { option: 'sequences' }],
  ['no runs', () => any().bench({ runs: 0 }), 'invalid-option', { option: 'runs' }],
  ['a bench of no sequences', () => any().bench({ sequences: 0 }), 'invalid-option', { option: 'sequences' }],
  ['a bench of too many sequences', () => any().bench({ sequences: 33 }), 'invalid-option', { option: 'sequences' }],
  ['runs that are NaN', () => any().bench({ runs: NaN }), 'invalid-option', { option: 'runs' }],
  ['stages that are a text', () => any().bench({ stages: 'yes' }), 'invalid-option', { option: 'stages' }],
  ['bench with onProgress that is no function', () => any().bench({ onProgress: 1 }), 'invalid-option', { option: 'onProgress' }],
  ['memory below nothing', () => any().setCheckpoints({ memoryBytes: -1 }), 'invalid-option', { option: 'memoryBytes' }],
  ['an interval that is NaN', () => any().setCheckpoints({ interval: NaN }), 'invalid-option', { option: 'interval' }],
];

const unknown: Misuse[] = [
  ['generate', () => any().generate('a', { max_tokens: 5 }), 'invalid-option', { option: 'max_tokens', suggestion: 'maxTokens' }],
  ['generate', () => any().generate('a', { topk: 5 }), 'invalid-option', { option: 'topk', suggestion: 'topK' }],
  ['generate', () => any().generate('a', { Temperature: 0 }), 'invalid-option', { option: 'Temperature', suggestion: 'temperature' }],
  ['generate', () => any().generate('a', { sed: 1 }), 'invalid-option', { option: 'sed', suggestion: 'seed' }],
  ['generateBatch', () => any().generateBatch(['a'], { sequence: 2 }), 'invalid-option', { option: 'sequence', suggestion: 'sequences' }],
  ['generate of one', () => any().generate('a', { sequences: 2 }), 'invalid-option', { option: 'sequences' }],
  ['loadModel', () => load([source()], { bakend: 'cpu' }), 'invalid-option', { option: 'bakend', suggestion: 'backend' }],
  ['loadModel', () => load([source()], { ...CPU, on_progress() {} }), 'invalid-option', { option: 'on_progress', suggestion: 'onProgress' }],
  ['loadModel, within', () => load([source()], { ...CPU, gpu: { selftest: false } }), 'invalid-option', { option: 'gpu.selftest', suggestion: 'gpu.selfTest' }],
  ['loadModel, within', () => load([source()], { ...CPU, workers: { start() {}, counts: 2 } }), 'invalid-option', { option: 'workers.counts', suggestion: 'workers.count' }],
  ['planModel', () => plan([source()], { activation: 'q8' }), 'invalid-option', { option: 'activation', suggestion: 'activations' }],
  ['reload', () => any().reload([source()], { bakend: 'cpu' }), 'invalid-option', { option: 'bakend', suggestion: 'backend' }],
  ['bench', () => any().bench({ prompt_tokens: 5 }), 'invalid-option', { option: 'prompt_tokens', suggestion: 'promptTokens' }],
  ['logits', () => any().logits(PROMPT, { abort: new AbortController().signal }), 'invalid-option', { option: 'abort' }],
  ['setCheckpoints', () => any().setCheckpoints({ memory: 5 }), 'invalid-option', { option: 'memory', suggestion: 'memoryBytes' }],
  ['a name like no other', () => any().generate('a', { plugins: [] }), 'invalid-option', { option: 'plugins' }],
  ['tools that are none', () => any().generate('a', { tools: {} }), 'invalid-option', { option: 'tools' }],
  ['a tool that is none', () => any().generate('a', { tools: [1] }), 'invalid-option', { option: 'tools' }],
  ['tools that no JSON says', () => any().generate('a', { tools: [cyclic] }), 'invalid-option', { option: 'tools' }],
];

const calls: Misuse[] = [
  ['no prompt', () => any().generate(), 'invalid-request', { argument: 'prompt' }],
  ['null for a prompt', () => any().generate(null), 'invalid-request', { argument: 'prompt' }],
  ['a number for a prompt', () => any().generate(7), 'invalid-request', { argument: 'prompt' }],
  ['a message without the array', () => any().generate({ role: 'user', content: 'a' }), 'invalid-request', { argument: 'prompt' }],
  ['a text in the array', () => any().generate(['a']), 'invalid-request', { argument: 'prompt[0]' }],
  ['null in the array', () => any().generate([null]), 'invalid-request', { argument: 'prompt[0]' }],
  ['a message without role', () => any().generate([{ content: 'a' }]), 'invalid-request', { argument: 'prompt[0].role' }],
  ['a message without content', () => any().generate([{ role: 'user', content: 'a' }, { role: 'user' }]), 'invalid-request', { argument: 'prompt[1].content' }],
  ['content that is null', () => any().generate([{ role: 'user', content: null }]), 'invalid-request', { argument: 'prompt[0].content' }],
  ['calls that are none', () => any().generate([{ role: 'assistant', content: '', tool_calls: {} }]), 'invalid-request', { argument: 'prompt[0].tool_calls' }],
  ['a call without its function', () => any().generate([{ role: 'assistant', content: '', tool_calls: [{ id: 'a' }] }]), 'invalid-request', { argument: 'prompt[0].tool_calls[0].function' }],
  ['a call without a name', () => any().generate([{ role: 'assistant', content: '', tool_calls: [{ id: 'a', function: { arguments: '{}' } }] }]), 'invalid-request', { argument: 'prompt[0].tool_calls[0].function.name' }],
  ['an id that is no text', () => any().generate([{ role: 'tool', content: '', tool_call_id: 1 }]), 'invalid-request', { argument: 'prompt[0].tool_call_id' }],
  ['content in parts', () => any().generate([{ role: 'user', content: [{ type: 'text', text: 'a' }] }]), 'invalid-request', { argument: 'prompt[0].content' }],
  ['no messages', () => any().generate([]), 'empty-prompt'],
  ['no tokens', () => any().generate(new Uint32Array()), 'empty-prompt'],
  ['a token outside the vocabulary', () => any().generate(Uint32Array.of(512)), 'token-range'],
  ['token ids that are none', () => any().generate([1, -1]), 'invalid-request', { argument: 'prompt[1]' }],
  ['token ids with a hole', () => any().generate(withHole), 'invalid-request', { argument: 'prompt[1]' }],
  ['token ids that are NaN', () => any().generate([NaN]), 'invalid-request', { argument: 'prompt[0]' }],
  ['fractions for token ids', () => any().generate(Float32Array.of(1.5)), 'invalid-request', { argument: 'prompt[0]' }],
  ['prompts that are none', () => any().generateBatch('ab'), 'invalid-request', { argument: 'prompts' }],
  ['a prompt that is none among others', () => any().generateBatch(['a', 7]), 'invalid-request', { argument: 'prompts[1]' }],
  ['a message that is none among prompts', () => any().generateBatch(['a', [{ role: 'user' }]]), 'invalid-request', { argument: 'prompts[1][0].content' }],
  ['nothing to resume', async () => { await model.bench({ promptTokens: 1, genTokens: 2, runs: 1 }); return any().generate('', { resume: true }); }, 'empty-prompt'],
  ['logits of nothing', () => any().logits(), 'invalid-request', { argument: 'tokens' }],
  ['logits of a text', () => any().logits('abc'), 'invalid-request', { argument: 'tokens' }],
  ['logits of a number', () => any().logits(5), 'invalid-request', { argument: 'tokens' }],
  ['logits of no tokens', () => any().logits([]), 'empty-prompt'],
  ['logits of a token below nothing', () => any().logits([-1]), 'invalid-request', { argument: 'tokens[0]' }],
  ['logits of a token above 32 bits', () => any().logits([2 ** 32]), 'invalid-request', { argument: 'tokens[0]' }],
  ['logits of a token outside the vocabulary', () => any().logits([512]), 'token-range'],
  ['logits of bigints', () => any().logits(BigUint64Array.of(1n)), 'invalid-request', { argument: 'tokens[0]' }],
  ['more logits of null', () => any().continueLogits(null), 'invalid-request', { argument: 'tokens' }],
  ['tokenize nothing', () => any().tokenize(), 'invalid-request', { argument: 'text' }],
  ['tokenize a number', () => any().tokenize(5), 'invalid-request', { argument: 'text' }],
  ['tokenize an object', () => any().tokenize({}), 'invalid-request', { argument: 'text' }],
  ['detokenize a text', () => any().detokenize('a'), 'invalid-request', { argument: 'tokens' }],
  ['detokenize what is no token', () => any().detokenize([512]), 'token-range'],
  ['a template for a text', () => any().applyChatTemplate('a'), 'invalid-request', { argument: 'messages' }],
  ['a template for nothing', () => any().applyChatTemplate([]), 'empty-prompt'],
  ['a score of no prompt', () => any().score(undefined, 'a'), 'invalid-request', { argument: 'prompt' }],
  ['a score of nothing', () => any().score('a'), 'invalid-request', { argument: 'continuation' }],
  ['a score after nothing', () => any().score(new Uint32Array(), 'a'), 'empty-prompt'],
  ['a score of what is no token', () => any().score('a', [1, 512]), 'token-range'],
  ['the perplexity of tokens', () => any().perplexity([1, 2]), 'invalid-request', { argument: 'text' }],
  ['a text that is no array as a vector', () => any().embed('a'), 'invalid-request', { argument: 'texts' }],
  ['a vector of no pooling', () => any().embed(['a'], { pooling: 'max' }), 'invalid-option', { option: 'pooling' }],
  ['a bias of a text', () => any().generate('a', { logitBias: { the: 1 } }), 'invalid-option', { option: 'logitBias' }],
  ['a bias beyond its range', () => any().generate('a', { logitBias: { 5: 101 } }), 'invalid-option', { option: 'logitBias' }],
  ['a bias outside the vocabulary', () => any().generate('a', { logitBias: { 512: 1 } }), 'invalid-option', { option: 'logitBias' }],
  ['more likely tokens than are reported', () => any().generate('a', { logprobs: 21 }), 'invalid-option', { option: 'logprobs' }],
  ['tokens of no prompt', () => any().promptTokens(undefined), 'invalid-request', { argument: 'prompt' }],
  ['tokens of no conversation', () => any().conversationTokens('a'), 'invalid-request', { argument: 'messages' }],
  ['known tokens of a text', () => any().knownTokens('a'), 'invalid-request', { argument: 'tokens' }],
  ['a checkpoint of no number', () => any().checkpoint('1'), 'invalid-request', { argument: 'id' }],
  ['a checkpoint of NaN', () => any().checkpoint(NaN), 'invalid-request', { argument: 'id' }],
  ['a checkpoint below nothing', () => any().checkpoint(-1), 'invalid-request', { argument: 'id' }],
  ['checkpoints set to a number', () => any().setCheckpoints(5), 'invalid-request', { argument: 'options' }],
  ['a model for a state', () => any().restoreState(model), 'invalid-request', { argument: 'state' }],
  ['null for a state', () => any().restoreState(null), 'invalid-request', { argument: 'state' }],
  ['an object for a state', () => any().addCheckpoint({ tokens: PROMPT, position: 3 }), 'invalid-request', { argument: 'state' }],
  ['bytes for a state', () => any().addCheckpoint(new Uint8Array(9)), 'invalid-request', { argument: 'state' }],
  ['a state that was freed', async () => { const state = await model.saveState(); state.free(); return any().restoreState(state); }, 'invalid-request', { argument: 'state' }],
  ['a state file that is a text', () => any().readState('state'), 'invalid-request', { argument: 'bytes' }],
  ['a state file that is a buffer', () => any().readState(new ArrayBuffer(9)), 'invalid-request', { argument: 'bytes' }],
  ['a state file of nothing', () => any().readState(new Uint8Array()), 'not-state'],
  ['a state file in an order that is none', () => any().readState(new Uint8Array(), { order: 'as-is' }), 'invalid-option', { option: 'order' }],
  ['a state file whose name is a number', () => any().readState(new Uint8Array(), { name: 5 }), 'invalid-option', { option: 'name' }],
  ['a state file with another option', () => any().readState(new Uint8Array(), { ordre: 'key-value' }), 'invalid-option', { option: 'ordre', suggestion: 'order' }],
  ['a tuned state for a model that has none', () => any().readState(Uint8Array.of(0x50, 0x4b, 3, 4)), 'tuned-state'],
  ['a beginning that is no name', () => any().beginFrom('A'.repeat(32)), 'invalid-request', { argument: 'beginning' }],
  ['numbers that a state cannot have', async () => ((await model.saveState()) as Anything).bytes('f64'), 'invalid-request', { argument: 'numbers' }],
  ['messages that are none', async () => { ((await model.saveState()) as Anything).messages = 'hello'; }, 'invalid-request', { argument: 'messages' }],
  ['a freed state asked', async () => { const state = await model.saveState(); state.free(); return state.position; }, 'freed'],
  ['a freed state forked', async () => { const state = await model.saveState(); state.free(); return state.fork(); }, 'freed'],
  ['a call without its object', () => { const { tokenize } = model; return tokenize('a'); }, 'invalid-request', { argument: 'this' }],
  ['a call of another object', () => model.info.call({} as Model), 'invalid-request', { argument: 'this' }],
  ['a call of a model made by hand', () => (Object.create(Object.getPrototypeOf(model)) as Model).hash(), 'invalid-request', { argument: 'this' }],
  ['serveRank outside of a worker', () => serveRank(), 'invalid-request'],
];

describe.each(Object.entries({ sources, reads, options, unknown, calls }))('%s', (_, misuses) => {
  test.each(misuses)('%s', async (name, call, code, data = {}) => {
    const thrown = await thrownBy(call);
    expect(thrown, name).toBeInstanceOf(Error);
    expect(thrown).toMatchObject({ code, remedy: expect.stringMatching(/\.$/) as string, message: expect.stringMatching(/\w/) as string, ...data });
    await stillAnswers();
  });
});

test('a suggestion is only made where a name is like another', async () => {
  expect(await thrownBy(() => any().generate('a', { plugins: [] }))).not.toHaveProperty('suggestion');
});

test('there are at least eighty misuses', () => {
  expect([sources, reads, options, unknown, calls].flat().length).toBeGreaterThan(80);
});

describe('what is allowed', () => {
  test('undefined and null are as good as absent, within options too', async () => {
    const nothing: Anything = { backend: null, activations: undefined, gpu: { selfTest: null, software: undefined, defaultLimits: null }, workers: null, onProgress: null, signal: undefined, other: undefined };
    const loaded = await load([source({ name: null, readColumns: null })], { ...nothing, backend: 'cpu' });
    const options: Anything = { ...GREEDY, maxTokens: null, stop: null, stopTokens: undefined, seed: null, reuse: null, resume: null, keepAfter: null, signal: null, topK: undefined };
    const all = await events(loaded.generate(PROMPT, { ...options, maxTokens: 3 }));
    expect(idsIn(all)).toEqual(idsIn(await events(model.generate(PROMPT, { ...GREEDY, maxTokens: 3 }))));
    expect(await events(loaded.generateBatch([PROMPT], { maxTokens: 1, sequences: null }))).not.toHaveLength(0);
    loaded.setCheckpoints({ memoryBytes: null });
    loaded.setCheckpoints(undefined);
    await loaded.reload([source()], null);
    expect(await loaded.logits(PROMPT, null)).toHaveLength(512);
    expect((await loaded.saveState()).bytes(null).length).toBeGreaterThan(100);
    loaded.free();
    for (const none of [undefined, null]) expect((await plan([source()], none)).fits).toBe(true);
  });

  test('options that are an instance of a class are read, and its other members are no options', async () => {
    class Options {
      readonly maxTokens = 2;
      readonly #secret = 1;
      get temperature(): number {
        return 0;
      }
      describe(): number {
        return this.#secret;
      }
    }
    const all = await events(model.generate(PROMPT, new Options()));
    expect(idsIn(all)).toHaveLength(2);
    expect(idsIn(await events(model.generate(PROMPT, Object.assign(Object.create(null), { maxTokens: 1, ignoreEos: true }))))).toHaveLength(1);
  });

  test('a read may give its bytes at once, and be a method of an instance', async () => {
    class Bytes {
      readonly #bytes = file;
      readonly length = file.length;
      read(offset: number, length: number): Uint8Array {
        return this.#bytes.subarray(offset, offset + length);
      }
    }
    const loaded = await loadModel([new Bytes()], CPU);
    expect(await loaded.logits(PROMPT)).toEqual(await model.logits(PROMPT));
    loaded.free();
  });

  test('a listener that throws ends nothing', async () => {
    let told = 0;
    const onProgress = () => {
      told += 1;
      throw new Error('the listener fails');
    };
    (await loadModel([source()], { ...CPU, onProgress })).free();
    expect(told).toBeGreaterThan(0);
    expect((await model.bench({ promptTokens: 1, genTokens: 2, runs: 1, onProgress })).runs).toBe(1);
  });

  test('token ids may be any list of whole numbers', async () => {
    const right = await model.logits(PROMPT);
    for (const ids of [[5, 6, 7], Int32Array.of(5, 6, 7), Uint8Array.of(5, 6, 7)]) expect(await any().logits(ids)).toEqual(right);
    expect(idsIn(await events(any().generate([5, 6, 7], { ...GREEDY, maxTokens: 2 })))).toHaveLength(2);
  });

  test('a model that was freed says so in every call, and can be freed again', async () => {
    const loaded: Anything = await loadModel([source()], CPU);
    const state = await loaded.saveState();
    const answer = loaded.generate(PROMPT, GREEDY);
    await answer.next();
    loaded.free();
    loaded.free();
    const every = [
      () => loaded.info(), () => loaded.hash(), () => loaded.generate('a'), () => loaded.generateBatch(['a']), () => loaded.logits(PROMPT), () => loaded.continueLogits(PROMPT),
      () => loaded.tokenize('a'), () => loaded.bench(), () => loaded.saveState(), () => loaded.restoreState(state), () => loaded.readState(state.bytes()), () => loaded.promptTokens('a'),
      () => loaded.conversationTokens([{ role: 'user', content: 'a' }]), () => loaded.knownTokens(PROMPT), () => loaded.setCheckpoints({}), () => loaded.newCheckpoints(), () => loaded.checkpoint(1),
      () => loaded.addCheckpoint(state), () => loaded.beginning(), () => loaded.beginFrom(), () => loaded.reload([source()]), () => answer.next(),
    ];
    for (const call of every) expect(await thrownBy(call), String(call)).toMatchObject({ code: 'freed' });
    await stillAnswers();
  });

  test('a model that is freed while a call runs lets that call end', async () => {
    const loaded = await loadModel([source()], CPU);
    const running = loaded.logits(new Uint32Array(2000).fill(7));
    loaded.free();
    expect(await running).toHaveLength(512);
    expect(await thrownBy(() => loaded.logits(PROMPT))).toMatchObject({ code: 'freed' });
  });

  test('a state stays the caller’s own when it is given away', async () => {
    await model.logits(PROMPT);
    const state = await model.saveState();
    await model.restoreState(state);
    model.addCheckpoint(state);
    expect([...state.tokens]).toEqual([...PROMPT]);
    const other = await loadModel([{ length: readFileSync(OTHER).length, read: (offset, length) => new Uint8Array(readFileSync(OTHER)).subarray(offset, offset + length) }], CPU);
    expect(await thrownBy(() => other.restoreState(state))).toMatchObject({ code: 'state-model' });
    other.free();
    state.free();
  });
});

describe('seeds', () => {
  const SAMPLED = { temperature: 1.5, topK: 0, topP: 1, minP: 0, maxTokens: 12, ignoreEos: true } as const;

  test('without a seed every answer is another, and the end tells its seed', async () => {
    const first = await events(model.generate(PROMPT, SAMPLED));
    const second = await events(model.generate(PROMPT, SAMPLED));
    expect(idsIn(second)).not.toEqual(idsIn(first));
    const seed = seedIn(first) as number;
    expect(seed).toBeLessThan(2 ** 32);
    const again = await events(model.generate(PROMPT, { ...SAMPLED, seed }));
    expect(idsIn(again)).toEqual(idsIn(first));
    expect(seedIn(again)).toBe(seed);
  });

  test('several answers have seeds of their own, by which each can be had alone', async () => {
    const ids: number[][] = [[], [], []];
    const seeds: number[] = [];
    for await (const event of model.generateBatch([PROMPT, PROMPT, PROMPT], SAMPLED)) {
      if (event.type === 'token') ids[event.index]?.push(event.id);
      if (event.type === 'end') seeds[event.index] = Number(event.seed);
    }
    expect(new Set(seeds).size).toBe(3);
    for (const [index, seed] of seeds.entries()) expect(idsIn(await events(model.generate(PROMPT, { ...SAMPLED, seed })))).toEqual(ids[index]);
  });

  test('a seed beyond the exact numbers is a bigint, there and back', async () => {
    const seed = 2n ** 64n - 1n;
    const all = await events(any().generate(PROMPT, { ...SAMPLED, seed }));
    expect(seedIn(all)).toBe(seed);
  });

  test('an answer that was saved half way goes on with its own sampler', async () => {
    const whole = await events(model.generate(PROMPT, SAMPLED));
    const seed = seedIn(whole) as number;
    const answer = model.generate(PROMPT, { ...SAMPLED, seed });
    const before: number[] = [];
    for await (const event of answer) {
      if (event.type === 'token') before.push(event.id);
      if (before.length === 5) break;
    }
    // A stopped answer leaves the model where it was.
    const state = model.readState((await model.saveState()).bytes());
    await model.logits(PROMPT);
    await model.restoreState(state);
    const after = await events(model.generate('', { ...SAMPLED, maxTokens: 7, resume: true }));
    expect([...before, ...idsIn(after)]).toEqual(idsIn(whole));
    expect(seedIn(after)).toBe(seed);
  });
});

describe('a call while another runs', () => {
  const LONG = { ...GREEDY, maxTokens: 20 } as const;
  /** Every call that moves the model, or could end what it writes. */
  const moving: Record<string, () => unknown> = {
    generate: () => model.generate(PROMPT, LONG),
    generateBatch: () => model.generateBatch([PROMPT], LONG),
    logits: () => model.logits(PROMPT),
    continueLogits: () => model.continueLogits(PROMPT),
    bench: () => model.bench({ promptTokens: 1, genTokens: 2, runs: 1 }),
  };

  test.each(Object.entries(moving))('%s is busy during an answer, which goes on', async (_, call) => {
    const alone = idsIn(await events(model.generate(PROMPT, LONG)));
    const ids: number[] = [];
    let asked = 0;
    for await (const event of model.generate(PROMPT, LONG)) {
      if (event.type === 'token') ids.push(event.id);
      if (event.type === 'end') break;
      asked += 1;
      expect(await thrownBy(call)).toMatchObject({ code: 'busy', remedy: expect.stringMatching(/\.$/) as string });
    }
    expect(asked).toBeGreaterThan(LONG.maxTokens);
    expect(ids).toEqual(alone);
    await stillAnswers();
  });

  test('several answers hold the model as one does', async () => {
    const state = await model.saveState();
    let ends = 0;
    for await (const event of model.generateBatch([PROMPT, Uint32Array.of(9)], { ...GREEDY, maxTokens: 4 })) {
      expect(event.index).toBeLessThan(2);
      if (event.type === 'end') ends += 1;
      if (ends < 2) expect(await thrownBy(() => model.restoreState(state))).toMatchObject({ code: 'busy' });
      // The last event of all is the last of its hold.
      else await model.restoreState(state);
    }
    expect(ends).toBe(2);
    await model.restoreState(state);
    await stillAnswers();
  });

  test('a state can be saved, a text be read as tokens and a model be loaded again between two events', async () => {
    const sampled = { temperature: 1.5, topK: 0, topP: 1, minP: 0, seed: 7, maxTokens: 12, ignoreEos: true } as const;
    const alone = idsIn(await events(model.generate(PROMPT, sampled)));
    const ids: number[] = [];
    for await (const event of model.generate(PROMPT, { ...sampled, reuse: false })) {
      if (event.type === 'token') ids.push(event.id);
      if (event.type === 'end') break;
      (await model.saveState()).free();
      expect(model.tokenize('a')).not.toHaveLength(0);
      model.newCheckpoints();
      model.setCheckpoints({ interval: 100 });
      if (ids.length % 3 === 0) await model.reload([source()]);
    }
    expect(ids).toEqual(alone);
    model.setCheckpoints({ interval: 1024 });
    const many: number[] = [];
    for await (const event of model.generateBatch([PROMPT], sampled)) {
      if (event.type === 'token') many.push(event.id);
      if (many.length % 3 === 0) await model.reload([source()]);
    }
    expect(many).toEqual(alone);
  });

  test('a save that has not ended does not end the answer', async () => {
    const answer = model.generate(PROMPT, LONG);
    await answer.next();
    const saved = model.saveState();
    expect(await answer.next()).toMatchObject({ done: false, value: { type: 'token' } });
    expect((await saved).position).toBe(PROMPT.length);
    await answer.return?.();
  });

  test('of two calls at once the second is busy', async () => {
    const [first, second] = [model.logits(PROMPT), model.logits(PROMPT)];
    await expect(second).rejects.toMatchObject({ code: 'busy' });
    expect(await first).toHaveLength(512);
    const reloading = model.reload([source()]);
    expect(await thrownBy(() => model.logits(PROMPT))).toMatchObject({ code: 'busy' });
    await reloading;
  });

  test('an iterable that is never asked holds nothing, and one that was busy can be asked again', async () => {
    model.generate(PROMPT, LONG);
    const [first, second] = [model.generate(PROMPT, LONG), model.generate(PROMPT, LONG)];
    await first.next();
    await expect(second.next()).rejects.toMatchObject({ code: 'busy' });
    await first.return?.();
    expect((await second.next()).value).toMatchObject({ type: 'prefill' });
    await second.return?.();
    await stillAnswers();
  });

  test('an answer lets go when it is returned, when its loop is left, and when it fails', async () => {
    const answer = model.generate(PROMPT, LONG);
    await answer.next();
    const [pending, returned, after] = [answer.next(), answer.return?.(), answer.next()];
    expect(await pending).toMatchObject({ done: false });
    expect(await returned).toMatchObject({ done: true });
    expect(await after).toMatchObject({ done: true });
    await stillAnswers();
    for await (const event of model.generate(PROMPT, LONG)) if (event.type === 'token') break;
    await stillAnswers();
    const left = model.generate(PROMPT, LONG);
    await left.next();
    void left.return?.();
    expect(await model.logits(PROMPT)).toHaveLength(512);
  });

  test('calls of next that do not wait for each other are answered in turn', async () => {
    const answer = model.generate(PROMPT, { ...GREEDY, maxTokens: 3 });
    const all = await Promise.all(Array.from({ length: 7 }, () => answer.next()));
    expect(all.map(({ done, value }) => (done ? 'done' : (value as GenerateEvent).type))).toEqual(['prefill', 'token', 'token', 'token', 'end', 'done', 'done']);
  });
});

describe('a signal', () => {
  const REASON = new Error('the page changed its mind');

  /** A signal that counts its listeners. */
  function counted(): { control: AbortController; signal: AbortSignal; listeners: () => number } {
    const control = new AbortController();
    let listeners = 0;
    const { signal } = control;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    Object.assign(signal, {
      addEventListener: (...given: Parameters<typeof add>) => ((listeners += 1), add(...given)),
      removeEventListener: (...given: Parameters<typeof remove>) => ((listeners -= 1), remove(...given)),
    });
    return { control, signal, listeners: () => listeners };
  }

  const long = new Uint32Array(20_000).fill(7);
  const slow = source({
    async read(offset: number, length: number) {
      // Its first read is under way when the signal aborts.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return file.slice(offset, offset + length);
    },
  });
  const calls: Record<string, (signal: AbortSignal) => unknown> = {
    loadModel: (signal) => loadModel([slow], { ...CPU, signal }),
    planModel: (signal) => planModel([slow], { ...CPU, signal }),
    reload: (signal) => model.reload([slow], { signal }),
    generate: (signal) => events(model.generate(PROMPT, { ...GREEDY, maxTokens: 100_000, signal })),
    'generate, of a long prompt': (signal) => events(model.generate(long, { ...GREEDY, signal, reuse: false })),
    generateBatch: (signal) => events(model.generateBatch([PROMPT, PROMPT], { ...GREEDY, maxTokens: 100_000, signal })),
    logits: (signal) => model.logits(long, { signal }),
    continueLogits: (signal) => model.continueLogits(long, { signal }),
    bench: (signal) => model.bench({ promptTokens: 512, genTokens: 10_000, runs: 100, signal }),
  };

  test.each(Object.entries(calls))('that has aborted ends %s at once', async (_, call) => {
    const { signal, control } = counted();
    control.abort(REASON);
    expect(await thrownBy(() => call(signal))).toBe(REASON);
    await stillAnswers();
  });

  test.each(Object.entries(calls))('that aborts ends %s, and is let go', async (_, call) => {
    const { signal, control, listeners } = counted();
    const begun = performance.now();
    const ended = thrownBy(() => call(signal));
    setTimeout(() => control.abort(REASON), 30);
    expect(await ended).toBe(REASON);
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(listeners()).toBe(0);
    await stillAnswers();
  });

  test('that never aborts is let go too', async () => {
    const { signal, listeners } = counted();
    (await loadModel([source()], { ...CPU, signal })).free();
    await planModel([source()], { ...CPU, signal });
    await model.logits(PROMPT, { signal });
    await events(model.generate(PROMPT, { ...GREEDY, maxTokens: 2, signal }));
    for await (const event of model.generate(PROMPT, { ...GREEDY, maxTokens: 2, signal })) if (event.type === 'token') break;
    await model.bench({ promptTokens: 1, genTokens: 2, runs: 1, signal });
    expect(listeners()).toBe(0);
  });

  test.each(['loadModel', 'planModel', 'reload'] as const)('ends a %s whose read never settles', async (name) => {
    const { signal, control, listeners } = counted();
    const silent = source({ read: () => new Promise(() => undefined) });
    const ended = thrownBy(() => (name === 'reload' ? model.reload([silent], { signal }) : { loadModel, planModel }[name]([silent], { ...CPU, signal })));
    setTimeout(() => control.abort(REASON), 20);
    expect(await ended).toBe(REASON);
    expect(listeners()).toBe(0);
    await stillAnswers();
  });

  test('ends a load whose bytes are all there at once', async () => {
    const folder = path.join(here, '../public/models');
    const [name = ''] = readdirSync(folder).filter((each) => each.endsWith('.gguf'));
    const bytes = new Uint8Array(readFileSync(path.join(folder, name)));
    const whole: ByteSource = { length: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
    const { signal, control, listeners } = counted();
    const ended = thrownBy(() => loadModel([whole], { ...CPU, signal }));
    setTimeout(() => control.abort(REASON), 0);
    expect(await ended).toBe(REASON);
    expect(listeners()).toBe(0);
  });

  test('ends a load from its own listener', async () => {
    const control = new AbortController();
    const onProgress = () => control.abort(REASON);
    expect(await thrownBy(() => loadModel([source()], { ...CPU, signal: control.signal, onProgress }))).toBe(REASON);
  });

  test('ends an answer between two events, which is told once', async () => {
    const control = new AbortController();
    const answer = model.generate(PROMPT, { ...GREEDY, maxTokens: 50, signal: control.signal });
    await answer.next();
    control.abort(REASON);
    // The model is free at once.
    expect(await model.logits(PROMPT)).toHaveLength(512);
    await expect(answer.next()).rejects.toBe(REASON);
    expect(await answer.next()).toMatchObject({ done: true });
  });

  test('without a reason gives the usual one', async () => {
    expect(await thrownBy(() => model.logits(PROMPT, { signal: AbortSignal.abort() }))).toMatchObject({ name: 'AbortError' });
  });
});
