/** Own prompts: their blanks, and what is made of anything that a database may hold. */
import { expect, test } from 'vitest';
import { blanksOf, filledIn, ownPrompt, soundPrompts } from '../src/chat/own-prompts';

test('blanks are named once, in their order, and filled everywhere', () => {
  const text = 'Tell {{ whom }} about {{topic}}; {{whom}}, {{}} and {not} are {{two\nlines}}.';
  expect(blanksOf(text)).toEqual(['whom', 'topic']);
  expect(filledIn(text, new Map([['whom', 'Ann'], ['topic', '{{whom}} $& $1']]))).toBe('Tell Ann about {{whom}} $& $1; Ann, {{}} and {not} are {{two\nlines}}.');
  expect(filledIn('{{a}} {{b}}', new Map([['a', '']]))).toBe(' {{b}}');
  expect(blanksOf('{{'.repeat(50_000))).toEqual([]);
});

test('a prompt without a name has its first line as one; without a text it is none', () => {
  expect(ownPrompt({ id: '1', title: ' ', text: 'First\nsecond' })).toEqual({ id: '1', title: 'First', text: 'First\nsecond' });
  expect(ownPrompt({ title: 'a', text: ' \n' })).toBeUndefined();
  expect(ownPrompt({ title: 'a', text: 'b' })?.id).toBeTruthy();
});

test('what is stored is taken as far as it is sound', () => {
  const good = { id: '1', title: 'a', text: 'b' };
  expect(soundPrompts([good, good, null, 5, {}, { id: 2, title: '', text: '' }, { id: '3', title: 'x', text: 'y'.repeat(30_000), more: 1 }])).toEqual([good, { id: '3', title: 'x', text: 'y'.repeat(20_000) }]);
  for (const none of [undefined, null, 'a', {}, 5]) expect(soundPrompts(none)).toEqual([]);
});
