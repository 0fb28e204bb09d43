/** What the palette offers for some letters, and which keys mean what. */
import { expect, test } from 'vitest';
import { chatStrings } from '../src/chat/chat-strings';
import { paletteItems } from '../src/page/palette-items';
import { shortcutOf, type Pressed } from '../src/page/shortcuts';

type Offered = Parameters<typeof paletteItems>[0];
const stored = [{ url: 'a', name: 'Falcon', complete: true }, { url: 'b', name: 'Half a model', complete: false }];
const offered = { chats: { instructions: { preset: 'writer', system: '', knowledge: '' } }, stored, url: 'a' } as unknown as Offered;
const chat = (id: string) => ({ id, title: `Chat ${id}`, updated: 1, pinned: false, excerpt: '' });
const labels = (query: string, chats = [chat('1')]) => paletteItems(offered, query, chats).map(({ label }) => label);

test('without words everything is offered: what can be done, conversations, roles, models that are whole', () => {
  const items = paletteItems(offered, ' ', [chat('1')]);
  expect(items.map(({ group }) => group).filter((group, index, all) => all[index - 1] !== group)).toEqual(['actions', 'chats', 'roles', 'models']);
  expect(items.filter(({ group }) => group === 'models').map(({ label }) => label)).toEqual(['Falcon']);
  expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
  expect(items.find(({ label }) => label === chatStrings.presets.writer.name)?.note).toBe('is set');
});

test('every word counts, in any case, with or without marks; conversations are found by the store', () => {
  expect(labels('SETT')).toEqual(['Behaviour and settings', 'Chat 1']);
  expect(labels('falcón', [])).toEqual(['Falcon']);
  expect(labels('role trans', [])).toEqual([chatStrings.presets.translator.name]);
  expect(labels('new zebra', [])).toEqual([]);
  expect(labels('', Array.from({ length: 100 }, (_, at) => chat(String(at)))).filter((label) => label.startsWith('Chat '))).toHaveLength(20);
});

const pressed = (key: string, change: Partial<Pressed> = {}): Pressed => ({ key, ctrl: false, shift: false, alt: false, writing: false, ...change });

test.each<[string, Pressed, ReturnType<typeof shortcutOf>]>([
  ['Ctrl+K', pressed('k', { ctrl: true }), 'palette'],
  ['Ctrl+K in a field', pressed('k', { ctrl: true, writing: true }), 'palette'],
  ['Ctrl+Shift+K, the browser’s', pressed('K', { ctrl: true, shift: true }), undefined],
  ['Ctrl+Shift+O', pressed('O', { ctrl: true, shift: true }), 'newChat'],
  ['AltGr+K', pressed('k', { ctrl: true, alt: true }), undefined],
  ['?', pressed('?', { shift: true }), 'sheet'],
  ['? in a field', pressed('?', { shift: true, writing: true }), undefined],
  ['/', pressed('/'), 'write'],
  ['/ on a German keyboard', pressed('/', { shift: true }), 'write'],
  ['a', pressed('a'), undefined],
])('%s', (_, keys, shortcut) => expect(shortcutOf(keys)).toBe(shortcut));
