/** Code as runs of one kind: what each word is, that nothing is lost, and that no code takes long. */
import { expect, test } from 'vitest';
import { codeRuns, type CodeKind } from '../src/markdown/code-runs';

/** The texts of one kind. */
const ofKind = (code: string, language: string, kind: CodeKind) => codeRuns(code, language)?.filter((run) => run.kind === kind).map(({ text }) => text.trim());

test.each<[string, string, CodeKind, string]>([
  ['js', 'const a = "b"; // c', 'keyword', 'const'],
  ['ts', 'const a: number = 1;', 'type', 'number'],
  ['python', 'def f(x):\n  return 1', 'name', 'f'],
  ['rust', 'let a = 5; // so', 'comment', '// so'],
  ['json', '{"a": true}', 'name', '"a"'],
  ['html', '<b class="x">y</b>', 'string', '"x"'],
  ['sh', 'echo "a" # b', 'comment', '# b'],
  ['sql', "SELECT 'a' FROM b", 'string', "'a'"],
  ['diff', '+a\n-b', 'added', '+a'],
  ['yaml', 'a: 1', 'number', '1'],
  ['JS', 'let a', 'keyword', 'let'],
])('%s: %s', (language, code, kind, text) => expect(ofKind(code, language, kind)).toContain(text));

test('what stands in a string for a value is no string', () => {
  expect(ofKind('`a ${b} c`', 'js', 'string')?.join('|')).not.toContain('b');
});

test.each(['', 'klingon', 'mermaid', 'constructor', '__proto__'])('a language that is not known: “%s”', (language) => expect(codeRuns('a', language)).toBeUndefined());

const line = (text: string, lines: number) => `${text}\n`.repeat(lines);
const HOSTILE: Record<string, [string, string][]> = {
  'one line without an end': [['js', 'a'.repeat(50_000)], ['python', '('.repeat(50_000)], ['xml', '<a '.repeat(20_000)]],
  'what nests as deep as it is long': [['js', line('`${', 20_000)], ['css', line('a{', 20_000)], ['yaml', line('- '.repeat(300), 100)], ['json', line('[', 20_000)]],
  'what a grammar looks ahead for': [['js', line('(', 20_000)], ['ts', line('<a', 20_000)], ['csharp', line('a b<'.repeat(200), 60)], ['js', line('a'.repeat(900), 60)]],
};

test.each(Object.entries(HOSTILE))('%s: read soon, and nothing is lost', (_, codes) => {
  for (const [language, code] of codes) {
    const { user } = process.cpuUsage();
    const runs = codeRuns(code, language) ?? [];
    expect(process.cpuUsage({ user, system: 0 }).user / 1000, code.slice(0, 20)).toBeLessThan(200);
    expect(runs.map(({ text }) => text).join('') === code, code.slice(0, 20)).toBe(true);
    expect(runs.length).toBeLessThan(10_000);
  }
});

test('of long code the beginning has colours', () => {
  const code = line('const a = 1;', 5000);
  const runs = codeRuns(code, 'js') ?? [];
  expect(runs.filter(({ kind }) => kind === 'keyword').length).toBeGreaterThan(400);
  expect(runs.at(-1)?.kind).toBeUndefined();
  expect(runs.map(({ text }) => text).join('')).toBe(code);
});
