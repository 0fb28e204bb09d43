/** Texts in the built page: what an answer may hold, in every script, and what a looping or hostile one does to the rest. The tests follow on one another. */
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { ChatPage } from './chat-page';
import { DIST } from './folders';
import { withPage } from './opened';
import { savedConversations } from './saved-conversations';
import { Site } from './site';

const site = new Site(DIST);
const complaints: string[] = [];
let chat: ChatPage;
let page: Page;

withPage(site, {}, complaints, (opened) => ({ chat, page } = opened), '');

const fixture = (name: string) => path.join(import.meta.dirname, 'fixtures', name);
const answer = () => chat.answers.last();

async function open(title: string): Promise<void> {
  await page.getByTestId('chats').getByText(title, { exact: true }).click();
  await page.waitForFunction((wanted) => document.title.includes(wanted), title);
}

async function importSaid(said: Parameters<typeof savedConversations>[0]): Promise<void> {
  await page.getByTestId('import-chats').setInputFiles(savedConversations(said));
  for (const title of Object.keys(said)) await page.getByTestId('chats').getByText(title, { exact: true }).waitFor();
}

test('an answer of 3,000 quotes in quotes opens, and the page goes on', async () => {
  await page.getByTestId('import-chats').setInputFiles(fixture('markdown-deep-quote.json'));
  await open('deep');
  await page.waitForFunction(() => document.querySelector('[data-testid=message-assistant] blockquote blockquote'));
  expect((await answer().innerText()).length).toBeGreaterThan(2900);
  await page.getByTestId('side-new-chat').click();
  await page.getByTestId('suggestion').first().waitFor();
  expect(complaints).toEqual([]);
});

test('tasks, a picture and formulas leave something to read', async () => {
  await page.getByTestId('import-chats').setInputFiles(fixture('markdown-lost.json'));
  await open('lost');
  expect(await answer().locator('input[type=checkbox]').evaluateAll((boxes) => boxes.map((box) => [(box as HTMLInputElement).checked, (box as HTMLInputElement).disabled]))).toEqual([
    [true, true], [false, true],
  ]);
  expect(await answer().locator('.picture').innerText()).toBe('Picture: chart of sales');
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=message-assistant] math').length === 2);
  expect(await answer().locator('.formula.display math').evaluate((math) => math.textContent)).toContain('a1');
  expect(complaints).toEqual([]);
});

const FORMULAS: [string, 'math' | 'code'][] = [
  ['\\(\\frac{a}{b}\\)', 'math'],
  ['$$\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}$$', 'math'],
  ['\\(\\sum_{i=1}^n \\sqrt{x_i} \\le \\int_0^1 f(x)\\,dx\\)', 'math'],
  ['\\(\\frac{a}{\\)', 'code'],
  ['\\(\\unknowncommand\\)', 'code'],
  ['\\(\\def\\a{xxxxxxxxxx}\\def\\b{\\a\\a\\a\\a\\a\\a\\a\\a}\\def\\c{\\b\\b\\b\\b\\b\\b\\b\\b}\\c\\c\\c\\c\\c\\c\\)', 'code'],
  ['\\(\\newcommand{\\x}{\\x\\x}\\x\\)', 'code'],
  [`\\(${'x^{'.repeat(400)}x${'}'.repeat(400)}\\)`, 'code'],
  [`\\(${'\\sqrt '.repeat(400)}x\\)`, 'code'],
  [`\\(${'x+'.repeat(2000)}x\\)`, 'code'],
];

test('a formula that can’t be read, is huge or defines others is shown as it was written', async () => {
  await importSaid({ Formulas: [['f', FORMULAS.map(([source]) => source).join('\n\n')]] });
  await open('Formulas');
  const drawn = answer().locator('.formula');
  await page.waitForFunction((count) => document.querySelectorAll('.formula > :is(math, code)').length === count, FORMULAS.length);
  expect(await drawn.evaluateAll((formulas) => formulas.map(({ firstElementChild }) => firstElementChild?.localName))).toEqual(FORMULAS.map(([, kind]) => kind));
  expect(await drawn.locator('code').first().innerText()).toBe('\\(\\frac{a}{\\)');
  expect(complaints).toEqual([]);
});

const MIXED = [
  '# שלום עולם', 'طويل: هذا نص عربي مع `code(a, b)` وكلمة English في الوسط.', 'An English paragraph with עברית in it.',
  '- פריט ראשון\n- פריט שני\n  1. תת פריט\n- [x] נעשה\n- [ ] לעשות', '> ציטוט בעברית', '| שם | מספר |\n|:--|--:|\n| אלף | 1 |\n| ב | 22 |', '```js\nconst a = "שלום";\n```', 'נוסחה \\(a^2 + b^2 = c^2\\) באמצע.',
];

test('Hebrew and Arabic run from the right, block by block; code and formulas from the left', async () => {
  await importSaid({ 'שיחה בעברית': [['מה שלומך?\nEnglish here', MIXED.join('\n\n')]] });
  await open('שיחה בעברית');
  const directions = (selector: string) => page.locator(selector).evaluateAll((all) => all.map((each) => getComputedStyle(each).direction));
  await answer().locator('math').waitFor();
  expect(await directions('.answer > :is(h1, p)')).toEqual(['rtl', 'rtl', 'ltr', 'rtl']);
  expect(new Set(await directions('.answer :is(ul, ol, li, blockquote, table, th)'))).toEqual(new Set(['rtl']));
  expect(new Set(await directions('.answer :is(pre, code, math)'))).toEqual(new Set(['ltr']));
  expect(await directions('.bubble')).toEqual(['rtl']);
  expect(await page.locator('.chat-title').evaluateAll((titles) => titles.map((title) => getComputedStyle(title).direction))).toContain('rtl');
  await chat.input.fill('שלום');
  await page.getByTestId('chat-search').fill('مرحبا');
  expect(await directions('[data-testid=chat-input], [data-testid=chat-search]')).toEqual(['rtl', 'rtl']);
  await chat.input.fill('');
  await page.getByTestId('chat-search').fill('');
});

test('documents of one kind of mark, or of 40,000 paragraphs, open and can be read', async () => {
  await page.getByTestId('view-documents').click();
  for (const [name, text] of Object.entries({
    'quotes.md': '>'.repeat(2000), 'lists.md': `${'- '.repeat(1200)}x`, 'emphasis.md': `${'_'.repeat(2000)}a${'_'.repeat(2000)}`, 'paragraphs.txt': 'a\n\n'.repeat(40_000), 'marks.txt': `a${'\u0301'.repeat(100_000)}`,
    'hebrew.txt': 'שלום עולם',
  })) {
    await page.getByTestId('document-file').setInputFiles({ name, mimeType: '', buffer: Buffer.from(text) });
    await page.getByTestId('document-facts').waitFor();
    await page.getByTestId('tab-text').click();
    // Not its inner text: that is empty for as long as the browser has not come to draw the group.
    expect((await page.getByTestId('document-full-text').locator('p').first().textContent())?.slice(0, 1)).toBe(text.slice(0, 1));
    if (name.startsWith('hebrew')) expect(await page.locator('.document-text p').evaluate((paragraph) => getComputedStyle(paragraph).direction)).toBe('rtl');
    await page.getByTestId('document-back').click();
  }
  await page.getByTestId('view-chat').click();
  expect(complaints).toEqual([]);
});

/** The Enter with which Safari ends a composition, and the one with which others do. */
const COMPOSING = [{ keyCode: 229, isComposing: false }, { keyCode: 229, isComposing: true }, { keyCode: 13, isComposing: true }];

test('Enter that ends a composition sends nothing: not in the message box, not where a message is edited', async () => {
  const enter = (testId: string, key = 'Enter') => page.getByTestId(testId).evaluate((field, [inits, key]) => inits.map((init) => {
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init });
    field.dispatchEvent(event);
    return event.defaultPrevented;
  }), [COMPOSING, key] as const);
  const before = await page.getByTestId('message-user').count();
  await chat.input.fill('にほんご');
  expect(await enter('chat-input')).toEqual([false, false, false]);
  expect(await chat.input.inputValue()).toBe('にほんご');
  await page.getByTestId('edit').last().click();
  await page.getByTestId('edit-text').fill('한국');
  await enter('edit-text');
  await enter('edit-text', 'Escape');
  expect(await page.getByTestId('edit-text').inputValue()).toBe('한국');
  await page.getByTestId('edit-cancel').click();
  expect(await page.getByTestId('message-user').count()).toBe(before);
  // In a field of one line a browser would send the form: the name of a conversation, a question about a document.
  await page.getByTestId('chat-more').first().click();
  await page.getByTestId('chat-rename').click();
  expect(await enter('chat-name')).toEqual([true, false, false]);
  await page.getByTestId('chat-name').press('Escape');
  await chat.input.fill('');
});

test('a text that can’t be drawn costs its own message, which is shown as it was written, and is reported', async () => {
  await importSaid({ Poisoned: [['one', '**first**'], ['two', '**poison** second'], ['three', '**third**']] });
  const read = [...complaints];
  await page.evaluate(() => {
    const { replace } = String.prototype;
    Object.assign(String.prototype, {
      replace(this: string, ...asked: Parameters<typeof replace>) {
        if (this.startsWith('**poison')) throw new RangeError('a renderer that fails');
        return replace.apply(this, asked);
      },
    });
  });
  await open('Poisoned');
  await page.getByTestId('error').waitFor();
  expect(await page.getByTestId('error').getAttribute('data-code')).toBe('not-drawn');
  expect(await chat.answers.evaluateAll((answers) => answers.map((each) => [(each as HTMLElement).innerText.trim(), each.firstElementChild?.className]))).toEqual([
    ['first', ''], ['**poison** second', 'plain'], ['third', ''],
  ]);
  await page.locator('.error-close').click();
  await chat.backend.waitFor();
  const { answer: written } = await chat.ask('Why is the sky blue?');
  expect(written.length).toBeGreaterThan(10);
  expect(complaints.splice(read.length).every((each) => each.includes('could not be drawn'))).toBe(true);
});
