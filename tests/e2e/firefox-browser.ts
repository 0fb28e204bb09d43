/** A headless Firefox with a profile of its own, over WebDriver BiDi. */
import { execFileSync } from 'node:child_process';
import puppeteer, { type Browser } from 'puppeteer-core';
import { newProfile } from './browser';
import { ROOT } from './folders';

/** Where it is; empty on systems without one, where there is nothing to test. */
export const FIREFOX = execFileSync('bash', ['-c', '. scripts/env && find_firefox || true'], { cwd: ROOT, encoding: 'utf8' }).trim();

export function openFirefox(protocolTimeout = 240_000): Promise<Browser> {
  return puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true, userDataDir: newProfile(), protocolTimeout });
}
