/** A loaded model over a worker in the test, which answers with given pieces of text. */
import { vi } from 'vitest';
import type { AnswerEvent, GenerateOptions, LoadedModel, Prompt, SampledLogprob } from 'web-mamba';
import { webMamba } from '../engine/src/api/web-mamba';
import type { EngineWorker } from '../engine/src/protocol/calls';
import { FakeWorker, soundCalls } from './fake-worker';

/** What one answer comes to. */
export interface Answer {
  pieces: readonly string[];
  /** Of each piece's token. */
  logprobs?: readonly SampledLogprob[];
  /** Text that is held back up to the end. */
  rest?: string;
  stop?: 'eos' | 'length' | 'stop-string' | 'stop-token' | 'cancelled';
  known?: number;
  promptTokens?: number;
  prefilledTokens?: number;
}

export const PROMPT_TOKENS = 10;

function* eventsOf({ pieces, logprobs, rest = '', stop = 'eos', known = 0, promptTokens = PROMPT_TOKENS, prefilledTokens = promptTokens - known }: Answer): Generator<AnswerEvent> {
  if (known > 0) yield { type: 'known', tokens: known };
  yield { type: 'prefill', done: promptTokens, total: promptTokens };
  for (const [id, text] of pieces.entries()) yield { type: 'token', id, text, milliseconds: 1, ...(logprobs?.[id] ? { logprobs: logprobs[id] } : {}) };
  yield { type: 'end', text: rest, stop, promptTokens, prefilledTokens, tokens: pieces.length, seed: 1, prefillTps: 1, decodeTps: 1 };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

function answeringCalls(answers: (prompt: Prompt, index: number) => Answer) {
  let isStopped = false;
  const calls = {
    ...soundCalls(),
    generate: vi.fn<EngineWorker['generate']>(async (prompt, _, onEvent) => {
      isStopped = false;
      for (const event of eventsOf(answers(prompt, 0))) {
        await turn();
        if (isStopped) return;
        await onEvent(event);
      }
    }),
    /** The answers grow in turns. */
    generateBatch: vi.fn<EngineWorker['generateBatch']>(async (prompts, _, onEvent) => {
      isStopped = false;
      let running = prompts.map((prompt, index) => ({ index, events: eventsOf(answers(prompt, index)) }));
      while (running.length > 0) {
        await turn();
        const next = running.map(({ index, events }) => ({ index, events, step: events.next() }));
        for (const { index, step } of next) if (!step.done && step.value.type !== 'rebuild' && step.value.type !== 'rebuilt' && !isStopped) await onEvent({ ...step.value, index });
        running = isStopped ? [] : next.filter(({ step }) => !step.done);
      }
    }),
    stop: vi.fn(async () => {
      isStopped = true;
      return undefined;
    }),
  };
  return calls;
}

export type AnsweringCalls = ReturnType<typeof answeringCalls>;

/** `asked` has the prompts and options that reached the worker, of a batch and of a single answer alike. */
export async function answeringModel(
  answers: Answer | ((prompt: Prompt, index: number) => Answer) = { pieces: ['Hello', ' there'] }, change: (calls: AnsweringCalls, worker: FakeWorker, number: number) => void = () => undefined,
): Promise<{ model: LoadedModel; made: AnsweringCalls[]; asked: () => [prompts: Prompt[], options: GenerateOptions & { sequences?: number }][] }> {
  vi.stubGlobal('navigator', { locks: { request: async (_: string, __: object, then: () => void) => then() } });
  const made: AnsweringCalls[] = [];
  const api = webMamba({
    hasGpu: async () => false,
    start: () => {
      const calls = answeringCalls(typeof answers === 'function' ? answers : () => answers);
      const worker = new FakeWorker(calls);
      change(calls, worker, made.push(calls));
      return worker;
    },
  });
  const model = await api.load('https://example.org/tiny.gguf');
  const asked = () => made.flatMap(({ generate, generateBatch }) => [
    ...generate.mock.calls.map(([prompt, options]) => [[prompt], options] as [Prompt[], GenerateOptions]),
    ...generateBatch.mock.calls.map(([prompts, options]) => [prompts, options] as [Prompt[], GenerateOptions]),
  ]);
  return { model, made, asked };
}
