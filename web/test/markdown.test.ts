/** Markdown as blocks: bounded whatever the text, the same however it grows, and what is a formula. */
import { expect, test } from 'vitest';
import { isClearlyFormula } from '../src/markdown/dollars';
import { MarkdownText } from '../src/markdown/markdown-text';
import { leadsTo } from '../src/markdown/leads-to';
import { outline } from '../src/markdown/outline';
import { breakRuns } from '../src/markdown/runs';
import { hostileTexts } from './hostile-texts';

/** Of the processor, since other work on the machine makes everything last longer. */
const MOST_MILLISECONDS = 500;
const DEEPEST = 30;

const read = (text: string) => new MarkdownText().update(text).flatMap(({ tokens }) => tokens);

function computed(act: () => void): number {
  const { user } = process.cpuUsage();
  act();
  return process.cpuUsage({ user, system: 0 }).user / 1000;
}

test.each(Object.entries(hostileTexts))('%s: read soon, and never deep', (_, text) => {
  let tokens: ReturnType<typeof read> = [];
  expect(computed(() => (tokens = read(text)))).toBeLessThan(MOST_MILLISECONDS);
  expect(tokens.reduce((deepest, { level }) => Math.max(deepest, level), 0)).toBeLessThan(DEEPEST);
  expect(computed(() => outline(text))).toBeLessThan(MOST_MILLISECONDS);
});

test('what is too deep is there all the same, as it was written', () => {
  for (const text of [`${'>'.repeat(300)} end`, `${'- '.repeat(300)}end`, growing()]) {
    const said = read(text).flatMap(({ children }) => children ?? []).map(({ content }) => content).join('\n');
    expect(said).toContain('end');
    expect(said.length).toBeGreaterThan(200);
  }
});

/** A list in a list in a list; what comes after them is outside of them all. */
function growing(): string {
  return `${Array.from({ length: 60 }, (_, level) => `${'  '.repeat(level)}- item ${level}`).join('\n')}\n\nend`;
}

test('a list that is too deep ends where it ends', () => {
  const blocks = new MarkdownText().update(growing());
  expect(blocks.map(({ tokens }) => tokens[0]?.type)).toEqual(['bullet_list_open', 'paragraph_open']);
});

const GROWING = [
  '# Title\n\nOne *two* **three**\nfour\n\n- a\n- b\n  - c\n\n  d\n\n1. x\n2. y\n\n10. z\n\n> q\nlazy\n\n---\n\n```js\na\n\nb\n```\n\nend',
  'text\n===\n\na\n-\n\n- a\n-\n---\n\n* * *\n\n1. a\n\n1. b\n\n1) c\n\n- [x] done\n- [ ] open',
  'a | b\n--|--\n1 | 2\n3\n\nafter\n\n| x |\n|---|\n| y | z |\n\n    code\n\n    more\n\nend',
  'see [a] and [b][a]\n\n> more [a]\n\n[a]: https://example.org "title"\n\nlast [a]',
  'so \\(a_1\\) and\n\n\\[\nx\n- y\n\\]\n\n$$\nz\n$$\n\nend $x$ of $5 and $6',
  'a\r\nb\r\n\r\nc\r\n- d\r\n- e',
];

test.each(GROWING)('read as it grows, letter by letter, a text becomes the same', (text) => {
  const growing = new MarkdownText();
  for (let length = 1; length <= text.length; length += 1) {
    const part = text.slice(0, length);
    expect(shape(growing.update(part)), JSON.stringify(part)).toEqual(shape(new MarkdownText().update(part)));
  }
});

function shape(blocks: ReturnType<MarkdownText['update']>): unknown {
  return blocks.map(({ start, tokens }) => [start, tokens.map(({ type, tag, content, hidden, children, info }) => [
    type, tag, content, hidden, info, children?.map((child) => [child.type, child.content, child.attrs]),
  ])]);
}

test('while a text grows, what is finished is not read again', () => {
  const text = new MarkdownText();
  const before = text.update('one\n\ntwo\n\nthree\n\nfo');
  const after = text.update('one\n\ntwo\n\nthree\n\nfour *five*');
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
  expect(after[0]).toBe(before[0]);
  expect(after[1]).toBe(before[1]);
});

test('a row with more cells than its table keeps them', () => {
  const cells = read('|a|b|\n|-|-|\n|1|2|3|4|').filter(({ type }) => type === 'inline').map(({ content }) => content);
  expect(cells).toEqual(['a', 'b', '1', '2 | 3 | 4']);
});

const inline = (text: string) => read(text).flatMap(({ children }) => children ?? []);

test('bare addresses are links, without the signs of the sentence around them', () => {
  const links = (text: string) => inline(text).filter(({ type }) => type === 'link_open').map(({ attrs }) => attrs?.[0]?.[1]);
  expect(links('See https://example.org/a_(b)_c. Or (http://x.y/z), or www.example.org!')).toEqual(['https://example.org/a_(b)_c', 'http://x.y/z', 'http://www.example.org']);
  expect(links('Write to jo.doe+x@example.org, please.')).toEqual(['mailto:jo.doe+x@example.org']);
  expect(links('`https://a.b` [https://c.d](https://e.f) javascript:alert(1) data:text/html,x file:///etc foo://bar a@b')).toEqual(['https://e.f']);
});

test('lines that define where links lead are shown where they stand, and links lead there', () => {
  const tokens = read('See [1].\n\n[1]: https://example.org/a "T"\n[2]: https://unused.org\n\nend\n\n[3]: https://last.org');
  expect(tokens.filter(({ type }) => type === 'inline').map(({ content }) => content)).toEqual(['See [1].', '[1]: https://example.org/a "T"\n[2]: https://unused.org', 'end', '[3]: https://last.org']);
  const links = tokens.flatMap(({ children }) => children ?? []).filter(({ type }) => type === 'link_open').map(({ attrs }) => attrs?.[0]?.[1]);
  expect(links).toEqual(['https://example.org/a', 'https://example.org/a', 'https://example.org/a', 'https://unused.org', 'https://unused.org', 'https://last.org', 'https://last.org']);
});

const formulas = (text: string) => read(text).flatMap((token) => [token, ...(token.children ?? [])]).filter(({ type }) => type === 'formula').map(({ content }) => content);

test('formulas: in a line, on lines of their own, in lists, and never in code', () => {
  expect(formulas('Euler: \\(e^{i\\pi}\\) and \\[a_1\\]')).toEqual(['e^{i\\pi}', 'a_1']);
  expect(formulas('So\n\\[\na\n+ b\n= c\n\\]\nend')).toEqual(['a\n+ b\n= c']);
  expect(formulas('- one:\n\n  $$\n  x^2\n  $$\n- two $y$')).toEqual(['x^2', 'y']);
  expect(formulas('`\\(a\\)` and `$b^2$`\n\n```\n$$\nc\n$$\n\\[d\\]\n```\n\n    \\(e\\)')).toEqual([]);
  expect(formulas('\\[text\\](https://example.org) and \\\\(x\\\\)')).toEqual([]);
});

test('a formula that is not finished is text, with its backslash', () => {
  for (const text of ['so \\(a_1', 'so \\[ x = y', '\\[\nx', 'so $$x^2', '$$\nx', 'so $x']) {
    expect(formulas(text)).toEqual([]);
    expect(inline(text).map(({ content, type }) => (type === 'softbreak' ? '\n' : content)).join('')).toBe(text);
  }
});

test.each([
  'It costs $5 and $10.', '$5-$10', '$20 to $30', 'US$5, C$7', 'from $5/month to $10/month', 'between 5$ and 7$', '5$/kg, 7$/kg', '$1M/$2M', '$5+$3=$8',
  '$HOME and $PATH', 'echo $HOME/bin:$PATH', '${a}${b}', '$i=$j', 'the $foo_bar$ variable', 'restaurants are $$ or $$$', '$$$', '$ x $', '$5 and up to$', '$10.50$5', 'a$b$c',
])('money, names and templates are no formulas: %s', (text) => expect(formulas(text)).toEqual([]));

test.each([
  ['Let $x$ be', 'x'], ['$n-1$ items', 'n-1'], ['the $n$th one', undefined], ['$E = mc^2$', 'E = mc^2'], ['$\\frac{1}{2}$', '\\frac{1}{2}'], ['($a$)', 'a'], ['$x_i$, then', 'x_i'],
  ['$f(x) = 2x$', 'f(x) = 2x'], ['$(0, 1)$', '(0, 1)'], ['$1+1=2$', '1+1=2'], ['$\\text{speed of light}$', '\\text{speed of light}'], ['$$x^2$$', 'x^2'], ['$ABC$', 'ABC'],
])('what is clearly a formula is one: %s', (text, formula) => expect(formulas(text)).toEqual(formula === undefined ? [] : [formula]));

test('what stands between dollars is judged by itself and by what is around it', () => {
  const judged = (tex: string, around = {}) => isClearlyFormula(tex, { opening: '$', before: '', after: '', ...around });
  expect(judged('x')).toBe(true);
  expect(judged('x', { after: '5' })).toBe(false);
  expect(judged('x', { before: 'S' })).toBe(false);
  expect(judged(' x')).toBe(false);
  expect(judged('x'.repeat(2000))).toBe(false);
});

test('tasks know whether they are done', () => {
  const items = (text: string) => read(text).filter(({ type }) => type === 'list_item_open').map(({ meta }) => (meta as { done: boolean } | null)?.done);
  expect(items('- [x] a\n- [X] b\n- [ ] c\n- d\n- [x]e\n- [y] f\n1. [x] g')).toEqual([true, true, false, undefined, undefined, undefined, true]);
  expect(inline('- [x] done')[0]?.content).toBe('done');
});

test('runs that browsers lay out for minutes are broken, others are as they were', () => {
  for (const text of ['Größe', 'שָׁלוֹם', 'السَّلَامُ عَلَيْكُم', 'สวัสดีชาวโลก', '👩‍👩‍👧‍👦 👍🏽', 'Z̸̧͖a̴͙l̷g̵o̶', '日本語の文章']) expect(breakRuns(text)).toBe(text);
  expect(breakRuns(`a${'\u0301'.repeat(61)}`)).toMatch(/^a\u0301{30}\u25cc\u200b\u0301{30}\u25cc\u200b\u0301$/);
  const long = `a${'\u0301'.repeat(100)} ${'\u0628'.repeat(300)}`;
  for (let length = 0; length < long.length; length += 7) expect(breakRuns(long).startsWith(breakRuns(long.slice(0, length)))).toBe(true);
});

test('the outline of a document has every line of it', () => {
  const text = '# One\n\ntext\n\n[a]: https://example.org\n\n> quote\n\n- a\n  - b\nlazy\n\n<div>\n\n# Two\n\n</div>\n\n| a |\n|---|\n| b |';
  expect(outline(text).map(({ source }) => source).join('\n').replace(/\n+/g, '\n')).toBe(text.replace(/\n+/g, '\n'));
  expect(outline(text).flatMap(({ heading }) => heading ?? [])).toEqual(['One', 'Two']);
  expect(outline('>'.repeat(3000)).map(({ source }) => source.length)).toEqual([3000]);
});

test.each([
  ['https://example.org/a', 'https://example.org/b', undefined],
  ['https://example.org/a', 'example.org', undefined],
  ['http://www.example.org', 'www.example.org', undefined],
  ['https://example.org', 'here', 'example.org'],
  ['https://example.org', 'https://good.org', 'example.org'],
  ['https://example.org', 'https://good.org@example.org', 'example.org'],
  ['https://good.org@example.org/', 'good.org', 'example.org'],
  ['https://example.org:8443/', 'example.org', 'example.org:8443'],
  ['https://аpple.com/', 'apple.com', 'xn--pple-43d.com'],
  ['mailto:jo@example.org', 'jo@example.org', undefined],
  ['mailto:jo@example.org?subject=x', 'write to me', 'jo@example.org'],
])('where %s leads is told beside the text “%s”, where that says otherwise', (href, said, told) => expect(leadsTo(href, said)).toBe(told));
