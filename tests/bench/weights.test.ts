/** A large file from nginx into IndexedDB and out again, beside curl; rows to keep in tests/record. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultProxy, FAULTS, seeded } from '../../web/test/fault-proxy';
import { HARNESS, ROOT } from '../e2e/folders';
import { SpawnedBrowser } from '../e2e/spawned-browser';
import { memoryOf } from './memory';
import { Nginx } from './nginx';

const MEGABYTES = Number(process.env.BENCH_MEGABYTES ?? 1000);
const FIREFOX = process.env.FIREFOX ?? '';
const RANGE = 8 * 1024 * 1024;
const scratch = mkdtempSync(path.join(tmpdir(), 'web-mamba-bench-'));
// Started by root, nginx reads as a user without rights.
chmodSync(scratch, 0o755);
const file = path.join(scratch, 'big.gguf');
let nginx: Nginx;
let digests: string[];

const row = (columns: Record<string, unknown>) => console.log(JSON.stringify(columns));
const rate = (milliseconds: number) => Math.round(statSync(file).size / 1000 / milliseconds);

/** MB/s of curl, into a file on the same disk as the browser's profile. */
function curl(): number {
  const out = path.join(scratch, 'curl.out');
  const text = execFileSync('curl', ['-sSf', '-o', out, '-w', '%{speed_download}', `${nginx.url}files/big.gguf`], { encoding: 'utf8' });
  rmSync(out);
  return Math.round(Number(text) / 1e6);
}

beforeAll(async () => {
  const random = seeded(1);
  const block = Buffer.alloc(4 * 1024 * 1024);
  for (let at = 0; at < block.length; at += 4) block.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  const handle = openSync(file, 'w');
  for (let written = 0; written < MEGABYTES * 1e6; written += block.length) {
    // No two blocks alike, so that a chunk in the wrong place is noticed.
    block.writeUInt32LE(written / block.length, 64);
    if (written === 0) writeSync(handle, Buffer.concat([Buffer.from('GGUF'), block.subarray(4)]));
    else writeSync(handle, block, 0, Math.min(block.length, MEGABYTES * 1e6 - written));
  }
  closeSync(handle);
  const reading = openSync(file, 'r');
  const piece = Buffer.alloc(RANGE);
  digests = [];
  for (let read = readSync(reading, piece); read > 0; read = readSync(reading, piece)) digests.push(createHash('sha256').update(piece.subarray(0, read)).digest('hex'));
  closeSync(reading);
  const manifest = execFileSync(path.join(ROOT, 'scripts/make-manifest'), [file], { encoding: 'utf8', maxBuffer: 1e8 });
  execFileSync('tee', [path.join(scratch, 'big.manifest.json')], { input: manifest, stdio: ['pipe', 'ignore', 'inherit'] });
  nginx = await Nginx.start(HARNESS, scratch, path.join(scratch, 'nginx'));
});
afterAll(() => {
  nginx?.stop();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
});

test.each([['plain address', 'big.gguf'], ['manifest', 'big.manifest.json']])('Chromium, %s: throughput, reading back, memory of the page', async (source, name) => {
  const chromium = await SpawnedBrowser.start(path.join(scratch, `chromium-${name}`));
  try {
    const page = await chromium.page(nginx.url);
    const url = `${nginx.url}files/${name}`;
    const before = curl();
    const result = await page.evaluate((address) => window.harness.download(address), url);
    expect(result).toMatchObject({ code: 'complete' });
    const after = curl();
    const peak = Math.max(...(await chromium.renderers()).map((pid) => memoryOf(pid).peak));
    const read = await page.evaluate(([address, range]) => window.harness.read(address, range, false), [url, RANGE] as const);
    expect((await page.evaluate(([address, range]) => window.harness.read(address, range), [url, RANGE] as const)).digests).toEqual(digests);
    row({
      browser: 'chromium', source, MB: MEGABYTES, downloadMBps: rate(result.milliseconds), curlMBps: [before, after],
      share: Number((rate(result.milliseconds) / ((before + after) / 2)).toFixed(2)), readGBps: rate(read.milliseconds) / 1000, rendererPeakMB: peak,
    });
  } finally {
    await chromium.kill();
  }
});

/** What of a download is the browser's: chunks in four lanes, without a line of ours, and each with so many of the steps that a kept and checked chunk needs. */
test.each([['fetch'], ['fetch', 'read'], ['fetch', 'read', 'hash'], ['fetch', 'put'], ['fetch', 'read', 'hash', 'put']])('Chromium alone: %s %s %s %s', async (...steps) => {
  const chromium = await SpawnedBrowser.start(path.join(scratch, `chromium-${steps.join('-')}`));
  try {
    const page = await chromium.page(nginx.url);
    const before = curl();
    const milliseconds = await page.evaluate(async ([url, steps, length]) => {
      const chunk = 16 * 1024 * 1024;
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('alone');
        request.onupgradeneeded = () => request.result.createObjectStore('chunks');
        request.onsuccess = () => resolve(request.result);
      });
      let next = 0;
      const lane = async () => {
        for (let start = next; start < length; start = next) {
          next += chunk;
          const range = `bytes=${start}-${Math.min(start + chunk, length) - 1}`;
          const blob = await (await fetch(url, { headers: { range }, cache: 'no-store' })).blob();
          const bytes = steps.includes('read') ? await blob.arrayBuffer() : undefined;
          if (bytes && steps.includes('hash')) await crypto.subtle.digest('SHA-256', bytes);
          if (!steps.includes('put')) continue;
          await new Promise((resolve, reject) => {
            const transaction = database.transaction('chunks', 'readwrite');
            transaction.objectStore('chunks').put(blob, start);
            transaction.oncomplete = resolve;
            transaction.onerror = reject;
          });
        }
      };
      const began = performance.now();
      await Promise.all([lane(), lane(), lane(), lane()]);
      return performance.now() - began;
    }, [`${nginx.url}files/big.gguf`, steps as string[], statSync(file).size] as const);
    row({ browser: 'chromium alone', steps: steps.join(', '), MBps: rate(milliseconds), curlMBps: [before, curl()] });
  } finally {
    await chromium.kill();
  }
});

test('Chromium, killed half way and started again on the same profile', async () => {
  const profile = path.join(scratch, 'chromium-killed');
  const url = `${nginx.url}files/big.gguf?killed`;
  let chromium = await SpawnedBrowser.start(profile);
  try {
    let page = await chromium.page(nginx.url);
    void page.evaluate((address) => window.harness.download(address), url).catch(() => undefined);
    await page.waitForFunction((least) => window.harness.progress.done > least, (MEGABYTES * 1e6) / 2, { polling: 20 });
    await chromium.kill();
    chromium = await SpawnedBrowser.start(profile);
    page = await chromium.page(nginx.url);
    const resuming = page.evaluate((address) => window.harness.download(address), url);
    await page.waitForFunction(() => window.harness.progress.done > 0, undefined, { polling: 5 });
    const kept = await page.evaluate(() => window.harness.progress.done);
    expect(kept).toBeGreaterThan(MEGABYTES * 0.35e6);
    expect(await resuming).toMatchObject({ code: 'complete' });
    expect((await page.evaluate(([address, range]) => window.harness.read(address, range), [url, RANGE] as const)).digests).toEqual(digests);
    row({ browser: 'chromium', killedAtMB: MEGABYTES / 2, keptMB: Math.round(kept / 1e6) });
  } finally {
    await chromium.kill();
  }
});

test('Chromium, through the fault proxy in front of nginx, every chunk held to the manifest', async () => {
  const random = seeded(11);
  const proxy = new FaultProxy(nginx.url, (_, asked) => {
    const fault = { kind: FAULTS[Math.floor(random() * FAULTS.length)] as (typeof FAULTS)[number], at: random(), bit: random() };
    // The page and the manifest come as they are.
    return asked.endsWith('.gguf') && random() < 0.2 ? fault : undefined;
  });
  await proxy.start();
  const chromium = await SpawnedBrowser.start(path.join(scratch, 'chromium-faults'));
  try {
    const page = await chromium.page(proxy.url);
    const url = `${proxy.url}files/big.manifest.json`;
    const result = await page.evaluate((address) => window.harness.download(address, { hasty: true }), url);
    row({ browser: 'chromium', faults: proxy.done.length, kinds: [...new Set(proxy.done)].join(' '), ended: result.code, downloadMBps: rate(result.milliseconds) });
    expect(proxy.done.length).toBeGreaterThan(3);
    expect(result).toMatchObject({ code: 'complete' });
    expect((await page.evaluate(([address, range]) => window.harness.read(address, range), [url, RANGE] as const)).digests).toEqual(digests);
  } finally {
    await chromium.kill();
    await proxy.stop();
  }
});

test.skipIf(!existsSync(FIREFOX))('Firefox, over WebDriver BiDi: throughput and reading back', async () => {
  const firefox = await puppeteer.launch({
    browser: 'firefox', executablePath: FIREFOX, headless: true, userDataDir: path.join(scratch, 'firefox'), protocolTimeout: 600_000,
    // A profile of a program has no visitor who could be asked for room.
    extraPrefsFirefox: { 'dom.quotaManager.temporaryStorage.fixedLimit': 20_000_000 },
  });
  try {
    const page = await firefox.newPage();
    await page.goto(nginx.url);
    const url = `${nginx.url}files/big.manifest.json`;
    const before = curl();
    const result = await page.evaluate((address) => window.harness.download(address), url);
    expect(result).toMatchObject({ code: 'complete' });
    const after = curl();
    const read = await page.evaluate((address, range) => window.harness.read(address, range, false), url, RANGE);
    expect((await page.evaluate((address, range) => window.harness.read(address, range), url, RANGE)).digests).toEqual(digests);
    row({
      browser: await firefox.version(), source: 'manifest', MB: MEGABYTES, downloadMBps: rate(result.milliseconds), curlMBps: [before, after],
      share: Number((rate(result.milliseconds) / ((before + after) / 2)).toFixed(2)), readGBps: rate(read.milliseconds) / 1000,
    });
  } finally {
    await firefox.close();
  }
});
