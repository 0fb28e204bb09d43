/** Links that name what lies on another server: nothing goes there before the visitor agrees, and what is refused leaves the page at work. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { listenFor, openBrowser, storedRows } from './browser';
import { ChatPage } from './chat-page';
import { EVERY_ROUND } from './every-round';
import { DIST, GOLDEN_MODELS } from './folders';
import { Site } from './site';
import { Stranger } from './stranger';

const MODEL = readFileSync(path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf'));
const STATE = readFileSync(path.join(DIST, 'states/kettle-helper.state'));
/** A host that sends no headers of the page's own, so that what the page does itself is seen. */
const site = new Site(DIST, { bare: true });
let stranger: Stranger;
let browser: BrowserContext;
let complaints: string[];

beforeAll(() => site.start());
afterAll(() => site.stop());
beforeEach(async () => {
  stranger = new Stranger();
  await stranger.start();
  stranger.files.set('/tiny.gguf', { body: MODEL });
  stranger.files.set('/huge.gguf', { body: MODEL, claims: 4_200_000_000 });
  stranger.files.set('/stream.gguf', { body: MODEL, claims: 4_200_000_000, whole: true });
  stranger.files.set('/kettle.state', { body: STATE });
  browser = await openBrowser({ webgpu: false });
  browser.setDefaultTimeout(40_000);
  complaints = [];
});
afterEach(async () => {
  await browser.close();
  await stranger.stop();
});

async function visit(query: Record<string, string>, file = ''): Promise<ChatPage> {
  const chat = new ChatPage(await browser.newPage());
  listenFor(complaints, chat.page);
  await chat.page.goto(`${site.url}${file}?${new URLSearchParams({ backend: 'cpu', ...query })}`);
  return chat;
}

const dialog = ({ page }: ChatPage) => page.getByTestId('link-dialog');
const shownHost = ({ page }: ChatPage) => page.getByTestId('link-host').allInnerTexts();

/** Time in which a page that would fetch something has done so. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1500));

function expectUntouched(): void {
  expect(stranger.requests).toEqual([]);
  expect(stranger.connections).toBe(0);
}

test('a model of another server is asked about with its host; declined by the keyboard, the page goes on with its demo', async () => {
  const chat = await visit({ model: `${stranger.url}tiny.gguf` });
  const { page } = chat;
  await dialog(chat).waitFor();
  expect(await shownHost(chat)).toEqual([stranger.host]);
  expect(await page.getByTestId('link-address').innerText()).toBe(`${stranger.url}tiny.gguf`);
  await aWhile();
  expectUntouched();
  // What does less has the focus.
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('link-decline');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('link-accept');
  await page.keyboard.press('Escape');
  await chat.error.waitFor();
  expect(await dialog(chat).isVisible()).toBe(false);
  expect(await chat.error.getAttribute('data-code')).toBe('declined');
  expect(await chat.error.innerText()).toContain(stranger.host);
  await chat.error.getByText('Use the demo model').click();
  await chat.backend.waitFor();
  expect(new URL(page.url()).searchParams.get('model')).toBeNull();
  expect((await chat.ask('Hello')).answer).not.toBe('');
  expectUntouched();
});

test('Escape before anything was touched is a no as well; trying again asks again', async () => {
  const chat = await visit({ model: `${stranger.url}tiny.gguf` });
  for (let times = 0; times < 3; times += 1) {
    await dialog(chat).waitFor();
    await chat.page.keyboard.press('Escape');
    await chat.error.waitFor();
    await dialog(chat).waitFor({ state: 'hidden' });
    await chat.error.getByRole('button', { name: 'Try again' }).click();
  }
  await dialog(chat).waitFor();
  expectUntouched();
});

test('an accepted model opens, says nothing of the page to its server, and is not asked about again', async () => {
  const chat = await visit({ model: `${stranger.url}tiny.gguf` });
  await chat.page.getByTestId('link-accept').click();
  await chat.backend.waitFor();
  expect(stranger.requests.length).toBeGreaterThan(0);
  for (const { headers } of stranger.requests) expect(headers).not.toHaveProperty('referer');
  for (const { headers } of stranger.requests) expect(headers).not.toHaveProperty('cookie');
  const before = stranger.requests.length;
  await chat.page.reload();
  await chat.backend.waitFor();
  // In another tab neither: it is kept.
  const other = await visit({ model: `${stranger.url}tiny.gguf` });
  await other.backend.waitFor();
  expect(stranger.requests).toHaveLength(before);
  expect(complaints).toEqual([]);
});

test.each(['huge', 'stream'])('a large one is asked about again with its size, and nothing of it is kept before: %s', async (name) => {
  const chat = await visit({ model: `${stranger.url}${name}.gguf` });
  const { page } = chat;
  await page.getByTestId('link-accept').click();
  await dialog(chat).getByText('Download 4.2 GB?').waitFor();
  expect(await shownHost(chat)).toEqual([stranger.host]);
  expect(await storedRows(page)).toEqual({ chunks: 0, models: 0 });
  await page.getByTestId('link-decline').click();
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('declined');
  const asked = stranger.requests.length;
  await aWhile();
  expect(stranger.requests).toHaveLength(asked);
  await chat.error.getByRole('button', { name: 'Try again' }).click();
  await dialog(chat).getByText('Download 4.2 GB?').waitFor();
  await page.getByTestId('link-accept').click();
  await page.getByText(`Downloading ${name}`).waitFor();
  expect(await dialog(chat).isVisible()).toBe(false);
  await page.getByTestId('discard').click();
  await page.getByText('No model is loaded').waitFor();
});

test('a saved state of another server is asked about; declined, the model opens without it', async () => {
  const chat = await visit({ state: `${stranger.url}kettle.state` });
  await dialog(chat).waitFor();
  expect(await shownHost(chat)).toEqual([stranger.host]);
  await aWhile();
  expectUntouched();
  await chat.page.getByTestId('link-decline').click();
  await chat.backend.waitFor();
  expect(await chat.error.count()).toBe(0);
  expect(new URL(chat.page.url()).searchParams.get('state')).toBeNull();
  await chat.page.reload();
  await chat.backend.waitFor();
  expectUntouched();
});

test('an accepted state is fetched without a word of the page, and a reload does not ask again', async () => {
  const chat = await visit({ state: `${stranger.url}kettle.state` });
  await chat.page.getByTestId('link-accept').click();
  await chat.backend.waitFor();
  await expect.poll(() => stranger.requests.length).toBe(1);
  expect(stranger.requests[0]?.headers).not.toHaveProperty('referer');
  await chat.page.reload();
  await chat.backend.waitFor();
  await expect.poll(() => stranger.requests.length).toBe(2);
  expect(await chat.error.count()).toBe(0);
});

test('a model and a state are one question', async () => {
  const chat = await visit({ model: `${stranger.url}tiny.gguf`, state: `${stranger.url}kettle.state` });
  await dialog(chat).waitFor();
  expect(await shownHost(chat)).toEqual([stranger.host, stranger.host]);
  await aWhile();
  expectUntouched();
  await chat.page.getByTestId('link-accept').click();
  // The state is of another model, which is said when both are there.
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('state-model');
  expect(stranger.requests.map((each) => each.path)).toEqual(expect.arrayContaining(['/tiny.gguf', '/kettle.state']));
});

test('the benchmark asks too', async () => {
  const chat = await visit({ model: `${stranger.url}tiny.gguf`, prompt: '8', answer: '4', runs: '1' }, 'bench.html');
  await chat.page.getByTestId('measure').click();
  await dialog(chat).waitFor();
  expect(await shownHost(chat)).toEqual([stranger.host]);
  await aWhile();
  expectUntouched();
  await chat.page.keyboard.press('Escape');
  await dialog(chat).waitFor({ state: 'hidden' });
  await chat.page.getByTestId('measure').click();
  await chat.page.getByTestId('link-accept').click();
  await chat.page.getByTestId('figures').waitFor();
});

test('an address that the visitor types is fetched at once', async () => {
  const chat = await visit({});
  await chat.backend.waitFor();
  await chat.page.getByTestId('model-picker').click();
  await chat.page.getByTestId('model-address').fill(`${stranger.url}tiny.gguf`);
  await chat.page.getByTestId('model-open').click();
  await chat.page.waitForFunction(() => document.querySelector('[data-testid=model-picker]')?.textContent?.includes('tiny'));
  await chat.backend.waitFor();
  expect(await dialog(chat).isVisible()).toBe(false);
});

test('the browser’s way back to such a link asks as the link did', async () => {
  const chat = await visit({ model: `${stranger.url}tiny.gguf` });
  await chat.page.getByTestId('link-decline').click();
  await chat.page.goto(`${site.url}?backend=cpu`);
  await chat.backend.waitFor();
  await chat.page.goBack();
  await dialog(chat).waitFor();
  expectUntouched();
});

test('without a protocol, with backslashes and with line breaks it is the same server', async () => {
  for (const trick of ['//HOST/tiny.gguf', '\\\\HOST\\tiny.gguf', '/\\HOST/tiny.gguf', 'ht\ntp://HOST/ti\tny.gguf', ' http:\\\\HOST/tiny.gguf#x']) {
    const chat = await visit({ model: trick.replace('HOST', stranger.host) });
    await dialog(chat).waitFor();
    expect(await shownHost(chat), trick).toEqual([stranger.host]);
    await chat.page.close();
  }
  expectUntouched();
});

/** What is no address that the page may fetch, as a model and as a saved state. */
const REFUSED: [what: string, address: (host: string) => string][] = [
  ['a user’s name before the host', (host: string) => `http://huggingface.co@${host}/tiny.gguf`],
  ['a name and a password', (host: string) => `http://me:secret@${host}/tiny.gguf`],
  ['http of a host beyond this machine', () => 'http://example.org/tiny.gguf'],
  ['a blob', (host: string) => `blob:http://${host}/1`],
  ['data', () => 'data:application/octet-stream,GGUF'],
  ['a script', () => 'javascript:alert(1)'],
  ['a file', () => 'file:///etc/passwd.gguf'],
  ['another protocol', (host: string) => `ws://${host}/tiny.gguf`],
  ['a very long one of nothing', () => `data:\u202e${'x'.repeat(10_000)}`],
];

// In one profile, which has the demo model from the first of them on.
test('a name in the address, an unsafe server and every other protocol are refused with a sentence', async () => {
  for (const [index, [what, address]] of REFUSED.entries()) {
    const chat = await visit({ model: address(stranger.host) });
    await chat.error.waitFor();
    expect(await chat.error.getAttribute('data-code'), what).toBe('address');
    expect((await chat.error.innerText()).length, what).toBeLessThan(700);
    expect(await chat.error.innerText(), what).not.toMatch(/[\u202a-\u202e]/);
    expect(await dialog(chat).isVisible(), what).toBe(false);
    // One rule judges both, which the unit tests hold to every address.
    if (EVERY_ROUND || index % 3 === 0) {
      await chat.page.goto(`${site.url}?${new URLSearchParams({ backend: 'cpu', state: address(stranger.host) })}`);
      await chat.backend.waitFor();
      await chat.error.waitFor();
      expect(await chat.error.getAttribute('data-code'), what).toBe('address');
    }
    expectUntouched();
    await chat.page.close();
  }
});

test('a very long address is cut in its middle, and its host never', async () => {
  const chat = await visit({ model: `https://xn--80ak6aa92e.${'very-long-name.'.repeat(12)}example:8443/${'a'.repeat(3000)}/\u202efugg.gguf?${'b'.repeat(3000)}` });
  await dialog(chat).waitFor();
  expect(await shownHost(chat)).toEqual([`xn--80ak6aa92e.${'very-long-name.'.repeat(12)}example:8443`]);
  const shown = await chat.page.getByTestId('link-address').innerText();
  expect(shown).toMatch(/^https:\/\/xn--80ak6aa92e\.[\s\S]*example:8443\/a+…b+$/);
  expect(shown.length).toBeLessThan(500);
  const { width, inside } = await dialog(chat).evaluate((element) => ({ width: element.scrollWidth, inside: element.clientWidth }));
  expect(width).toBeLessThanOrEqual(inside);
});
