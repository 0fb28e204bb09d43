/** What the tests of a file share: a browser, or one page in it. Opened before them and closed after them, and its site with it. */
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { listenFor, openBrowser, type BrowserOptions } from './browser';
import { ChatPage } from './chat-page';
import type { Site } from './site';

/** The built page as a visitor has it on a screen. */
export interface OpenedPage {
  browser: BrowserContext;
  chat: ChatPage;
  page: Page;
}

export function withBrowser(site: Site, options: BrowserOptions, opened: (browser: BrowserContext) => unknown): void {
  let browser: BrowserContext | undefined;
  beforeAll(async () => {
    await site.start();
    browser = await openBrowser(options);
    await opened(browser);
  });
  afterAll(async () => {
    await browser?.close();
    await site.stop();
  });
}

/** A page whose complaints are noted. With a `query` it is visited, by an address that ends in that, and its model is waited for. */
export function withPage(site: Site, options: BrowserOptions, complaints: string[], opened: (visit: OpenedPage) => unknown, query?: string): void {
  withBrowser(site, { webgpu: false, viewport: { width: 1200, height: 800 }, ...options }, async (browser) => {
    const chat = new ChatPage(await browser.newPage());
    const { page } = chat;
    listenFor(complaints, page);
    if (query !== undefined) {
      // On the processor everything is soon there.
      page.setDefaultTimeout(40_000);
      await page.goto(`${site.url}${query}`);
      await chat.backend.waitFor();
    }
    await opened({ browser, chat, page });
  });
}
