/** A headless Firefox with a profile of its own, over WebDriver BiDi. */
import { execFileSync } from 'node:child_process';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { newProfile } from './browser';
import { ROOT } from './folders';

/** Where it is; empty on systems without one, where there is nothing to test. */
export const FIREFOX = execFileSync('bash', ['-c', '. scripts/env && find_firefox || true'], { cwd: ROOT, encoding: 'utf8' }).trim();

export function openFirefox(protocolTimeout = 240_000): Promise<Browser> {
  return puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true, userDataDir: newProfile(), protocolTimeout });
}

/** Where a page is that hangs: what it says, its workers, its locks, and whether its storage answers. One that says nothing at all is told so. */
export async function stand(page: Page): Promise<string> {
  const looks = [
    'document.body.innerText',
    'navigator.locks.query()',
    'navigator.serviceWorker.getRegistrations().then((all) => all.map(({ installing, waiting, active }) => [installing, waiting, active].map((each) => each?.state)))',
    `new Promise((said) => Object.assign(indexedDB.open('probe'), { onsuccess: () => said('IndexedDB opens'), onerror: () => said('IndexedDB fails') }))`,
  ];
  const answers = looks.map(async (look) => JSON.stringify(await within(5000, page.evaluate(look))));
  return [`workers: ${page.workers().map((worker) => worker.url()).join(', ')}`, ...(await Promise.all(answers))].join('\n');
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<unknown> {
  const late = new Promise((resolve) => setTimeout(() => resolve('no answer'), milliseconds));
  return Promise.race([work.catch(String), late]);
}
