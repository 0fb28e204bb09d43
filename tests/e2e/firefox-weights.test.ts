/** Downloads in a real Firefox: a pause and a reload, and two tabs that share one download. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Origin } from '../../web/test/origin';
import { FIREFOX, openFirefox } from './firefox-browser';
import { DIST } from './folders';
import { Site } from './site';

const MODEL = readFileSync(path.join(DIST, 'models/web-mamba-demo-31m-v2-q4_k_m.gguf'));
const CHUNK = 16 * 1024 * 1024;
const timeout = 120_000;

const site = new Site(DIST);
const origin = new Origin({ cors: true });
let firefox: Browser;

const by = (id: string) => `[data-testid=${id}]`;
const seen = (page: Page, id: string) => page.waitForSelector(by(id), { visible: true, timeout });
/** Presses without a pointer, which only the tab in front has. */
const press = async (page: Page, id: string) => (await seen(page, id))?.evaluate((button) => (button as HTMLElement).click());
const says = (page: Page, text: string) => page.waitForFunction((part) => document.body.innerText.includes(part), { timeout, polling: 200 }, text);

async function visit(query: string): Promise<Page> {
  const page = await firefox.newPage();
  await page.goto(`${site.url}?model=${encodeURIComponent(`${origin.url}slow.gguf${query}`)}`);
  await press(page, 'link-accept');
  return page;
}

describe.skipIf(FIREFOX === '')('Firefox', () => {
  beforeAll(async () => {
    await Promise.all([site.start(), origin.start()]);
    origin.files.set('/slow.gguf', MODEL);
    firefox = await openFirefox(2 * timeout);
  });
  afterAll(async () => {
    await firefox?.close();
    await Promise.all([site.stop(), origin.stop()]);
  });

  test('a download is paused, survives a reload, and goes on where it was', async () => {
    origin.delay = 10;
    const page = await visit('');
    // Beyond the first chunk, of 16.8 MB.
    await page.waitForFunction(() => Number(/^(1[7-9]|20)\.\d MB/.exec(document.querySelector('.amount')?.textContent ?? '')?.[1]) >= 17, { timeout, polling: 50 });
    await press(page, 'pause');
    await seen(page, 'resume');
    origin.delay = 0;
    origin.sent = 0;
    await page.reload();
    await seen(page, 'backend');
    expect(origin.sent).toBe(MODEL.length - CHUNK);
    await page.close();
  });

  test('two tabs: the second shows the download of the first, and its pause is one for both', async () => {
    origin.delay = 20;
    const first = await visit('?both');
    await says(first, 'Downloading slow');
    const second = await visit('?both');
    await says(second, 'Another tab is downloading slow');
    await press(second, 'pause');
    await Promise.all([seen(first, 'resume'), seen(second, 'resume')]);
    origin.delay = 0;
    origin.sent = 0;
    await press(second, 'resume');
    await seen(second, 'backend');
    expect(origin.sent).toBeLessThanOrEqual(MODEL.length);
  });
});
