/** What the page says of reading a document: its tokens, and how many of a prompt were read or known. */
import { expect } from 'vitest';
import type { Page } from 'playwright-core';

export interface ReadFigures {
  read: number;
  known: number;
}

/** A question and what is around it. */
const QUESTION_TOKENS = 60;

/** Of the document that is open, once they are counted. */
export async function documentTokens(page: Page): Promise<number> {
  // Taken as it is found: a moment later the facts may be drawn anew.
  const counted = await page.waitForFunction(() => /([\d,]+) tokens/.exec(document.querySelector('[data-testid=document-facts]')?.textContent ?? '')?.[1]);
  return number(await counted.jsonValue());
}

export function readFigures(text: string): ReadFigures {
  const [, read, known = '0'] = /([\d,]+) tokens read(?:, ([\d,]+) known)?/.exec(text) ?? [];
  return { read: number(read), known: number(known) };
}

/** What every prompt begins with is the document, but for the few tokens around it that may join with what follows. */
export function startsFromTheDocument({ read, known }: ReadFigures, tokens: number): void {
  expect(known).toBeGreaterThan(tokens - 8);
  expect(read).toBeLessThan(QUESTION_TOKENS);
}

function number(text: string | undefined): number {
  return text === undefined ? NaN : Number(text.replaceAll(',', ''));
}
