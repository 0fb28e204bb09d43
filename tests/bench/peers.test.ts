/** The page's engine beside wllama (llama.cpp compiled to wasm), on the same files in the same browser: `scripts/bench-peers`. */
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { openBrowser } from '../e2e/browser';
import { HARNESS } from '../e2e/folders';
import { Site } from '../e2e/site';
import { givePeer, type Timings } from './peer-page';

const FILES = (process.env.PEER_FILES ?? '').split(':').filter(Boolean);
const RUNS = Number(process.env.PEER_RUNS ?? 5);
const PROMPT = 512;
const ANSWER = 64;
/** How often the peer may break in one run. */
const BREAKS = 8;
/** Without isolation the peer has one thread, whatever it is asked for. */
const SETTINGS = [
  { threads: 1, isolated: true },
  { threads: 2, isolated: true },
  { threads: 2, isolated: false },
];

/** Our own workers alone, run about: what a second one is worth here, with and without a shared memory. */
const WORKERS = [
  { count: 1, isolated: true },
  { count: 2, isolated: true },
  { count: 2, isolated: false },
];

interface Figures {
  prefill: number;
  decode: number;
}

const rows: Record<string, string | number>[] = [];
let browser: BrowserContext;

beforeAll(async () => {
  browser = await openBrowser({ webgpu: false });
});
afterAll(async () => {
  await browser?.close();
  console.table(rows);
});

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** Words of a prompt that wllama reads as about `PROMPT` tokens: each is the same number of them. */
async function wordsOf(page: Page, open: readonly [string, number]): Promise<number> {
  const [few, many] = [await peerRun(page, 20, 4, open), await peerRun(page, 120, 4, open)];
  const each = (many.prompt_n - few.prompt_n) / 100;
  return Math.round((PROMPT - (few.prompt_n - 20 * each)) / each);
}

/** One run of the peer. With several threads it often breaks with "Invalid typed array length": then it is opened anew, a few times. */
async function peerRun(page: Page, words: number, answer: number, open: readonly [string, number, number?]): Promise<Timings> {
  for (let left = BREAKS; ; left -= 1) {
    try {
      return await page.evaluate(([words, answer]) => window.peer.run(words, answer), [words, answer] as const);
    } catch (problem) {
      if (left === 0) throw problem;
      console.log(`the peer broke: ${String(problem).split('\n')[0]}`);
      await page.reload();
      await page.waitForFunction(() => 'peer' in window);
      await page.evaluate(([url, threads, context]) => window.peer.open(url, threads, context), open);
    }
  }
}

describe.each(SETTINGS)('$threads threads, isolated: $isolated', ({ threads, isolated }) => {
  test.each(FILES)('%s', async (file) => {
    const site = new Site(HARNESS, { isolated });
    givePeer(site);
    site.mount('/files/', path.dirname(file));
    await site.start();
    const [ours, theirs] = [await browser.newPage(), await browser.newPage()];
    const url = `${site.url}files/${path.basename(file)}`;
    await ours.goto(site.url);
    await theirs.goto(`${site.url}peer.html`);
    // Without a shared memory a second worker may cost more than it gives: the engine's own trial decides.
    const info = await ours.evaluate(([url, count]) => window.harness.open(url, { backend: 'cpu', ...(count ? { workers: { count } } : {}) }), [url, isolated ? threads : 0] as const);
    await theirs.waitForFunction(() => 'peer' in window);
    const peerThreads = await theirs.evaluate(([url, threads]) => window.peer.open(url, threads), [url, threads] as const);
    const words = await wordsOf(theirs, [url, threads]);
    const figures: { ours: Figures[]; theirs: Figures[] } = { ours: [], theirs: [] };
    let read = 0;
    for (let run = 0; run < RUNS; run += 1) {
      figures.ours.push(await ours.evaluate(([promptTokens, genTokens]) => window.harness.bench({ promptTokens, genTokens, runs: 1 }), [PROMPT, ANSWER] as const));
      const timings = await peerRun(theirs, words, ANSWER, [url, threads]);
      if (timings.cache_n > 0 || timings.predicted_n < ANSWER / 2) throw new Error(`the peer's run is no measurement: ${JSON.stringify(timings)}`);
      read = timings.prompt_n;
      figures.theirs.push({ prefill: timings.prompt_per_second, decode: timings.predicted_per_second });
    }
    const of = (who: 'ours' | 'theirs', what: keyof Figures) => median(figures[who].map((each) => each[what]));
    const row = {
      model: path.basename(file, '.gguf'), isolated: String(isolated), ours: info.adapter, 'peer threads': peerThreads, 'peer prompt': read,
      prefill: of('ours', 'prefill'), 'peer prefill': of('theirs', 'prefill'), 'times prefill': of('ours', 'prefill') / of('theirs', 'prefill'),
      decode: of('ours', 'decode'), 'peer decode': of('theirs', 'decode'), 'times decode': of('ours', 'decode') / of('theirs', 'decode'),
    };
    rows.push(Object.fromEntries(Object.entries(row).map(([key, value]) => [key, typeof value === 'number' ? Number(value.toFixed(2)) : value])));
    console.log(JSON.stringify(rows.at(-1)));
    await ours.close();
    await theirs.close();
    await site.stop();
  });
});

describe('workers', () => {
  test.each(FILES)('%s', async (file) => {
    const variants = await Promise.all(WORKERS.map(async (variant) => {
      const site = new Site(HARNESS, { isolated: variant.isolated });
      site.mount('/files/', path.dirname(file));
      await site.start();
      return { ...variant, site, page: await browser.newPage(), figures: [] as Figures[] };
    }));
    for (const { site, page, count } of variants) {
      await page.goto(site.url);
      await page.evaluate(([url, count]) => window.harness.open(url, { backend: 'cpu', workers: { count } }), [`${site.url}files/${path.basename(file)}`, count] as const);
    }
    for (let run = 0; run < RUNS; run += 1) {
      for (const { page, figures } of variants) {
        figures.push(await page.evaluate(([promptTokens, genTokens]) => window.harness.bench({ promptTokens, genTokens, runs: 1 }), [PROMPT, ANSWER] as const));
      }
    }
    for (const { count, isolated, figures, page, site } of variants) {
      const [prefill, decode] = (['prefill', 'decode'] as const).map((what) => Number(median(figures.map((each) => each[what])).toFixed(1)));
      console.log(JSON.stringify({ model: path.basename(file, '.gguf'), workers: count, isolated, prefill, decode }));
      await page.close();
      await site.stop();
    }
  });
});

/** Sequences of a batch: the answers that are offered side by side, and the four sections of a document that are written at once. */
const BATCHES = [3, 4];

describe('batches', () => {
  test.each(FILES)('%s', async (file) => {
    const site = new Site(HARNESS, { isolated: true });
    site.mount('/files/', path.dirname(file));
    await site.start();
    for (const workers of [1, 2]) {
      const page = await browser.newPage();
      await page.goto(site.url);
      await page.evaluate(([url, count]) => window.harness.open(url, { backend: 'cpu', workers: { count } }), [`${site.url}files/${path.basename(file)}`, workers] as const);
      for (const sequences of BATCHES) {
        const { prefill, decode, batch = NaN } = await page.evaluate(
          ([promptTokens, genTokens, runs, sequences]) => window.harness.bench({ promptTokens, genTokens, runs, sequences }), [PROMPT, ANSWER, RUNS, sequences] as const,
        );
        console.log(JSON.stringify({
          model: path.basename(file, '.gguf'), workers, sequences, prefill: Number(prefill.toFixed(1)), decode: Number(decode.toFixed(1)), batch: Number(batch.toFixed(1)),
          'times one': Number((batch / decode).toFixed(2)), 'of prefill': Number((batch / prefill).toFixed(3)),
        }));
      }
      await page.close();
    }
    await site.stop();
  });
});

/** A transformer of about the size of mamba-130m, for the same curve. */
const TRANSFORMER = process.env.PEER_TRANSFORMER ?? '';
const POSITIONS = [64, 16_384];
/** Tokens from a position on, whose median time counts. */
const WINDOW = 512;
/** A transformer's prompt takes time that grows with its square. */
const PEER_POSITIONS = [64, 2048, 8192];

describe('positions', () => {
  test.each(FILES.slice(0, 1))('%s', async (file) => {
    const site = new Site(HARNESS, { isolated: true });
    site.mount('/files/', path.dirname(file));
    await site.start();
    const page = await browser.newPage();
    await page.goto(site.url);
    const info = await page.evaluate((url) => window.harness.open(url, { backend: 'cpu', workers: { count: 2 } }), `${site.url}files/${path.basename(file)}`);
    const runs = POSITIONS.map(() => [] as number[]);
    for (let run = 0; run < RUNS; run += 1) {
      // Of one answer: what comes late in it and what comes early find the same machine.
      const times = await page.evaluate((tokens) => window.harness.tokenTimes(tokens), Math.max(...POSITIONS) + WINDOW);
      POSITIONS.forEach((position, at) => runs[at]?.push(median(times.slice(position, position + WINDOW))));
    }
    const [near = NaN, far = NaN] = runs.map(median);
    console.log(JSON.stringify({
      model: path.basename(file, '.gguf'), positions: POSITIONS, milliseconds: runs.map((each) => each.map((time) => Number(time.toFixed(3)))),
      times: Number((far / near).toFixed(3)), memoryBytes: info.memoryBytes,
    }));
    await page.close();
    await site.stop();
  });

  test.skipIf(TRANSFORMER === '')('of a transformer, in wllama', async () => {
    const site = new Site(HARNESS, { isolated: true });
    givePeer(site);
    site.mount('/files/', path.dirname(TRANSFORMER));
    await site.start();
    const page = await browser.newPage();
    await page.goto(`${site.url}peer.html`);
    await page.waitForFunction(() => 'peer' in window);
    const open = [`${site.url}files/${path.basename(TRANSFORMER)}`, 2, (PEER_POSITIONS.at(-1) ?? 0) + 512] as const;
    await page.evaluate(([url, threads, context]) => window.peer.open(url, threads, context), open);
    for (const position of PEER_POSITIONS) {
      const timings = await peerRun(page, position, 128, open);
      console.log(JSON.stringify({ model: path.basename(TRANSFORMER, '.gguf'), position: timings.prompt_n, prefill: Number(timings.prompt_per_second.toFixed(1)), decode: Number(timings.predicted_per_second.toFixed(1)) }));
    }
    await page.close();
    await site.stop();
  });
});
