/** What a model writes cannot do anything to the page, stops nothing, and nothing of it is lost. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { hostileTexts } from '../../web/test/hostile-texts';
import { DIST, HARNESS, ROOT } from './folders';
import { withBrowser } from './opened';
import { longestTask, longTasks, PageTasks } from './page-tasks';
import { Site } from './site';

const site = new Site(HARNESS);
let page: Page;
let tasks: PageTasks;

withBrowser(site, { webgpu: false }, async (browser) => {
  page = await browser.newPage();
  await page.goto(site.url);
  tasks = await PageTasks.watch(page);
});

const render = (markdown: string) => page.evaluate((text) => window.harness.renderMarkdown(text), markdown);
/** What the page did before is not asked. */
async function forget(): Promise<void> {
  await page.evaluate(() => undefined);
  await tasks.taken();
}

const PYTHON = readFileSync(path.join(ROOT, 'tests/golden/goldens.py'), 'utf8').slice(0, 12_000).trimEnd();

const LINK = 'target="_blank" rel="noopener noreferrer"';

test.each([
  ['<img src=x onerror=alert(1)>', '<p dir="auto">&lt;img src=x onerror=alert(1)&gt;</p>'],
  ['![picture](https://example.org/x.png)', `<p dir="auto"><span class="picture"><a ${LINK} href="https://example.org/x.png" data-leads="example.org">Picture: picture</a></span></p>`],
  ['![](https://example.org/x.png)', `<p dir="auto"><span class="picture"><a ${LINK} href="https://example.org/x.png" data-leads="example.org">Picture</a></span></p>`],
  ['[![a](https://b.c/d)](https://e.f)', `<p dir="auto"><a ${LINK} href="https://e.f" data-leads="e.f"><span class="picture">Picture: a</span></a></p>`],
  ['<script>alert(1)</script>', '<p dir="auto">&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
  ['[link](javascript:alert(1))', '<p dir="auto">[link](javascript:alert(1))</p>'],
  ['[link](https://example.org)', `<p dir="auto"><a ${LINK} href="https://example.org" data-leads="example.org">link</a></p>`],
  ['[link](https://example.org "so")', `<p dir="auto"><a ${LINK} href="https://example.org" title="so" data-leads="example.org">link</a></p>`],
  ['<https://example.org/a>', `<p dir="auto"><a ${LINK} href="https://example.org/a">https://example.org/a</a></p>`],
  ['[https://good.org](https://example.org)', `<p dir="auto"><a ${LINK} href="https://example.org" data-leads="example.org">https://good.org</a></p>`],
  ['**a** `b` ~~c~~', '<p dir="auto"><strong>a</strong> <code dir="ltr">b</code> <del>c</del></p>'],
  ['one\ntwo', '<p dir="auto">one<br>two</p>'],
  ['# שלום', '<h1 dir="auto">שלום</h1>'],
  ['> مرحبا', '<blockquote dir="rtl"><p dir="auto">مرحبا</p></blockquote>'],
  ['- שלום\n- hello', '<ul dir="rtl"><li dir="auto">שלום</li><li dir="auto">hello</li></ul>'],
  ['1. שלום\n\n2. hello', '<ol dir="rtl"><li dir="rtl"><p dir="auto">שלום</p></li><li dir="ltr"><p dir="auto">hello</p></li></ol>'],
  ['7. a', '<ol dir="ltr" start="7"><li dir="auto">a</li></ol>'],
])('%s', async (markdown, html) => expect((await render(markdown)).trim()).toBe(html));

test('boxes of tasks say whether they are ticked, and cannot be', async () => {
  expect(await render('- [x] done\n- [ ] to do')).toBe(
    '<ul dir="ltr"><li class="task" dir="auto"><input type="checkbox" disabled="" checked="" aria-label="Done"> done</li>'
    + '<li class="task" dir="auto"><input type="checkbox" disabled="" aria-label="To do"> to do</li></ul>',
  );
});

test('columns of a table keep their alignment', async () => {
  const table = await render('| a | b | c | d |\n|---|:--|:-:|--:|\n| 1 | 2 | 3 | 4 |');
  expect([...table.matchAll(/<td[^>]*>/g)].map(([cell]) => /align="(\w+)"/.exec(cell)?.[1])).toEqual([undefined, 'left', 'center', 'right']);
});

const ORDINARY = `## A heading

A paragraph with **strong**, *emphatic* and \`coded\` words, a [link](https://example.org) and \\(x^2\\), that goes on for a while as paragraphs do.

- one item
- another, with *marks*
  - and one in it

| a | b |
|---|--:|
| 1 | 2 |

\`\`\`js
const a = 1;
\`\`\`

`;

test('while a long text grows, no task is long, and what is finished stays', async () => {
  await forget();
  const { elements, stayed } = await page.evaluate((text) => window.harness.streamMarkdown(text, 60), ORDINARY.repeat(100));
  const taken = await tasks.taken();
  expect(longTasks(taken), longestTask(taken)).toEqual([]);
  expect(elements).toBe(500);
  // All that was there when the first 600 letters had come, but the last two.
  expect(stayed).toBeGreaterThanOrEqual(4);
});

test.each(['javascript', 'python', 'no-such-language'])('while code grows, no task is long, nothing flickers and no letter is lost: %s', async (language) => {
  const source = language === 'python' ? PYTHON : readFileSync(path.join(DIST, '../node_modules/lit-html/development/lit-html.js'), 'utf8').slice(0, 20_000).trimEnd();
  await forget();
  const { text, coloured, lost, stayed } = await page.evaluate(([name, code]) => window.harness.streamCode(name, code, 100), [language, source] as const);
  const taken = await tasks.taken();
  expect(longTasks(taken), longestTask(taken)).toEqual([]);
  expect(text).toBe(source);
  if (language === 'no-such-language') return expect(coloured).toBe(0);
  expect(coloured).toBeGreaterThan(1000);
  // A comment or a string that has no end yet is one up to there.
  expect(lost).toBeLessThan(800);
  expect(stayed).toBe(true);
});

test('a text that grows by one kind of mark never makes a task long', async () => {
  for (const text of ['>'.repeat(4000), '- '.repeat(2000), '_'.repeat(4000), '1. '.repeat(1500), '| a '.repeat(1000), 'a\n\n'.repeat(1500), '$'.repeat(3000), '[a]: b\n'.repeat(500)]) {
    await forget();
    await page.evaluate((growing) => window.harness.streamMarkdown(growing, 40), text);
    const taken = await tasks.taken();
    expect(longTasks(taken), `${text.slice(0, 10)}: ${longestTask(taken)}`).toEqual([]);
  }
});

test.each(Object.entries(hostileTexts))('%s: drawn soon and never deep', async (_, text) => {
  await forget();
  const { depth } = await page.evaluate((markdown) => window.harness.timeMarkdown(markdown), text);
  const taken = await tasks.taken();
  const total = taken.reduce((sum, { computed }) => sum + computed, 0);
  expect(total, longestTask(taken)).toBeLessThan(500);
  expect(depth).toBeLessThan(60);
});
