/** What a model writes cannot do anything to the page. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { HARNESS } from './folders';
import { withBrowser } from './opened';
import { Site } from './site';

const site = new Site(HARNESS);
let page: Page;

withBrowser(site, { webgpu: false }, async (browser) => {
  page = await browser.newPage();
  await page.goto(site.url);
});

const render = (markdown: string) => page.evaluate((text) => window.harness.renderMarkdown(text), markdown);

test.each([
  ['<img src=x onerror=alert(1)>', '&lt;img src=x onerror=alert(1)&gt;'],
  ['![picture](https://example.org/x.png)', '<p></p>'],
  ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
  ['[link](javascript:alert(1))', '<p><a target="_blank" rel="noopener noreferrer">link</a></p>'],
  ['[link](https://example.org)', '<p><a href="https://example.org" target="_blank" rel="noopener noreferrer">link</a></p>'],
  ['**a** `b`', '<p><strong>a</strong> <code>b</code></p>'],
  ['one\ntwo', '<p>one<br>two</p>'],
])('%s', async (markdown, html) => expect((await render(markdown)).trim()).toBe(html));
