/** What a device cannot hold is refused in plain words before anything of it is downloaded, wherever a model can be chosen. */
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openBrowser } from './browser';
import { ChatPage } from './chat-page';
import { DIST } from './folders';
import { Site } from './site';

const OFFERED = 'falcon-mamba-7b-instruct-q4_k_m';
const SMALLER = 'RWKV-7 G1 2.9B in Q6_K, 2.6 GB';
const site = new Site(DIST);
let browser: BrowserContext;

beforeAll(() => site.start());
afterEach(() => browser?.close());
afterAll(() => site.stop());

interface Given {
  /** Gigabytes that the browser admits to. */
  memory?: number;
  /** Largest buffer of a GPU in bytes; without it there is no GPU. */
  maxBuffer?: number;
}

/** A page on a device of the test's making, and the addresses of other servers that it asked for. */
async function visit(given: Given, query = ''): Promise<{ page: Page; chat: ChatPage; strangers: string[] }> {
  browser = await openBrowser({ webgpu: false, viewport: { width: 1200, height: 900 } });
  await browser.addInitScript(({ memory, maxBuffer }: Given) => {
    Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => memory, configurable: true });
    if (maxBuffer === undefined) return;
    const adapter = { info: { vendor: 'maker', architecture: 'test', isFallbackAdapter: false }, limits: { maxBufferSize: maxBuffer, maxStorageBufferBindingSize: maxBuffer } };
    Object.defineProperty(Navigator.prototype, 'gpu', { get: () => ({ requestAdapter: async () => adapter }), configurable: true });
  }, given);
  const strangers: string[] = [];
  browser.on('request', (request) => !request.url().startsWith(site.url) && !request.url().startsWith('blob:') && strangers.push(request.url()));
  const chat = new ChatPage(await browser.newPage());
  chat.page.setDefaultTimeout(40_000);
  await chat.page.goto(site.url + query);
  return { page: chat.page, chat, strangers };
}

/** The only request to another server: whether the hub has what no listing was seen of, once the models are shown. */
const isQuestion = (url: string) => url.startsWith('https://huggingface.co/api/models/');

test('with too little memory the best smaller model is offered, and the list says of the others why not, and what fits', async () => {
  const { page, strangers } = await visit({ memory: 4 });
  const offer = page.getByTestId('offer');
  await offer.waitFor();
  expect(await offer.getAttribute('data-verdict')).toBe('fits');
  expect(await offer.innerText()).toMatch(/RWKV-7 G1 1\.5B[\s\S]*This device can hold it\./);
  expect(strangers).toEqual([]);
  await page.getByTestId('offer-other').click();
  const refused = page.getByTestId(`entry-${OFFERED}`);
  expect(await refused.isDisabled()).toBe(true);
  expect(await refused.innerText()).toContain('too little memory');
  expect(await page.getByTestId('entry-falcon3-mamba-7b-instruct-q2_k').isEnabled()).toBe(true);
  // Nothing of this model fits: what does is said below its files.
  const model = page.getByTestId('catalogue').locator('li', { has: refused });
  expect(await model.getByTestId('instead').innerText()).toContain(SMALLER);
  // What no listing was seen of is not offered as certain: the hub is asked, which no test reaches.
  const unconfirmed = page.getByTestId('entry-rwkv7-g1-1.5b-q4_k_m');
  await page.waitForFunction(() => document.querySelector('[data-testid="entry-rwkv7-g1-1.5b-q4_k_m"]')?.textContent?.includes('not confirmed'));
  expect(await unconfirmed.isEnabled()).toBe(true);
  expect(strangers.length).toBeGreaterThan(0);
  expect(strangers.filter((url) => !isQuestion(url))).toEqual([]);
});

test.each([
  [404, 'not on the hub', false],
  [200, '991.0 MB', true],
])('the hub answers %d: %s', async (status, said, enabled) => {
  const { page } = await visit({ memory: 8 });
  const listing = [{ type: 'file', path: 'rwkv7-g1a3-1.5b-Q4_K_M.gguf', size: 991_000_000 }];
  const headers = { 'access-control-allow-origin': '*' };
  await browser.route('https://huggingface.co/api/models/**', (route) => route.fulfill(status === 200 ? { headers, json: listing } : { status, headers }));
  await page.getByTestId('model-picker').click();
  const entry = page.getByTestId('entry-rwkv7-g1-1.5b-q4_k_m');
  await entry.getByText(said).waitFor();
  expect(await entry.isEnabled()).toBe(enabled);
});

test('an address that names such a model is refused too, before its licence and its first byte', async () => {
  const { page, chat, strangers } = await visit({ memory: 4 }, `?model=${OFFERED}`);
  await chat.error.waitFor();
  expect(await chat.error.getAttribute('data-code')).toBe('refused-memory');
  expect(await chat.error.innerText()).toMatch(/Falcon-Mamba-7B-Instruct \(Q4_K_M\) needs about 4\.4 GB of memory, and this device has 4 GB\./);
  expect(await chat.error.innerText()).toContain(SMALLER);
  expect(await page.locator('dialog[open]').count()).toBe(0);
  expect(strangers).toEqual([]);
  await page.getByTestId('get-instead').click();
  await page.waitForURL((url) => url.searchParams.get('model') === 'rwkv7-g1-2.9b-q6_k');
});

test('a graphics card with small buffers is a doubt, which is said beside each file and keeps nobody from trying', async () => {
  const { page } = await visit({ memory: 8, maxBuffer: 256 * 1024 ** 2 });
  const offer = page.getByTestId('offer');
  await offer.waitFor();
  // It is no doubt for a small model.
  expect(await offer.getAttribute('data-verdict')).toBe('fits');
  expect(await page.getByTestId('device').innerText()).toContain('Graphics: maker test');
  await page.getByTestId('model-picker').click();
  const doubtful = page.getByTestId(`entry-${OFFERED}`);
  expect(await doubtful.innerText()).toContain('graphics memory may be short');
  expect(await doubtful.isEnabled()).toBe(true);
});

test('a model that this device can hold is offered as such', async () => {
  const { page } = await visit({ memory: 8, maxBuffer: 4 * 1024 ** 3 });
  await page.getByTestId('offer').waitFor();
  expect(await page.getByTestId('offer').innerText()).toMatch(/4\.2 GB to download once[\s\S]*This device can hold it\./);
});

test('where the browser says nothing of memory, nothing is said to hold a model: it is a doubt, and keeps nobody from trying', async () => {
  const { page } = await visit({ maxBuffer: 4 * 1024 ** 3 });
  const offer = page.getByTestId('offer');
  await offer.waitFor();
  expect(await offer.getAttribute('data-verdict')).toBe('doubt');
  expect(await offer.innerText()).toMatch(/memory for it is not known: it needs about 451\.0 MB/);
  expect(await offer.innerText()).not.toContain('can hold it');
  await page.getByTestId('model-picker').click();
  const unknown = page.getByTestId(`entry-${OFFERED}`);
  expect(await unknown.innerText()).toContain('memory is not known');
  expect(await unknown.isEnabled()).toBe(true);
});

test('a graphics card that gives too little in one piece leaves a model to the processor, or to no device', async () => {
  const { page } = await visit({ memory: 8, maxBuffer: 2 ** 20 });
  const offer = page.getByTestId('offer');
  await offer.waitFor();
  await page.getByTestId('model-picker').click();
  expect(await page.getByTestId(`entry-${OFFERED}`).innerText()).toMatch(/speed unknown|too large for the graphics card/);
});

test('the hub is searched by name when the button is pressed, and what it has is listed with sizes and whether it fits', async () => {
  const { page, strangers } = await visit({ memory: 4 });
  const headers = { 'access-control-allow-origin': '*' };
  await browser.route('https://huggingface.co/api/models?search=*', (route) => route.fulfill({ headers, json: [{ id: 'someone/MambaHermes-3B-GGUF', gguf: { architecture: 'mamba' } }, { id: 'a/other', gguf: { architecture: 'llama' } }] }));
  const files = [{ type: 'file', path: 'mambahermes-3b-Q4_K_M.gguf', size: 1.9e9 }, { type: 'file', path: 'mambahermes-3b-F32.gguf', size: 11e9 }];
  await browser.route('https://huggingface.co/api/models/someone/MambaHermes-3B-GGUF/tree/**', (route) => route.fulfill({ headers, json: files }));
  await page.getByTestId('model-picker').click();
  // Models that chat come first, and those that only go on with a text below.
  expect(await page.getByTestId('catalogue').innerText()).not.toContain('Mamba 130M');
  expect(await page.getByTestId('experiments').innerText()).toContain('Mamba 130M');
  await page.getByTestId('hub-query').fill('mamba hermes');
  expect(strangers.filter((url) => url.includes('search='))).toEqual([]);
  await page.getByTestId('hub-search').click();
  const found = page.getByTestId('hub-file');
  await found.first().waitFor();
  expect(await found.allInnerTexts()).toEqual([expect.stringMatching(/Q4_K_M\.gguf\s+1\.9 GB$/), expect.stringMatching(/F32\.gguf\s+11\.0 GB\s+too little memory/)]);
  expect([await found.first().isEnabled(), await found.last().isEnabled()]).toEqual([true, false]);
  expect(strangers.filter((url) => url.includes('search='))).toHaveLength(1);
});
