/** A headless Chromium with a profile of its own, with WebGPU on a software adapter or without WebGPU at all. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { OUTPUT, ROOT } from './folders';

const QUIET = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
const NO_GPU = ['--disable-features=WebGPU', '--disable-blink-features=WebGPU'];

export interface BrowserOptions extends BrowserContextOptions {
  webgpu?: boolean;
  /** A profile that outlives the browser, as a visitor's does. */
  profile?: string;
  /** The folder of an unpacked extension. */
  extension?: string;
}

export async function openBrowser({ webgpu = true, profile, extension, ...options }: BrowserOptions = {}): Promise<BrowserContext> {
  const executablePath = execFileSync('bash', ['-c', '. scripts/env && find_browser'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const context = await chromium.launchPersistentContext(profile ?? newProfile(), {
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: [...QUIET, ...(webgpu ? SOFTWARE_GPU : NO_GPU), ...(extension ? [`--load-extension=${extension}`, `--disable-extensions-except=${extension}`] : [])],
    ...(extension ? { ignoreDefaultArgs: ['--disable-extensions'] } : {}),
    ...options,
  });
  // A software GPU that shares its processor gives one token a second.
  context.setDefaultTimeout(150_000);
  return context;
}

export function newProfile(): string {
  const profile = mkdtempSync(path.join(tmpdir(), 'web-mamba-e2e-'));
  process.once('exit', () => rmSync(profile, { recursive: true, force: true }));
  return profile;
}

/** Adds what the page says in its console as an error, and what it throws, to `complaints`. */
export function listenFor(complaints: string[], page: Page): void {
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
}

/** Writes a picture for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(OUTPUT, { recursive: true });
  await page.screenshot({ path: path.join(OUTPUT, `${name}.png`) });
}

/** How many rows the page's store of models has, per object store. */
export async function storedRows(page: Page): Promise<Record<string, number>> {
  return page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open('web-mamba');
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const rows: Record<string, number> = {};
    for (const name of ['chunks', 'models']) {
      rows[name] = await new Promise((resolve) => {
        const request = database.transaction(name).objectStore(name).count();
        request.onsuccess = () => resolve(request.result);
      });
    }
    database.close();
    return rows;
  });
}
