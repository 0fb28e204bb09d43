/** The engine's worker breaks in every way that it can: one sentence names the model, and another model opens and chats, without a reload. */
import path from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { some } from './every-round';
import { DIST, GOLDEN_MODELS, HARNESS, ROOT } from './folders';
import { Site } from './site';
import { breakEngine, spoilWorker } from './spoilt-worker';

/** A crash is said within this; a worker that does not answer has ten seconds of its own. */
const BOUND = 5000;
const SILENT_BOUND = 20_000;

let site: Site;
let browser: BrowserContext;

function withEngine(webgpu: boolean): void {
  beforeAll(async () => {
    site = new Site(DIST);
    site.mount('/golden/', GOLDEN_MODELS);
    await site.start();
    // A service worker would bring the page another copy of the worker's script.
    browser = await openBrowser({ webgpu, serviceWorkers: 'block' });
  });
  afterAll(async () => {
    await browser?.close();
    await site.stop();
  });
}

async function visit(prologue: string, { times, query = '', backend = '' }: { times?: number; query?: string; backend?: string } = {}): Promise<ChatPage> {
  spoilWorker(site, DIST, prologue, times);
  const chat = new ChatPage(await browser.newPage());
  const model = encodeURIComponent(`${site.url}golden/falcon-tiny-Q4_K_M.gguf`);
  await chat.page.goto(`${site.url}?model=${model}${backend && `&backend=${backend}`}${query}`);
  return chat;
}

/** Asks, and waits until the answer is being written. */
async function beginStory(chat: ChatPage): Promise<void> {
  await chat.input.fill('Once upon a time');
  await chat.send.click();
  await chat.answerGrowsTo(10);
}

/** The card that says what happened: it names the model, says what to do, and offers it. */
async function failed(chat: ChatPage, code: string, within: number): Promise<void> {
  await chat.error.waitFor({ timeout: within });
  expect(await chat.error.getAttribute('data-code')).toBe(code);
  expect(await chat.error.locator('.error-sentence').innerText()).toContain('falcon-tiny');
  expect(await chat.error.locator('p').nth(1).innerText()).toMatch(/Try again/);
}

/** Another model opens and chats; nothing was loaded anew. */
async function anotherChats(chat: ChatPage): Promise<void> {
  const { page } = chat;
  await page.evaluate(() => ((window as unknown as { same: boolean }).same = true));
  await chat.error.getByText('Use the demo model').click();
  await chat.backend.waitFor();
  expect((await chat.ask('Hello')).answer).not.toBe('');
  expect(await page.evaluate(() => (window as unknown as { same?: boolean }).same)).toBe(true);
  expect(await chat.error.count()).toBe(0);
}

describe('on the CPU', () => {
  withEngine(false);

  test.each([
    ['a call of the engine that traps', 'spoil.on(() => spoil.exports(/^generationhandle_next$/, trap));'],
    ['a task of the engine that traps', 'spoil.on(() => spoil.exports(/closures.*invoke/, trap));'],
    ['a trap where a checkpoint is looked for', 'spoil.on(() => spoil.exports(/^model_newCheckpoints$/, trap));'],
    ['a stack that is used up', 'spoil.on(() => spoil.exports(/closures.*invoke/, function deeper() { deeper(); }));'],
    ['an exception that goes through the engine', "spoil.on(() => (performance.now = () => { throw new TypeError('no clock'); }));"],
    ['an uncaught error', "spoil.on(() => { throw new Error('uncaught'); });"],
    ['an unhandled rejection', "spoil.on(() => void Promise.reject(new Error('unhandled')));"],
    ['a worker that ends itself', 'spoil.on(() => self.close());'],
  ])('%s in the middle of an answer', async (_, prologue) => {
    const chat = await visit(prologue);
    await chat.backend.waitFor();
    await beginStory(chat);
    await breakEngine(chat.page);
    await failed(chat, 'engine-crashed', BOUND);
    // What was said stays, as when it is stopped.
    await chat.stats.first().waitFor({ timeout: BOUND });
    expect((await chat.answers.last().innerText()).trim().length).toBeGreaterThanOrEqual(10);
    await anotherChats(chat);
    await chat.page.close();
  });

  test('the same model opens again, and its conversation goes on', async () => {
    const chat = await visit("spoil.on(() => { throw new Error('uncaught'); });");
    await chat.backend.waitFor();
    await breakEngine(chat.page);
    await failed(chat, 'engine-crashed', BOUND);
    await chat.error.getByRole('button', { name: 'Try again' }).click();
    await chat.backend.waitFor();
    await beginStory(chat);
    await chat.page.close();
  });

  test('a worker that hears nothing any more is ended some seconds after the stop', async () => {
    const chat = await visit('spoil.on(() => { for (;;); });');
    await chat.backend.waitFor();
    await beginStory(chat);
    await breakEngine(chat.page);
    await chat.stop.click();
    await failed(chat, 'engine-silent', SILENT_BOUND);
    await anotherChats(chat);
    await chat.page.close();
  });

  test('a worker that hears nothing any more is ended when another model is opened', async () => {
    const chat = await visit('spoil.on(() => { for (;;); });');
    await chat.backend.waitFor();
    await beginStory(chat);
    await breakEngine(chat.page);
    await chat.page.getByTestId('model-picker').click();
    await chat.page.getByTestId('model-address').fill(`${site.url}golden/mamba-tiny-Q4_0.gguf`);
    await chat.page.getByTestId('model-open').click();
    await chat.page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('mamba-tiny'));
    await chat.backend.waitFor({ timeout: SILENT_BOUND });
    await chat.page.close();
  });

  test('a model that breaks the engine each time it is opened is not opened again by itself', async () => {
    const chat = await visit('spoil.exports(/^loadModel$/, trap);', { times: 2 });
    await failed(chat, 'engine-crashed', 20_000);
    await chat.error.getByRole('button', { name: 'Try again' }).click();
    await failed(chat, 'engine-crashed', 20_000);
    await chat.page.waitForTimeout(500);
    expect(workers(chat)).toBeLessThanOrEqual(1);
    await anotherChats(chat);
    await chat.page.close();
  });

  test('a worker whose script does not come is asked for again', async () => {
    const chat = await visit("throw new Error('no script');");
    await chat.error.waitFor();
    expect(await chat.error.getAttribute('data-code')).toBe('engine-start');
    spoilWorker(site, DIST, '');
    await chat.error.getByRole('button', { name: 'Try again' }).click();
    await chat.backend.waitFor();
    await chat.page.close();
  });
});

const workers = (chat: ChatPage) => chat.page.workers().filter((worker) => /\/worker-/.test(worker.url())).length;

describe('on the GPU', () => {
  withEngine(true);

  const refused = (name: string) => `() => { throw new TypeError('${name} is refused'); }`;

  const opening = [
    ['createBuffer', `throws(GPUDevice.prototype, 'createBuffer', 3, ${refused('createBuffer')});`],
    ['createBindGroup', `throws(GPUDevice.prototype, 'createBindGroup', 0, ${refused('createBindGroup')});`],
    ['createShaderModule', `throws(GPUDevice.prototype, 'createShaderModule', 0, ${refused('createShaderModule')});`],
    ['writeBuffer', "throws(GPUQueue.prototype, 'writeBuffer', 0, () => { throw new DOMException('no', 'OperationError'); });"],
    ['submit', "throws(GPUQueue.prototype, 'submit', 0, () => { throw new RangeError('no'); });"],
    ['createCommandEncoder', "throws(GPUDevice.prototype, 'createCommandEncoder', 0, () => null);"],
    ['createBindGroupLayout', `throws(GPUDevice.prototype, 'createBindGroupLayout', 0, ${refused('createBindGroupLayout')});`],
    ['getMappedRange', "throws(GPUBuffer.prototype, 'getMappedRange', 0, () => null);"],
    ['requestDevice', "throws(GPUAdapter.prototype, 'requestDevice', 0, () => { throw new TypeError('no'); });"],
  ] as const;
  // Each opens the GPU and then the CPU; before a release all of them.
  test.each(some(opening, 3))('%s that fails has the model opened on the CPU, which says why', async (_, prologue) => {
    const chat = await visit(prologue);
    await chat.backend.waitFor({ timeout: 60_000 });
    expect(await chat.backend.innerText()).toMatch(/^CPU — .*GPU.*/);
    console.log(await chat.backend.innerText());
    expect(await chat.error.count()).toBe(0);
    await beginStory(chat);
    await chat.page.close();
  });

  test.each([
    ['createComputePipeline', "for (const name of ['createComputePipeline', 'createComputePipelineAsync']) throws(GPUDevice.prototype, name, 0, () => null);"],
    ['mapAsync', "throws(GPUBuffer.prototype, 'mapAsync', 0, () => null);"],
  ])('%s that fails in every answer has it go on upon the CPU, once, and the page says why', async (_, prologue) => {
    const chat = await visit(prologue);
    await chat.backend.waitFor({ timeout: 60_000 });
    await beginStory(chat);
    expect(await chat.backend.innerText()).toMatch(/^CPU — .*GPU.*/);
    expect(await chat.error.count()).toBe(0);
    await chat.page.close();
  });

  test('a GPU that was asked for and breaks the engine is a failure that says what to do', async () => {
    const chat = await visit(`throws(GPUDevice.prototype, 'createBuffer', 3, ${refused('createBuffer')});`, { backend: 'webgpu' });
    await failed(chat, 'engine-crashed-gpu', 60_000);
    expect(await chat.error.locator('p').nth(1).innerText()).toContain('?backend=cpu');
    await chat.page.close();
  });

  test.each(some([['mapAsync', 'GPUBuffer'], ['submit', 'GPUQueue'], ['createCommandEncoder', 'GPUDevice']], 3))(
    '%s that fails in the middle of an answer is as a lost GPU: the answer goes on', async (name, type) => {
      const chat = await visit(`spoil.on(() => throws(${type}.prototype, '${name}', 0, ${refused(name)}));`, { backend: 'webgpu' });
      await chat.backend.waitFor({ timeout: 60_000 });
      await beginStory(chat);
      await breakEngine(chat.page);
      await chat.page.getByTestId('rebuilding').waitFor({ timeout: 20_000 });
      const before = (await chat.answers.last().innerText()).trim().length;
      await chat.backend.waitFor({ timeout: 60_000 });
      await chat.answerGrowsTo(before + 10);
      expect(await chat.error.count()).toBe(0);
      await chat.page.close();
    },
  );
});

describe('with the engine alone', () => {
  const TINY = 'golden/falcon-tiny-F32.gguf';
  const GREEDY = { temperature: 0, ignoreEos: true };
  const sites = { isolated: new Site(HARNESS, { isolated: true }), 'not isolated': new Site(HARNESS) };
  let context: BrowserContext;
  beforeAll(async () => {
    for (const each of Object.values(sites)) {
      each.mount('/golden/', GOLDEN_MODELS);
      each.mount('/public/', path.join(ROOT, 'web/public'));
      await each.start();
    }
    context = await openBrowser();
  });
  afterAll(async () => {
    await context?.close();
    for (const each of Object.values(sites)) await each.stop();
  });

  test.each([
    ...Object.keys(sites).flatMap((name) => [[name, 2, 'an answer'], [name, 3, 'an answer'], [name, 2, 'a prompt']] as const),
  ])('%s: of %i workers, one that dies in %s is replaced, and the tokens are the same', async (name, count, what) => {
    const page = await context.newPage();
    await page.goto(sites[name as keyof typeof sites].url);
    const ranks = () => page.workers().filter((worker) => worker.url().includes('rank'));
    await page.evaluate(([url, count]) => window.states.open(url, { backend: 'cpu', workers: { count } }), [TINY, count] as const);
    expect(ranks()).toHaveLength(count - 1);
    const inAnswer = what === 'an answer';
    const prompt = await page.evaluate((count) => window.states.someTokens(count, 13), inAnswer ? 20 : 20_000);
    const options = { ...GREEDY, maxTokens: inAnswer ? 3000 : 5 };
    const undisturbed = await page.evaluate(([prompt, options]) => window.states.answer(prompt, { ...options, reuse: false }), [prompt, options] as const);
    const disturbed = page.evaluate(([prompt, options]) => window.states.answer(prompt, { ...options, reuse: false }), [prompt, options] as const);
    await page.waitForFunction((inAnswer) => (inAnswer ? window.states.progress.tokens >= 5 : window.states.progress.prefill > 1000), inAnswer);
    const [replaced] = await Promise.all([page.waitForEvent('worker', { timeout: BOUND }), ranks()[0]?.evaluate(() => self.close())]);
    expect(replaced.url()).toContain('rank');
    const { ids, others } = await disturbed;
    expect(others).toEqual(['rebuild', 'rebuilt']);
    expect(ids).toEqual(undisturbed.ids);
    expect(ranks()).toHaveLength(count - 1);
    await page.close();
  });

  test.each(some(['auto', 'webgpu'] as const, 2))('an answer whose engine breaks on the GPU (%s) has the tokens of one that was left alone', async (backend) => {
    spoilWorker(sites['not isolated'], HARNESS, "spoil.on(() => spoil.exports(/closures.*invoke/, trap));");
    const page = await context.newPage();
    await page.goto(sites['not isolated'].url);
    await page.evaluate(([url, backend]) => window.states.open(url, { backend, activations: 'f32' }), [TINY, backend] as const);
    const prompt = await page.evaluate(() => window.states.someTokens(60, 11));
    const options = { ...GREEDY, maxTokens: 40 };
    const undisturbed = await page.evaluate(([prompt, options]) => window.states.answer(prompt, { ...options, reuse: false }), [prompt, options] as const);
    const disturbed = page.evaluate(([prompt, options]) => window.states.answer(prompt, options), [prompt, options] as const);
    await page.waitForFunction(() => window.states.progress.tokens >= 8);
    await breakEngine(page);
    const { ids, others } = await disturbed;
    expect(others).toEqual(['rebuild', 'rebuilt']);
    expect(ids).toEqual(undisturbed.ids);
    await page.close();
  });
});
