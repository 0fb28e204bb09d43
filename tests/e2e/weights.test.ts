/** Downloads in a real browser: faults, a killed browser, two tabs, a small quota. The schedules and the store are those of web/test. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultProxy, FAULTS, seeded } from '../../web/test/fault-proxy';
import { Origin } from '../../web/test/origin';
import { newProfile, openBrowser, storedRows } from './browser';
import { DIST, HARNESS } from './folders';
import { Site } from './site';
import { SpawnedBrowser } from './spawned-browser';

const MiB = 1024 * 1024;
const SEEDS = 12;
const site = new Site(HARNESS);
/** Another origin, as most models come from; it answers no preflight. */
const origin = new Origin({ cors: true });
const model = Buffer.alloc(24 * MiB + 4321);
let browser: BrowserContext;

/** As a page sees it: every stored range, hashed. */
function digests(bytes: Buffer, range: number): string[] {
  return Array.from({ length: Math.ceil(bytes.length / range) }, (_, index) =>
    createHash('sha256').update(bytes.subarray(index * range, (index + 1) * range)).digest('hex'));
}

async function expectExact(page: Page, url: string): Promise<void> {
  expect((await page.evaluate((address) => window.harness.read(address, 3_000_001), url)).digests).toEqual(digests(model, 3_000_001));
}

/** Waits until at least so many bytes are received. */
async function received(page: Page, bytes: number): Promise<void> {
  await page.waitForFunction((least) => window.harness.progress.done >= least, bytes, { polling: 50 });
}

async function openPage(context = browser): Promise<Page> {
  const page = await context.newPage();
  await page.goto(site.url);
  return page;
}

beforeAll(async () => {
  const random = seeded(7);
  for (let at = 0; at < model.length; at += 4) model.writeUInt32LE(Math.floor(random() * 2 ** 32), Math.min(at, model.length - 4));
  model.write('GGUF');
  await Promise.all([site.start(), origin.start()]);
  origin.files.set('/m.gguf', model);
  browser = await openBrowser({ webgpu: false });
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([site.stop(), origin.stop()]);
});

test(`${SEEDS} fault schedules end with the exact bytes or a typed failure, from another origin`, async () => {
  const page = await openPage();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = seeded(seed);
    let faulty = true;
    // Nobody lists hashes here, so no fault may lie.
    const kinds = FAULTS.filter((kind) => !['flip', 'lying-range'].includes(kind));
    const proxy = new FaultProxy(origin.url, () => {
      const fault = { kind: kinds[Math.floor(random() * kinds.length)] as (typeof kinds)[number], at: random(), bit: random() };
      return faulty && random() < 0.35 ? fault : undefined;
    });
    await proxy.start();
    const url = `${proxy.url}m.gguf`;
    try {
      const run = () => page.evaluate((address) => window.harness.download(address, { chunkBytes: 2 * 1024 * 1024, hasty: true }), url);
      const first = await run();
      console.log(`seed ${seed}: ${first.code} after ${proxy.done.join(' ') || 'no fault'}`);
      if (first.code !== 'complete') {
        expect(first).toMatchObject({ message: expect.stringMatching(/\w{3}/) as string, remedy: expect.stringMatching(/\w{3}/) as string });
        expect(first.code).not.toBe('unexpected');
        faulty = false;
        expect(await run()).toMatchObject({ code: 'complete' });
      }
      await expectExact(page, url);
      await page.evaluate((address) => window.harness.remove(address), url);
    } finally {
      await proxy.stop();
    }
  }
  expect(await storedRows(page)).toEqual({ chunks: 0, models: 0 });
  await page.close();
});

test('a server that forbids other pages is named, and told from one that is not there', async () => {
  const forbidding = new Origin();
  await forbidding.start();
  forbidding.files.set('/m.gguf', model);
  const page = await openPage();
  const { host, href } = new URL('m.gguf', forbidding.url);
  const run = () => page.evaluate((address) => window.harness.download(address, { hasty: true }), href);
  expect(await run()).toMatchObject({ code: 'cors', message: expect.stringContaining(host) as string, remedy: expect.stringMatching(/\w{3}/) as string });
  await forbidding.stop();
  expect(await run()).toMatchObject({ code: 'network', message: expect.stringContaining(host) as string });
  expect(await storedRows(page)).toEqual({ chunks: 0, models: 0 });
  await page.close();
});

test('a killed browser goes on where it was, on the same profile', async () => {
  const profile = newProfile();
  const url = `${origin.url}m.gguf`;
  origin.delay = 4;
  let spawned = await SpawnedBrowser.start(profile);
  try {
    let page = await spawned.page(site.url);
    void page.evaluate((address) => window.harness.download(address, { chunkBytes: 1024 * 1024 }), url).catch(() => undefined);
    await received(page, 10 * MiB);
    await spawned.kill();
    origin.delay = 0;
    const before = origin.sent;
    spawned = await SpawnedBrowser.start(profile);
    page = await spawned.page(site.url);
    expect(await page.evaluate((address) => window.harness.download(address, { chunkBytes: 1024 * 1024 }), url)).toMatchObject({ code: 'complete' });
    const again = origin.sent - before;
    console.log(`killed after ${10 * MiB} bytes; ${again} of ${model.length} were fetched after the restart`);
    // Four chunks were on their way when it died.
    expect(again).toBeLessThan(model.length - 5 * MiB);
    await expectExact(page, url);
  } finally {
    origin.delay = 0;
    await spawned.kill();
  }
});

test('a store that the browser clears under an open page is opened again', async () => {
  const page = await openPage();
  const url = `${origin.url}m.gguf?cleared`;
  const run = () => page.evaluate((address) => window.harness.download(address), url);
  expect(await run()).toMatchObject({ code: 'complete' });
  const devtools = await browser.newCDPSession(page);
  await devtools.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'indexeddb' });
  expect(await run()).toMatchObject({ code: 'complete' });
  await expectExact(page, url);
  await page.evaluate((address) => window.harness.remove(address), url);
  await page.close();
});

test('two tabs: one downloads, the other shows its progress and takes over when it is closed', async () => {
  const [first, second] = [await openPage(), await openPage()];
  const url = `${origin.url}m.gguf?tabs`;
  origin.delay = 6;
  origin.sent = 0;
  void first.evaluate((address) => window.harness.download(address, { chunkBytes: 1024 * 1024 }), url).catch(() => undefined);
  await received(first, 2 * MiB);
  const watching = second.evaluate((address) => window.harness.download(address, { chunkBytes: 1024 * 1024 }), url);
  await received(second, 8 * MiB);
  const [here, there] = [await first.evaluate(() => window.harness.progress.done), await second.evaluate(() => window.harness.progress.done)];
  expect(Math.abs(here - there)).toBeLessThan(6 * MiB);
  // Beside what is counted, some is in buffers; were both to download, it would be twice as much.
  expect(origin.sent).toBeLessThan(here + 6 * MiB);
  await first.close();
  origin.delay = 0;
  const result = await watching;
  expect(result).toMatchObject({ code: 'complete' });
  expect(result.elsewhere).toBeGreaterThan(0);
  // What the first tab had on its way came twice, and nothing else.
  expect(origin.sent).toBeLessThan(model.length + 7 * MiB);
  await expectExact(second, url);
  await second.close();
});

test('one signal ends the download, the load, the reading of a prompt and the answer', async () => {
  origin.files.set('/demo.gguf', readFileSync(path.join(DIST, 'models/web-mamba-demo-31m-v2-q4_k_m.gguf')));
  const page = await openPage();
  const url = `${origin.url}demo.gguf`;
  const ended = new Map([['download', 'paused'], ['load', 'paused'], ['prefill', 'cancelled after no tokens'], ['decode', 'cancelled after some tokens']] as const);
  for (const [when, how] of ended) {
    origin.delay = when === 'download' ? 10 : 0;
    const result = await page.evaluate(([address, when]) => window.harness.abortAt(address, when), [url, when] as const);
    console.log(`${when}: ${result.ended}, ${Math.round(result.milliseconds)} ms after the abort`);
    expect(result.ended, when).toBe(how);
    expect(result.milliseconds, when).toBeLessThan(5000);
  }
  await page.close();
});

test('what the browser itself says it has no room for is refused at the first answer, and leaves nothing behind', async () => {
  const page = await openPage(await openBrowser({ webgpu: false }));
  origin.sent = 0;
  origin.claims = 1e15;
  try {
    const url = `${origin.url}m.gguf?preflight`;
    const refused = await page.evaluate((address) => window.harness.download(address, { chunkBytes: 1024 * 1024 }), url);
    console.log(refused.code, refused.message, refused.remedy);
    expect(refused).toMatchObject({ code: 'no-room', message: expect.stringMatching(/needs 1000\.0 TB more and/) as string });
    expect(await storedRows(page)).toMatchObject({ chunks: 0, models: 0 });
    expect(origin.sent).toBeLessThanOrEqual(model.length);
  } finally {
    origin.claims = undefined;
    await page.context().close();
  }
});

test('a small quota that ends half way: what came is kept, how much is missing is said, and more room lets it go on', async () => {
  const context = await openBrowser({ webgpu: false });
  try {
    const page = await openPage(context);
    const url = `${origin.url}m.gguf?quota`;
    const devtools = await context.newCDPSession(page);
    const quota = (quotaSize?: number) => devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, ...(quotaSize ? { quotaSize } : {}) });
    await quota(12 * MiB);
    // Browsers may report more room than there is, so that sites learn little of the disk: the estimate alone protects nobody.
    console.log(`quota ${12 * MiB}, estimate ${JSON.stringify(await page.evaluate(() => navigator.storage.estimate()))}`);
    const run = (blind: boolean) => page.evaluate(([address, blind]) => window.harness.download(address, { chunkBytes: 1024 * 1024, blind }), [url, blind] as const);
    const full = await run(true);
    console.log(full.code, full.message, full.remedy);
    expect(full).toMatchObject({ code: 'no-room-left', message: expect.stringMatching(/\d MB/) as string });
    const { chunks = 0 } = await storedRows(page);
    expect(chunks).toBeGreaterThan(2);
    expect(chunks).toBeLessThan(20);
    await quota();
    origin.sent = 0;
    expect(await run(false)).toMatchObject({ code: 'complete' });
    expect(origin.sent).toBeLessThanOrEqual(model.length - chunks * MiB);
    await expectExact(page, url);
  } finally {
    await context.close();
  }
});
