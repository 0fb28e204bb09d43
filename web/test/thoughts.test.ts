import { splitThoughts } from 'web-mamba';
import { expect, test } from 'vitest';

const WHOLE = '<think>\nFirst this.\n\nThen that.\n</think>\nThe answer, with `<think>` in it.';

test.each([
  ['Just an answer.', '', 'Just an answer.'],
  [' Hello', '', ' Hello'],
  ['', '', ''],
  ['\nHello', '', 'Hello'],
  [' \r\n\n  Hello\n', '', '  Hello\n'],
  [' ', '', ''],
  [WHOLE, 'First this.\n\nThen that.', 'The answer, with `<think>` in it.'],
  ['<think>\n</think>\n\nAt once.', '', 'At once.'],
  ['<think></think>At once.', '', 'At once.'],
  [' <think>a</think> <think>b</think> c', 'a\n\nb', 'c'],
  ['Use the tag <think>like this</think>.', '', 'Use the tag <think>like this</think>.'],
  ['<thinking>', '', '<thinking>'],
  ['a </think> b', '', 'a </think> b'],
  ['<think>a</think>', 'a', ''],
])('%j is a thought and an answer', (text, thoughts, answer) => {
  expect(splitThoughts(text)).toEqual({ thoughts, answer, isThinking: false });
});

test('a growing answer shows no part of a tag, and takes nothing back', () => {
  let shown = { thoughts: '', answer: '' };
  let wasThinking = true;
  for (let length = 1; length <= WHOLE.length; length += 1) {
    const now = splitThoughts(WHOLE.slice(0, length));
    expect(now.thoughts.startsWith(shown.thoughts)).toBe(true);
    expect(now.answer.startsWith(shown.answer)).toBe(true);
    expect(now.thoughts).not.toMatch(/<|>/);
    // Once it has answered, it thinks no more.
    expect(now.isThinking && !wasThinking).toBe(false);
    expect(now.isThinking).toBe(length < WHOLE.indexOf('</think>') + '</think>'.length);
    wasThinking = now.isThinking;
    shown = now;
  }
  expect(shown).toEqual(splitThoughts(WHOLE));
});

test('an answer that begins like a tag is shown once it is none', () => {
  expect(splitThoughts('<thin')).toEqual({ thoughts: '', answer: '', isThinking: true });
  expect(splitThoughts('<thin ')).toEqual({ thoughts: '', answer: '<thin ', isThinking: false });
  expect(splitThoughts('<think>a < b </thing')).toEqual({ thoughts: 'a < b </thing', answer: '', isThinking: true });
  expect(splitThoughts('<think>a < b </thin')).toEqual({ thoughts: 'a < b', answer: '', isThinking: true });
});
