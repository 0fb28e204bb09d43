/**
 * The npm package, as a stranger gets it: packed, installed into fresh projects (of Vite with strict TypeScript, of webpack), built without settings,
 * opened, and asked something. Their code is the snippet of the package's README, with an address of a model on another port. The examples
 * are projects of the same kind: `web/examples`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress } from 'node:zlib';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listenFor, openBrowser } from './browser';
import { EVERY_ROUND } from './every-round';
import { FIREFOX, openFirefox, stand } from './firefox-browser';
import { GOLDEN_MODELS } from './folders';
import { ENGINE, EXAMPLE_MODEL, MODEL, PackageProjects, pinned, run } from './package-projects';
import { Site } from './site';

/** A developer's lines for a worker, storage and streaming. */
const MOST_LINES = 6;
/** An error and its sentences. */
const MOST_UNUSED_BYTES = 40_000;
/** One of the two builds, with brotli, as hosts send it. */
const MOST_WASM_BYTES = 1_000_000;
const TOOLS = [
  ...['vite', 'typescript', 'ai'].map(pinned), 'webpack@5.113.0', 'webpack-cli@7.2.3', 'react@19.3.1', 'react-dom@19.3.1', '@types/react@19.3.3', '@types/react-dom@19',
];

const [, snippet = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(path.join(ENGINE, 'README.md'), 'utf8')) ?? [];
const projects = new PackageProjects();
const { models } = projects;

/** What is used with the package, which none of the snippet does. Each line is a value that the page shows in the end. */
const REST = `
import { openAiFetch } from 'web-mamba';
const { id } = model;
const results: unknown[] = [];
results.push((await WebMamba.availability(id, { backend: 'cpu' })).downloaded);
const bytes = new Uint8Array(await (await fetch(id)).arrayBuffer());
const source = { name: 'given.gguf', length: bytes.length, read: (offset: number, length: number) => bytes.slice(offset, offset + length) };
const { downloaded, fits, bytes: all } = await WebMamba.availability(source, { backend: 'cpu' });
results.push(downloaded, fits, all === bytes.length);
const given = await WebMamba.load(source, { backend: 'cpu', workers: 1, store: false });
const greedy = async (which: typeof model) => {
  let text = '';
  for await (const event of which.generate([{ role: 'user', content: 'Hello!' }], { temperature: 0, maxTokens: 8 })) if (event.type === 'token') text += event.text;
  return text;
};
const again = await WebMamba.load(id, { backend: 'cpu', workers: 1 });
const texts = await Promise.all([greedy(given), greedy(again), greedy(again)]);
results.push(texts.every((text) => text !== '' && text === texts[0]));
const messages = [{ role: 'user' as const, content: 'Hello!' }];
const { choices, usage } = await again.chat.completions.create({ messages, temperature: 0, max_tokens: 8, n: 2 });
results.push(choices.every(({ message }) => message.content?.trim().startsWith(texts[0]?.trim() ?? '?')), usage.prompt_tokens === (await again.countTokens(messages)));
const served = await openAiFetch(again)('/v1/chat/completions', { method: 'POST', body: JSON.stringify({ messages, stream: true, max_tokens: 2 }) });
results.push((await served.text()).endsWith('data: [DONE]\\n\\n'));
const ids = await again.tokenize('Once upon a time');
const score = await again.score(ids.slice(0, 1), ids.slice(1));
results.push((await again.detokenize(ids)) === 'Once upon a time', (await again.applyChatTemplate(messages)).includes('Hello!') && (await again.chatTemplate()) !== undefined);
results.push(Math.abs((await again.perplexity('Once upon a time')) - Math.exp(-score.logprob / score.logprobs.length)) < 1e-3);
results.push((await again.embed(['Once upon a time']))[0]?.length === again.info.dModel);
const likely = await again.chat.completions.create({ messages, max_tokens: 2, logprobs: true, top_logprobs: 1, logit_bias: { [ids[0] ?? 0]: -100 } });
results.push(likely.choices[0]?.logprobs?.content.every(({ top_logprobs: top }) => top.length === 1));
const control = new AbortController();
const ended = await (async () => {
  for await (const event of again.generate('Once upon a time', { maxTokens: 4000, ignoreEos: true, signal: control.signal })) if (event.type === 'token') control.abort('enough');
})().catch((thrown: unknown) => thrown);
results.push(ended, (await greedy(again)) === texts[0]);
results.push((await WebMamba.models.list()).length);
await Promise.all([given.close(), again.close()]);
results.push((await WebMamba.models.list()).length, (await WebMamba.models.verify(id)).bad);
await WebMamba.models.remove(id);
results.push((await WebMamba.availability(id, { backend: 'cpu' })).downloaded);
document.title = JSON.stringify(results);
`;
const EXPECTED = ['yes', 'no', true, true, true, true, true, true, true, true, true, true, true, 'enough', true, 2, 1, 0, 'no'];

/** And with its other shapes: `tests/package/vite/shapes.ts`. */
const SHAPES = `
import { WebMamba } from 'web-mamba';
import { shapes } from './shapes';
document.title = JSON.stringify(await shapes(await WebMamba.load('${EXAMPLE_MODEL}', { backend: 'cpu', workers: 1 })));
`;

let browser: BrowserContext;

beforeAll(async () => {
  // An address whose length is told, and no more: neither ranges nor a version.
  models.answer(`/${MODEL}`, (_, response) => {
    const bytes = readFileSync(path.join(ENGINE, '../public/models', MODEL));
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  await projects.start(TOOLS);
  // On a GPU of software an answer takes a minute, and the page’s own tests have one.
  browser = await openBrowser({ webgpu: false });
}, 300_000);
afterAll(async () => {
  await browser?.close();
  await projects.stop();
});

test('the tarball has the engine, its types and its licences, and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', projects.tarball]);
  const files = stdout.trim().split('\n').map((name) => name.replace(/^package\//, ''));
  const code = files.filter((name) => name.startsWith('dist/'));
  const sources = readdirSync(path.join(ENGINE, 'src'), { recursive: true, encoding: 'utf8' }).flatMap((name) => (name.endsWith('.ts') ? [`dist/${name.slice(0, -3)}`] : []));
  expect(sources.length).toBeGreaterThan(60);
  expect(code.sort()).toEqual(sources.flatMap((name) => [`${name}.d.ts`, `${name}.js`]).sort());
  const others = files.filter((name) => !name.startsWith('dist/') && !/^pkg(-relaxed)?\/snippets\/.+\.js$/.test(name));
  expect(others.sort()).toEqual([
    'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'licences.txt', 'package.json',
    ...[['pkg', 'web_mamba'], ['pkg-relaxed', 'web_mamba'], ['pkg-grammar', 'web_mamba_grammar']].flatMap(([name, module]) =>
      ['.d.ts', '.js', '_bg.wasm', '_bg.wasm.d.ts'].map((end) => `${name}/${module}${end}`)),
  ].sort());
});

test('its entries and their types are what every resolver of modules finds', async () => {
  await projects.install(['publint@0.3.25', '@arethetypeswrong/cli@0.18.5']);
  const { stdout } = await run('npx', ['publint', '--strict', projects.tarball], { cwd: projects.folder });
  expect(stdout).toContain('All good!');
  // It fails where an entry has a problem. There is no CommonJS, which its profile passes over.
  await run('npx', ['attw', projects.tarball, '--profile', 'esm-only', '--no-color'], { cwd: projects.folder });
});

test('a page fetches less than a megabyte of wasm for its first word', async () => {
  // In threads beside this one, since the best compression takes seconds.
  const compressed = ['pkg', 'pkg-relaxed'].map((name) => promisify(brotliCompress)(readFileSync(path.join(projects.folder, `node_modules/web-mamba/${name}/web_mamba_bg.wasm`))));
  const sizes = (await Promise.all(compressed)).map(({ length }) => length);
  console.log(`wasm with brotli: ${sizes.join(', ')} bytes`);
  expect(Math.max(...sizes)).toBeLessThan(MOST_WASM_BYTES);
});

test('what the README shows is six lines at most', () => {
  expect(snippet.trim().split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(MOST_LINES);
  expect(snippet).toContain(EXAMPLE_MODEL);
});

describe.each([['vite', 'main.ts'], ['webpack', 'main.js']])('in a project of %s', (name, main) => {
  const site = new Site(path.join(projects.folder, name, 'dist'), { bare: true });
  const complaints: string[] = [];
  let project: string;
  let page: Page;

  /** Builds the project with this code, opens it, and gives its title once it has one of its own. */
  async function show(code: string): Promise<string> {
    projects.write(path.join(project, main), code);
    await projects.build(project);
    await page.goto(site.url);
    return visited();
  }

  async function visited(): Promise<string> {
    await page.waitForFunction(() => !document.title.startsWith('web-mamba'));
    return page.title();
  }

  beforeAll(async () => {
    project = projects.add(`tests/package/${name}`);
    await site.start();
    page = await browser.newPage();
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('response', (response) => response.status() >= 400 && complaints.push(`${response.status()} ${response.url()}`));
  });
  afterAll(async () => {
    await page?.close();
    await site.stop();
  });

  test('it is bundled without settings, downloads a model of another origin, keeps it and answers', async () => {
    await show(`${snippet}\ndocument.title = 'answered';\n`);
    expect((await page.locator('body').innerText()).trim().split(/\s+/).length).toBeGreaterThan(3);
    expect(complaints).toEqual([]);
    const asked = models.hits.get(`/${MODEL}`);
    expect(asked).toBeGreaterThan(0);
    // A second visit reads what the first has kept.
    await page.reload();
    await visited();
    expect((await page.locator('body').innerText()).trim()).not.toBe('');
    expect(models.hits.get(`/${MODEL}`)).toBe(asked);
    expect(complaints).toEqual([]);
  });

  test('of what is not used nothing is bundled', async () => {
    const bundle = () => readdirSync(path.join(project, 'dist'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && /\.(js|wasm)$/.test(entry.name)).map((entry) => path.join(entry.parentPath, entry.name));
    expect(bundle().some((file) => file.endsWith('.wasm'))).toBe(true);
    rmSync(path.join(project, 'dist'), { recursive: true });
    expect(await show(`import { MambaError } from 'web-mamba';\ndocument.title = typeof MambaError.from;\n`)).toBe('function');
    expect(bundle().filter((file) => file.endsWith('.wasm'))).toEqual([]);
    expect(bundle().reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(MOST_UNUSED_BYTES);
    expect(complaints).toEqual([]);
  });

  test.runIf(name === 'vite')('it runs on WebGPU as it is bundled', async () => {
    const onGpu = snippet.replace(`('${EXAMPLE_MODEL}')`, `('${EXAMPLE_MODEL}', { backend: 'webgpu' })`).replace(/\}\]\)/, '}], { maxTokens: 3 })');
    projects.write(path.join(project, main), `${onGpu}\ndocument.title = model.info.backend;\n`);
    await projects.build(project);
    // The other tests have no GPU: one of software takes its time.
    const own = await openBrowser();
    try {
      const visit = await own.newPage();
      const errors: string[] = [];
      listenFor(errors, visit);
      await visit.goto(site.url);
      await visit.waitForFunction(() => document.title === 'webgpu', undefined, { timeout: 120_000 }).catch((thrown: unknown) => {
        throw new Error(errors.join('\n'), { cause: thrown });
      });
      expect((await visit.locator('body').innerText()).trim()).toMatch(/\w/);
      expect(errors).toEqual([]);
    } finally {
      await own.close();
    }
  });

  test.runIf(name === 'vite')('importing it on a server touches nothing', async () => {
    const { stdout } = await run('node', ['--input-type=module', '-e', `
      for (const name of ['window', 'document', 'navigator', 'Worker', 'indexedDB', 'location', 'self']) {
        Object.defineProperty(globalThis, name, { configurable: true, get() { throw new Error(name + ' was touched'); } });
      }
      const { WebMamba } = await import('web-mamba');
      for (const entry of ['prompt-api', 'ai-sdk']) await import('web-mamba/' + entry);
      console.log(typeof WebMamba.load);`], { cwd: project });
    expect(stdout.trim()).toBe('function');
  });

  test.runIf(name === 'vite')('sources of bytes, availability, turns, signals and what is kept are as documented', async () => {
    const onCpu = snippet.replace(`('${EXAMPLE_MODEL}')`, `('${EXAMPLE_MODEL}', { backend: 'cpu' })`);
    expect(JSON.parse(await show(onCpu + REST))).toEqual(EXPECTED);
    expect(complaints).toEqual([]);
  });

  test.runIf(name === 'vite')('states are values, and the browser’s own interfaces and the AI SDK run on a model', async () => {
    expect(JSON.parse(await show(SHAPES))).toEqual([true, true, true, true, true, true, true, 8, 'v4']);
    expect(complaints).toEqual([]);
  });
});

/** Asks an example's page something, and gives the first words of its answer. */
async function chat(page: Page, answer = 'output'): Promise<string> {
  await page.fill('[name=question]', 'Hello!');
  await page.click('button:not([type=button])');
  return said(page, answer);
}

/** What stands in an element once it is no progress any more. */
async function said(page: Page, selector: string): Promise<string> {
  const text = () => page.locator(selector).first().innerText({ timeout: 1000 }).catch(() => '');
  const progress = /^(download|verify|load|read|\d+ of) .*|…/;
  await expect.poll(async () => (await text()).replace(progress, ''), { timeout: 60_000 }).toMatch(/\p{L}{2}/u);
  return text();
}

/** A policy that allows no more than a page with a model needs. */
const policyOf = (scripts: string, workers: string) => ({
  'content-security-policy': `default-src 'none'; script-src ${scripts}; worker-src ${workers}; connect-src 'self' http://127.0.0.1:*`,
});

describe('the examples', () => {
  const complaints: string[] = [];
  let page: Page;

  beforeAll(async () => {
    page = await browser.newPage();
    listenFor(complaints, page);
  });
  afterAll(() => page?.close());

  /** Serves a folder of files for one visit. */
  async function visiting(folder: string, headers: Record<string, string>, visit: (url: string) => Promise<void>): Promise<void> {
    const site = new Site(folder, { bare: true, headers });
    site.give('/favicon.ico', '');
    await site.start();
    complaints.length = 0;
    try {
      await visit(site.url);
    } finally {
      await site.stop();
    }
  }

  /** Runs code in the page, as text: the test's own build would make something else of an import. */
  const inPage = (address: string, code: string): Promise<unknown> =>
    page.evaluate(`import('${address}').then(async ({ WebMamba, MambaError, setAssets }) => {${code}})`);

  test('a page without a build: its engine is of another origin, and so are the workers that share a model', async () => {
    await visiting(projects.add('web/examples/html'), {}, async (url) => {
      await page.goto(url);
      expect(await chat(page)).toMatch(/\w/);
      const adapter = await inPage(`${projects.cdn.url}dist/cdn/web-mamba.js`, `
        const shared = await WebMamba.load('${models.url}${MODEL}', { backend: 'cpu', workers: 2 });
        await shared.close();
        return shared.info.adapter;`);
      expect(adapter).toContain('2 workers');
      expect(complaints).toEqual([]);
    });
  });

  test('a page without a build: the entries of the other shapes are from there too, and know the models of the first', async () => {
    const folder = path.join(projects.folder, 'shapes');
    mkdirSync(folder);
    const entry = (name: string) => `https://cdn.jsdelivr.net/npm/web-mamba@0.1.0/dist/cdn/${name}.js`;
    projects.write(path.join(folder, 'index.html'), `<!doctype html><title>web-mamba</title><script type="module">
      import { WebMamba } from '${entry('web-mamba')}';
      import { promptApi } from '${entry('prompt-api')}';
      import { webMamba, webMambaEmbedding } from '${entry('ai-sdk')}';
      const model = await WebMamba.load('${EXAMPLE_MODEL}', { backend: 'cpu', workers: 1 });
      const session = await promptApi(model, { maxTokens: 8 }).LanguageModel.create();
      const prompt = [{ role: 'user', content: [{ type: 'text', text: 'Hello!' }] }];
      const { content } = await webMamba(model).doGenerate({ prompt, maxOutputTokens: 8 });
      const { embeddings } = await webMambaEmbedding(model).doEmbed({ values: ['tea'] });
      // A source is loaded by the same package.
      const own = promptApi('${EXAMPLE_MODEL}', { backend: 'cpu', workers: 1, maxTokens: 8 });
      const texts = [await session.prompt('Hello!'), content[0].text, await (await own.LanguageModel.create()).prompt('Hello!')];
      await Promise.all([model.close(), own.close()]);
      document.title = JSON.stringify([...texts.map((text) => /\\w/.test(text)), embeddings[0].length === model.info.dModel]);
    </script>`);
    await visiting(folder, {}, async (url) => {
      await page.goto(url);
      await page.waitForFunction(() => document.title.startsWith('['));
      expect(JSON.parse(await page.title())).toEqual([true, true, true, true]);
      expect(complaints).toEqual([]);
    });
    // What they share is there once.
    const sizes = ['web-mamba', 'prompt-api', 'ai-sdk'].map((name) => statSync(path.join(projects.folder, 'node_modules/web-mamba/dist/cdn', `${name}.js`)).size);
    expect(Math.max(...sizes.slice(1))).toBeLessThan((sizes[0] ?? 0) / 3);
  });

  test('a summary of a text file', async () => {
    await visiting(projects.add('web/examples/summarise'), {}, async (url) => {
      await page.goto(url);
      await page.locator('input:enabled').setInputFiles({ name: 'tea.txt', mimeType: 'text/plain', buffer: Buffer.from('Tea is made of leaves and hot water. It is drunk warm.') });
      expect(await said(page, 'output')).toMatch(/\w/);
      expect(complaints).toEqual([]);
    });
  });

  test('a text that is read once: its state is a file, which another visit opens and asks', async () => {
    await visiting(projects.add('web/examples/state'), {}, async (url) => {
      await page.goto(url);
      await page.fill('textarea', 'The mouse Pip lives in a mill by the river.');
      await page.click('[type=button]');
      const link = page.locator('a:visible');
      const bytes = await link.evaluate(async (anchor) => [...new Uint8Array(await (await fetch((anchor as HTMLAnchorElement).href)).arrayBuffer())]);
      expect(await chat(page)).toMatch(/\w/);
      await page.reload();
      await page.locator('[type=file]').setInputFiles({ name: 'text.state', mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) });
      await link.waitFor();
      expect(await chat(page)).toMatch(/\w/);
      expect(complaints).toEqual([]);
    });
  });

  test('fields that are filled in by an answer in a form', async () => {
    await visiting(projects.add('web/examples/json'), {}, async (url) => {
      await page.goto(url);
      await page.click('button:enabled');
      await page.waitForFunction(() => (document.querySelector('[name=people]') as HTMLInputElement).value !== '');
      expect(await page.inputValue('[name=day]')).toMatch(/^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day$/);
      expect(Number(await page.inputValue('[name=people]'))).toBeGreaterThan(0);
      expect(complaints).toEqual([]);
    });
  });

  // As in firefox.test.ts, a new Firefox's first page is tried once more.
  test('with Vite and React, in Chromium and in Firefox', { retry: 1 }, async () => {
    const project = projects.add('web/examples/vite-react');
    await projects.build(project);
    await visiting(path.join(project, 'dist'), {}, async (url) => {
      await page.goto(url);
      expect(await chat(page, '.assistant')).toMatch(/\w/);
      expect(complaints).toEqual([]);
      await firefoxChats(url);
    });
  });

  test.runIf(EVERY_ROUND)('with Next.js: a client component, rendered on a server before', async () => {
    await projects.install(['next@16.4.6']);
    const project = projects.add('web/examples/nextjs');
    await projects.build(project);
    await visiting(path.join(project, 'out'), {}, async (url) => {
      await page.goto(url, { waitUntil: 'networkidle' });
      expect(await chat(page, '.assistant')).toMatch(/\w/);
      expect(complaints).toEqual([]);
    });
  }, 600_000);

  test('in Node: models in a folder, which a second start reads', async () => {
    const project = projects.add('web/examples/node');
    const asked = [models.hits.get(`/${MODEL}`)];
    for (const question of ['Hello!', 'Tell me a story.']) {
      const { stdout } = await run('node', ['chat.mjs', question], { cwd: project });
      expect(stdout).toMatch(/\w{2}/);
      asked.push(models.hits.get(`/${MODEL}`));
    }
    expect(asked[1]).toBeGreaterThan(asked[0] ?? 0);
    expect(asked[2]).toBe(asked[1]);
  });

  /** Chromium's own GPU of software, for Dawn; where it lies elsewhere there is nothing to test. */
  const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

  /** Eight tokens of a tiny model, from a file, on each backend. */
  async function inNode(backends: readonly string[], environment: Record<string, string> = {}): Promise<string[][]> {
    const { stdout } = await run('node', ['--input-type=module', '-e', `
      import { openAsBlob } from 'node:fs';
      import { webMamba } from 'web-mamba/node';
      const WebMamba = webMamba({ folder: 'tiny', webgpu: ${backends.includes('webgpu')} });
      for (const backend of ${JSON.stringify(backends)}) {
        const model = await WebMamba.load(await openAsBlob('${path.join(GOLDEN_MODELS, 'rwkv7-a-F32.gguf')}'), { backend, activations: 'f32', workers: 1 });
        const ids = [];
        for await (const event of model.generate(Uint32Array.of(5, 17, 3, 99), { maxTokens: 8, temperature: 0, ignoreEos: true })) if (event.type === 'token') ids.push(event.id);
        console.log(JSON.stringify([model.info.backend, ids.join()]));
        await model.close();
      }`], { cwd: projects.folder, env: { ...process.env, ...environment } });
    return stdout.trim().split('\n').map((line) => JSON.parse(line) as string[]);
  }

  test('in Node: what one process has read of a conversation the next need not read, and it goes with the model', async () => {
    const long = `${'The mouse Pip lives in a mill by the river. '.repeat(60)}Who lives in the mill?`;
    const states = path.join(projects.folder, 'remembering/states');
    const asked = async (next: string): Promise<{ text: string; read: number; known: number; messages: unknown[] }> => {
      const { stdout } = await run('node', ['--input-type=module', '-e', `
        import { webMamba } from 'web-mamba/node';
        const WebMamba = webMamba({ folder: 'remembering' });
        const model = await WebMamba.load('${models.url}${MODEL}', { backend: 'cpu', workers: 1 });
        const messages = ${next};
        const { choices, usage } = await model.chat.completions.create({ messages, temperature: 0, max_tokens: 6 });
        console.log(JSON.stringify({ text: choices[0].message.content, read: usage.prompt_tokens, known: usage.prompt_tokens_details.cached_tokens, messages: [...messages, choices[0].message] }));
        await model.close();`], { cwd: projects.folder });
      return JSON.parse(stdout) as Awaited<ReturnType<typeof asked>>;
    };
    const question = JSON.stringify([{ role: 'user', content: long }]);
    const first = await asked(question);
    expect([first.known, first.read > 256]).toEqual([0, true]);
    const again = await asked(question);
    expect([again.text, again.known]).toEqual([first.text, first.read - 1]);
    const further = await asked(JSON.stringify([...again.messages, { role: 'user', content: 'Why?' }]));
    expect(further.known).toBeGreaterThanOrEqual(first.read - 1);
    expect(readdirSync(states).length).toBeGreaterThan(0);
    await run('node', ['--input-type=module', '-e', `
      import { webMamba } from 'web-mamba/node';
      const { models } = webMamba({ folder: 'remembering' });
      for (const { id } of await models.list()) await models.remove(id);`], { cwd: projects.folder });
    expect(readdirSync(states)).toEqual([]);
  });

  test('in Node: a file of this computer', async () => {
    const [[backend, ids] = []] = await inNode(['cpu']);
    expect([backend, ids?.split(',').length]).toEqual(['cpu', 8]);
  });

  test('in Node: a load takes the options of a page’s, and a wrong one is named', async () => {
    const { stdout } = await run('node', ['--input-type=module', '-e', `
      import { openAsBlob } from 'node:fs';
      import { webMamba } from 'web-mamba/node';
      const named = (thrown) => thrown.code + ' ' + (thrown.data.suggestion ?? thrown.data.option ?? thrown.message);
      const refusals = [{ folders: 'a' }, { folder: 'a', webgpu: 1 }, {}].map((options) => { try { webMamba(options); } catch (thrown) { return named(thrown); } });
      const WebMamba = webMamba({ folder: 'options' });
      const load = async (options) => WebMamba.load(await openAsBlob('${path.join(GOLDEN_MODELS, 'falcon-tiny-Q4_K_M.gguf')}'), { backend: 'cpu', workers: 1, ...options });
      for (const options of [{ chatTemplates: 'a' }, { chatTemplate: '{{ messages | to_yaml }}' }]) refusals.push(await load(options).catch(named));
      const kept = (await WebMamba.models.list()).length;
      const model = await load({ chatTemplate: '{{ messages[0].content }}!', store: false });
      const text = await model.applyChatTemplate([{ role: 'user', content: 'Hi' }]);
      await model.close();
      console.log(JSON.stringify([refusals, kept, text, (await WebMamba.models.list()).length]));`], { cwd: projects.folder });
    const [refusals, ...rest] = JSON.parse(stdout) as [string[], number, string, number];
    expect(refusals).toEqual(['invalid-option folder', 'invalid-option webgpu', 'invalid-option folder', 'invalid-option chatTemplate', expect.stringMatching(/^own-chat-template .*to_yaml/)]);
    expect(rest).toEqual([0, 'Hi!', 0]);
  });

  test.runIf(EVERY_ROUND && existsSync(SWIFTSHADER))('in Node on WebGPU, through the npm package webgpu', async () => {
    await projects.install(['webgpu@0.6.2']);
    const [onCpu, onWebGpu] = await inNode(['cpu', 'webgpu'], { VK_DRIVER_FILES: SWIFTSHADER });
    expect(onWebGpu).toEqual(['webgpu', onCpu?.[1]]);
  });

  async function firefoxChats(url: string): Promise<void> {
    if (FIREFOX === '') return;
    const firefox = await openFirefox();
    try {
      const visit = await firefox.newPage();
      await visit.goto(url);
      await (await visit.waitForSelector('[name=question]'))?.type('Hello!');
      await visit.click('button');
      await visit.waitForFunction(() => /\w{2}/.test(document.querySelector('.assistant')?.textContent ?? ''), { timeout: 60_000 }).catch(async (thrown: unknown) => {
        throw new Error(await stand(visit), { cause: thrown });
      });
    } finally {
      await firefox.close();
    }
  }

  describe('a page that hosts the package’s files itself, under a strict policy', () => {
    let project: string;

    beforeAll(async () => {
      project = projects.add('web/examples/extension');
      await projects.build(project);
    });

    test('chats, and its workers share a model', async () => {
      await visiting(project, policyOf(`'self' 'wasm-unsafe-eval'`, `'self'`), async (url) => {
        await page.goto(`${url}chat.html`);
        expect(await chat(page)).toMatch(/\w/);
        expect(complaints).toEqual([]);
      });
    });

    test('chats as a page of an extension', async () => {
      const extended = await openBrowser({ webgpu: false, extension: project });
      try {
        const worker = extended.serviceWorkers()[0] ?? (await extended.waitForEvent('serviceworker'));
        const own = await extended.newPage();
        await own.goto(new URL('chat.html', worker.url()).href);
        expect(await chat(own)).toMatch(/\w/);
      } finally {
        await extended.close();
      }
    });

    test.each([
      ['a policy that allows no workers', policyOf(`'self' 'wasm-unsafe-eval'`, `'none'`), '', { code: 'engine-blocked', message: /worker-src/ }],
      ['one that allows no WebAssembly', policyOf(`'self'`, `'self'`), '', { code: 'engine-blocked', message: /script-src/ }],
      ['one that allows no Blobs, and files of another origin', policyOf(`'self' 'wasm-unsafe-eval'`, `'self'`), 'dist/cdn/', { code: 'engine-blocked', message: /worker-src/ }],
      ['a folder that has not the files', policyOf(`'self' 'wasm-unsafe-eval' http:`, `'self' blob: http:`), 'nowhere/', { code: 'engine-unreachable', message: /nowhere/ }],
    ])('with %s a call says so, with a remedy', async (_, headers, folder, expected) => {
      await visiting(project, headers, async (url) => {
        await page.goto(`${url}chat.html`);
        const failed = await inPage(`${url}web-mamba/dist/cdn/web-mamba.js`, `
          ${folder === '' ? '' : `setAssets('${projects.cdn.url}${folder}');`}
          return WebMamba.load('${models.url}${MODEL}', { backend: 'cpu' }).then(() => undefined, (thrown) => MambaError.from(thrown).report());`);
        expect(failed).toMatchObject({ code: expected.code, message: expect.stringMatching(expected.message) as string, remedy: expect.stringMatching(/setAssets/) as string });
      });
    });
  });
});
