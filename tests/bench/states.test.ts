/** Figures of states in a page for `tests/record/`, beside wllama where it is installed: `scripts/bench-states`. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { openBrowser } from '../e2e/browser';
import { HARNESS, ROOT } from '../e2e/folders';
import type { ChatMessage } from '../../web/engine/src/protocol/protocol';
import { Site } from '../e2e/site';
import { givePeer, PEER } from './peer-page';

const DEMO = 'public/models/web-mamba-demo-31m-v2-q4_k_m.gguf';
const site = new Site(HARNESS);
site.mount('/public/', path.join(ROOT, 'web/public'));
let browser: BrowserContext;

beforeAll(async () => {
  await site.start();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await site.stop();
});

test.each(['cpu', 'webgpu'] as const)('times of a state on %s', async (backend) => {
  const page = await browser.newPage();
  await page.goto(site.url);
  const times = await page.evaluate(([url, backend]) => window.states.times(url, { backend }), [DEMO, backend] as const);
  console.log(JSON.stringify({ backend, ...times }));
  await page.close();
});

test('the first token of turn 20, with checkpoints, after a reload, and without', async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  const open = () => page.evaluate((url) => window.states.open(url, { backend: 'cpu' }), DEMO);
  const ask = (prompt: number[], maxTokens: number, reuse = true) => page.evaluate(
    ([prompt, maxTokens, reuse]) => window.states.answer(prompt, { temperature: 0, ignoreEos: true, maxTokens, reuse }), [prompt, maxTokens, reuse] as const,
  );
  await open();
  const questions = await page.evaluate(() => window.states.someTokens(20 * 40, 1));
  const history: number[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    history.push(...questions.slice(turn * 40, (turn + 1) * 40));
    if (turn < 19) history.push(...(await ask(history, 60)).ids);
  }
  const figures = ({ firstToken, prefilledTokens }: { firstToken: number; prefilledTokens: number }) => ({ firstToken: Math.round(firstToken), prefilledTokens });
  const warm = figures(await ask(history, 2));
  const cold = figures(await ask(history, 2, false));
  await page.reload();
  await open();
  const reloaded = figures(await ask(history, 2));
  console.log(JSON.stringify({ tokens: history.length, warm, reloaded, cold }));
  expect(warm.prefilledTokens).toBe(41);
  expect(cold.prefilledTokens).toBe(history.length);
  await page.close();
});

const RUNS = Number(process.env.STATE_RUNS ?? 3);
const TURNS = 20;
const EDITED = 10;
/** So that 20 turns stay within the 2,048 tokens to which wllama keeps this model. */
const QUESTION_WORDS = 20;
const ANSWER_TOKENS = 60;
const WORDS = 'the old friend of my little brother wants to know how many red and green apples a good cook takes for one large cake with cream'.split(' ');

/** How an engine answers a conversation, and how it is opened anew. */
interface Speaker {
  answer(messages: ChatMessage[], tokens: number): Promise<{ text: string; firstToken: number; read: number; of: number }>;
  reload(): Promise<void>;
}

type Moment = 'goes on' | 'reload' | 'edit';
type Figure = { firstToken: number; read: number; of: number };

const said = (role: string, content: string): ChatMessage => ({ role, content });

/** Talks for 20 turns, each with the engine's own answers; then asks the 20th, asks something else as the 10th, reloads, and asks the 20th again. */
async function converse(speaker: Speaker, questions: string[]): Promise<Record<Moment, Figure>> {
  const history: ChatMessage[] = [];
  for (const question of questions.slice(0, TURNS - 1)) {
    history.push(said('user', question));
    history.push(said('assistant', (await speaker.answer(history, ANSWER_TOKENS)).text));
  }
  const first = async (messages: ChatMessage[]): Promise<Figure> => {
    const { firstToken, read, of } = await speaker.answer(messages, 2);
    return { firstToken, read, of };
  };
  const last = [...history, said('user', questions[TURNS - 1] ?? '')];
  const goesOn = await first(last);
  const edit = await first([...history.slice(0, 2 * (EDITED - 1)), said('user', questions[TURNS] ?? '')]);
  await speaker.reload();
  return { 'goes on': goesOn, reload: await first(last), edit };
}

/** Other words for each turn of each run, so that nothing of the run before is known. */
function questionsOf(numbers: number[]): string[] {
  const words = numbers.map((number) => WORDS[number % WORDS.length] ?? '');
  return Array.from({ length: TURNS + 1 }, (_, turn) => `${words.slice(turn * QUESTION_WORDS, (turn + 1) * QUESTION_WORDS).join(' ')}?`);
}

describe.skipIf(PEER === '').each([1, 2])('the first token of turn 20 beside wllama, %i threads', (threads) => {
  test('going on, after an edit of turn 10, after a reload', async () => {
    const isolated = new Site(HARNESS, { isolated: true });
    isolated.mount('/public/', path.join(ROOT, 'web/public'));
    givePeer(isolated);
    await isolated.start();
    const speakers = { ours: await ourSpeaker(isolated, threads), wllama: await peerSpeaker(isolated, threads) };
    const figures: (Figure & { who: string; moment: string })[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const numbers = await speakers.ours.page.evaluate(([count, seed]) => window.states.someTokens(count, seed), [(TURNS + 1) * QUESTION_WORDS, 50 + run] as const);
      const questions = questionsOf(numbers);
      for (const [who, speaker] of Object.entries(speakers)) {
        const taken = await converse(speaker, questions);
        figures.push(...Object.entries(taken).map(([moment, figure]) => ({ who, moment, ...figure })));
      }
    }
    for (const who of Object.keys(speakers)) {
      for (const moment of ['goes on', 'reload', 'edit'] satisfies Moment[]) {
        const of = figures.filter((each) => each.who === who && each.moment === moment).sort((a, b) => a.firstToken - b.firstToken);
        const median = of[of.length >> 1];
        const [least, most] = [of[0], of.at(-1)].map((each) => Math.round(each?.firstToken ?? NaN));
        console.log(JSON.stringify({ who, threads, moment, firstToken: Math.round(median?.firstToken ?? NaN), least, most, read: median?.read, of: median?.of }));
      }
    }
    await speakers.ours.page.close();
    await speakers.wllama.page.close();
    await isolated.stop();
  });
});

async function ourSpeaker({ url }: Site, count: number): Promise<Speaker & { page: Page }> {
  const page = await browser.newPage();
  const reload = async () => {
    await page.goto(url);
    await page.evaluate(([file, count]) => window.states.open(file, { backend: 'cpu', workers: { count } }), [DEMO, count] as const);
  };
  await reload();
  const answer = async (messages: ChatMessage[], maxTokens: number) => {
    const { text, firstToken, prefilledTokens, promptTokens } = await page.evaluate(([messages, options]) => window.states.answer(messages, options), [messages, { temperature: 0, maxTokens }] as const);
    return { text, firstToken, read: prefilledTokens, of: promptTokens };
  };
  return { page, answer, reload };
}

async function peerSpeaker({ url }: Site, threads: number): Promise<Speaker & { page: Page }> {
  const page = await browser.newPage();
  const reload = async () => {
    await page.goto(`${url}peer.html`);
    await page.waitForFunction(() => 'peer' in window);
    const has = await page.evaluate(([file, threads]) => window.peer.open(file, threads, 4096), [`${url}${DEMO}`, threads] as const);
    if (has !== threads) throw new Error(`the peer has ${has} threads`);
  };
  await reload();
  const answer = async (messages: ChatMessage[], tokens: number) => {
    const { text, firstToken, read, known } = await page.evaluate(([messages, tokens]) => window.peer.answer(messages, tokens), [messages, tokens] as const);
    return { text, firstToken, read, of: read + known };
  };
  return { page, reload, answer };
}
