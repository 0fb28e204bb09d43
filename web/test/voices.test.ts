/** Which voice reads what: never one that would send the text away. */
import { expect, test } from 'vitest';
import { voiceFor, type Voice } from '../src/chat/voices';

const voice = (lang: string, localService = true, standard = false): Voice => ({ lang, localService, default: standard });
const VOICES = [voice('en-GB', false, true), voice('de-DE'), voice('en-US'), voice('fr_FR', true, true), voice('ja-JP'), voice('zh-CN', false)];

test.each<[string, string[], string | undefined]>([
  ['Hello there', ['en-GB', 'de'], 'en-US'],
  ['Hello there', ['de-AT'], 'de-DE'],
  ['Hello there', ['pt'], 'fr_FR'],
  ['これは日本語です', ['en'], 'ja-JP'],
  ['这是中文', ['zh-CN'], undefined],
  ['שלום עולם', ['en'], undefined],
  ['A word, 日本, in English', ['en'], 'en-US'],
  ['', ['ja', 'en'], 'en-US'],
])('“%s” for %j: %s', (text, preferred, lang) => expect(voiceFor(text, VOICES, preferred)?.lang).toBe(lang));

test('without a voice of this device nothing is read', () => {
  expect(voiceFor('Hello', [voice('en-US', false, true)], ['en'])).toBeUndefined();
  expect(voiceFor('Hello', [], ['en'])).toBeUndefined();
});
