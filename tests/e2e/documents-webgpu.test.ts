/** Documents on WebGPU: a question, sections side by side, a pause and a reload. A software adapter stands for the GPU, so models and texts are small. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ChatPage } from './chat-page';
import { EVERY_ROUND } from './every-round';
import { DIST, GOLDEN_MODELS } from './folders';
import { withPage } from './opened';
import { documentTokens, readFigures, startsFromTheDocument } from './read-figures';
import { Site } from './site';

const site = new Site(DIST);
site.mount('/golden/', GOLDEN_MODELS);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

withPage(site, { webgpu: true }, complaints, (opened) => ({ chat, page } = opened));

async function paste(text: string): Promise<void> {
  await page.getByText('Or paste a text').click();
  await page.getByTestId('document-text').fill(text);
  await page.getByTestId('document-add').click();
  await page.getByTestId('document-back').waitFor();
}

/** Each its own, so that no section begins as another does. */
const lines = (count: number) => Array.from({ length: count }, (_, line) => `Line ${line}: the keeper of lamp ${line * 7} wrote ${line} letters.`).join('\n\n');

test('the demo model summarises a short text in one pass, and answers a question about it without reading it again', async () => {
  await page.goto(`${site.url}?view=documents&backend=webgpu`);
  await chat.backend.waitFor();
  expect(await chat.backend.getAttribute('data-backend')).toBe('webgpu');
  await paste('# The harbour\n\nThe harbour was built in 1881. It has two lamps.');
  const tokens = await documentTokens(page);
  await page.getByTestId('summarise').click();
  await page.getByTestId('summary-result').waitFor();
  const first = readFigures(await page.getByTestId('summary-figures').innerText());
  expect(first.known).toBe(0);
  expect(first.read).toBeGreaterThan(tokens);
  const summary = await page.getByTestId('summary-result').innerText();
  await page.getByTestId('tab-questions').click();
  await page.getByTestId('document-question').fill('When was it built?');
  await page.getByTestId('document-ask').click();
  await page.locator('[data-testid=document-answer][aria-busy=false]').waitFor();
  // The text was read for the summary.
  const second = readFigures(await page.getByTestId('answer-figures').innerText());
  startsFromTheDocument(second, tokens);
  const answer = await page.getByTestId('document-answer').locator('.answer').innerText();
  console.log(`${await chat.backend.innerText()}\nsummary: ${summary}\nanswer: ${answer}\na text of ${tokens} tokens: ${first.read} read for the summary, ${second.read} for the question`);
  expect(summary.length).toBeGreaterThan(5);
  expect(answer.length).toBeGreaterThan(3);
});

// Two minutes on a software GPU: else sections.test.ts has the engine's part of it on WebGPU, and documents.test.ts the page's on the CPU.
test.runIf(EVERY_ROUND)('a text beyond the trained context is read in sections side by side, paused, and goes on after a reload', async () => {
  await page.goto(`${site.url}?view=documents&backend=webgpu&model=${encodeURIComponent('/golden/falcon-tiny-Q4_K_M.gguf')}`);
  await chat.backend.waitFor();
  expect(await chat.backend.getAttribute('data-backend')).toBe('webgpu');
  await paste(lines(70));
  await page.waitForFunction(() => /read in \d+ sections/.test(document.querySelector('[data-testid=document-facts]')?.textContent ?? ''));
  const sections = Number(/in (\d+) sections/.exec(await page.getByTestId('document-facts').innerText())?.[1]);
  expect(sections).toBeGreaterThan(1);
  await page.getByTestId('summarise').click();
  const read = async () => Number(((await page.getByTestId('summary-progress').textContent()) ?? '').match(/([\d,]+) of [\d,]+ tokens/)?.[1]?.replace(',', ''));
  const readMoreThan = (least: number) => page.waitForFunction((tokens) =>
    Number((document.querySelector('[data-testid=summary-progress]')?.textContent ?? '').match(/([\d,]+) of [\d,]+ tokens/)?.[1]?.replace(',', '')) > tokens, least);
  await readMoreThan(500);
  await page.getByTestId('summary-pause').click();
  await page.getByTestId('summary-resume').waitFor();
  await page.reload();
  await chat.backend.waitFor();
  await page.getByTestId('summary-resume').click();
  await readMoreThan(0);
  // The first number that is shown is what was kept.
  const kept = await read();
  await page.getByTestId('summary-result').waitFor();
  console.log(`${sections} sections; ${kept} tokens were kept over the pause`);
  expect(kept).toBeGreaterThan(500);
  await page.getByTestId('summary').locator('summary').click();
  expect(await page.getByTestId('section-summaries').locator('.answer').count()).toBe(sections);
});

test('the console is clean', () => expect(complaints).toEqual([]));
