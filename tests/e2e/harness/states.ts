/** What tests of states call in the browser, as `window.states`: the engine itself in the page, and the engine's worker. */
import { EngineClient } from '../../../web/engine/src/client/client';
import init, { loadModel, type ByteSource, type Model } from '../../../web/engine/pkg/web_mamba.js';
import type { AnswerEvent, ChatMessage, DeviceOptions, GenerateOptions, BatchEvent, BatchOptions, OpenedState } from '../../../web/engine/src/protocol/protocol';

const engine = new EngineClient();
const TOKENS_BELOW = 500;

/** Numbers below `limit` that are the same in every run. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function someTokens(count: number, seed: number): Uint32Array {
  const next = random(seed);
  return Uint32Array.from({ length: count }, () => next(TOKENS_BELOW));
}

/** With the engine alone, which no worker helps. */
async function inPage(url: string, { workers: _, ...device }: DeviceOptions): Promise<Model> {
  await init();
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const source: ByteSource = { name: url, length: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) };
  return loadModel([source], device);
}

function worst(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? NaN))), 0);
}

export interface Answer {
  ids: number[];
  text: string;
  promptTokens: number;
  prefilledTokens: number;
  /** Milliseconds from the call to the first token. */
  firstToken: number;
  /** Other events that came, in their order. */
  others: string[];
}

const noAnswer = (): Answer => ({ ids: [], text: '', promptTokens: 0, prefilledTokens: 0, firstToken: 0, others: [] });

/** Takes the events of one answer or of several. */
function writing(answers: readonly Answer[]): (event: AnswerEvent | BatchEvent) => void {
  states.progress = { prefill: 0, tokens: 0 };
  const start = performance.now();
  return (event) => {
    const answer = answers['index' in event ? event.index : 0];
    if (!answer) return;
    if (event.type === 'token') {
      if (answer.ids.length === 0) answer.firstToken = performance.now() - start;
      answer.ids.push(event.id);
      answer.text += event.text;
      states.progress.tokens += 1;
    } else if (event.type === 'prefill') states.progress.prefill = event.done;
    else if (event.type === 'end') Object.assign(answer, { promptTokens: event.promptTokens, prefilledTokens: event.prefilledTokens, text: answer.text + event.text });
    else if (event.type !== 'known') answer.others.push(event.type);
  };
}

/** What one of several answers said on its way. */
export interface SideBySide {
  text: string;
  /** Tokens of its prompt that were kept from an earlier run. */
  known: number;
  /** Tokens of its prompt that were read, as far as it came. */
  read: number;
  /** Null where it was stopped. */
  prefilledTokens: number | null;
}

export const states = {
  /** Saves, restores and forks at random positions of a text; gives how far logits after them are from those that were not disturbed. */
  async exactness(url: string, device: DeviceOptions, positions: number): Promise<{ again: number; fork: number; replay: number }> {
    const model = await inPage(url, device);
    const tokens = someTokens(60, 1);
    const next = random(2);
    const far = { again: 0, fork: 0, replay: 0 };
    for (let turn = 0; turn < positions; turn += 1) {
      const [start, end] = [1 + next(40), 41 + next(19)];
      const rest = tokens.slice(start, end);
      await model.logits(tokens.slice(0, start));
      const saved = await model.saveState();
      const fork = saved.fork();
      const undisturbed = await model.continueLogits(rest);
      await model.logits(someTokens(9, turn));
      await model.restoreState(model.readState(saved.bytes()));
      far.again = Math.max(far.again, worst(undisturbed, await model.continueLogits(rest)));
      await model.restoreState(fork);
      far.fork = Math.max(far.fork, worst(undisturbed, await model.continueLogits(rest)));
      far.replay = Math.max(far.replay, worst(undisturbed, await model.logits(tokens.slice(0, end))));
    }
    model.free();
    return far;
  },
  /** A state saved on one backend and gone on from on the other; in f32 and in f16. */
  async across(url: string, from: DeviceOptions, to: DeviceOptions): Promise<{ f32: number; f16: number; bytes: number[]; hashes: string[] }> {
    const [one, other] = [await inPage(url, from), await inPage(url, to)];
    const tokens = someTokens(50, 3);
    const [start, rest] = [tokens.slice(0, 30), tokens.slice(30)];
    await one.logits(start);
    const state = await one.saveState();
    const expected = await one.continueLogits(rest);
    const files = [state.bytes('f32'), state.bytes('f16')];
    const far: number[] = [];
    for (const file of files) {
      await other.restoreState(other.readState(file));
      far.push(worst(expected, await other.continueLogits(rest)));
    }
    const hashes = [one.hash(), other.hash()];
    one.free();
    other.free();
    return { f32: far[0] ?? NaN, f16: far[1] ?? NaN, bytes: files.map(({ length }) => length), hashes };
  },
  /** Codes of the errors for files that are none, of another model, cut, and altered. */
  async refusals(url: string, otherUrl: string): Promise<string[]> {
    const [model, other] = [await inPage(url, { backend: 'cpu' }), await inPage(otherUrl, { backend: 'cpu' })];
    await other.logits(someTokens(5, 4));
    await model.logits(someTokens(5, 4));
    const foreign = (await other.saveState()).bytes();
    const own = (await model.saveState()).bytes();
    const altered = own.slice();
    altered[own.length >> 1] = (altered[own.length >> 1] ?? 0) ^ 1;
    const files = [new Uint8Array(4), foreign, own.slice(0, -1), altered];
    const codes = files.map((file) => {
      try {
        model.readState(file);
        return 'loaded';
      } catch (thrown) {
        const { code, remedy } = thrown as { code: string; remedy: string };
        return remedy.endsWith('.') ? code : 'no remedy';
      }
    });
    model.free();
    other.free();
    return codes;
  },
  someTokens: (count: number, seed: number): number[] => [...someTokens(count, seed)],
  async open(url: string, device: DeviceOptions): Promise<void> {
    await engine.open({ kind: 'address', name: 'model', urls: [new URL(url, location.href).href] }, device, () => undefined);
  },
  /** How far the answer in the making is. */
  progress: { prefill: 0, tokens: 0 },
  async answer(prompt: number[] | ChatMessage[], options: GenerateOptions): Promise<Answer> {
    const answer = noAnswer();
    const ids = typeof prompt[0] === 'number';
    await engine.generate(ids ? Uint32Array.from(prompt as number[]) : (prompt as ChatMessage[]), options, writing([answer]));
    return answer;
  },
  /** Several answers to one prompt, each with a seed of its own. What is no answer's own event is noted with the first. */
  async batch(prompt: number[], count: number, options: GenerateOptions): Promise<Answer[]> {
    const answers = Array.from({ length: count }, noAnswer);
    await engine.generateBatch(answers.map(() => Uint32Array.from(prompt)), { ...options, sequences: count }, writing(answers));
    return answers;
  },
  /**
   * Answers several prompts, and stops them where told to: once prompt `stopAt.index` has read at least so many tokens, or, without
   * a number, once it is being answered.
   */
  async sideBySide(prompts: string[], options: BatchOptions, stopAt?: { index: number; read?: number }): Promise<SideBySide[]> {
    const answers = prompts.map((): SideBySide => ({ text: '', known: 0, read: 0, prefilledTokens: null }));
    let stopped = false;
    const stopOnce = (when: boolean) => {
      if (when && !stopped) void engine.stop();
      stopped ||= when;
    };
    await engine.generateBatch(prompts.map((content) => [{ role: 'user', content }]), options, (event) => {
      if (!('index' in event)) return;
      const answer = answers[event.index];
      if (!answer) return;
      const here = stopAt?.index === event.index;
      if (event.type === 'known') answer.known = event.tokens;
      else if (event.type === 'prefill') {
        answer.read = event.done - answer.known;
        stopOnce(here && event.done >= (stopAt?.read ?? Infinity));
      } else {
        answer.text += event.text;
        if (event.type === 'end') answer.prefilledTokens = event.stop === 'cancelled' ? null : event.prefilledTokens;
        else stopOnce(here && stopAt?.read === undefined);
      }
    });
    return answers;
  },
  async save(messages: ChatMessage[]): Promise<number> {
    return (await engine.saveState(messages, {})).size;
  },
  openState: (url: string): Promise<OpenedState> => engine.openState(new URL(url, location.href).href),
  /** Times of saving and restoring, the median of nine, and sizes of files. */
  async times(url: string, device: DeviceOptions): Promise<Record<string, number>> {
    const model = await inPage(url, device);
    await model.logits(someTokens(40, 5));
    const spent: Record<string, number[]> = {};
    const time = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
      const start = performance.now();
      const result = await work();
      (spent[name] ??= []).push(performance.now() - start);
      return result;
    };
    const sizes: Record<string, number> = {};
    for (let run = 0; run < 9; run += 1) {
      const state = await time('save', () => model.saveState());
      const file = await time('to f32 file', () => state.bytes('f32'));
      const half = await time('to f16 file', () => state.bytes('f16'));
      const again = await time('from file', () => model.readState(file));
      // Restoring only queues the writes; the logits wait for them, and for one token.
      await time('restore', () => model.restoreState(again));
      await time('one token', () => model.continueLogits(Uint32Array.of(1)));
      Object.assign(sizes, { 'f32 bytes': file.length, 'f16 bytes': half.length });
      state.free();
      again.free();
    }
    model.free();
    const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
    return { ...Object.fromEntries(Object.entries(spent).map(([name, values]) => [name, median(values)])), ...sizes };
  },
};

declare global {
  interface Window {
    states: typeof states;
  }
}
window.states = states;
