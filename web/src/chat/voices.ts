/** Which voice reads a text. Only those of this device: others would send the text away. */

export interface Voice {
  lang: string;
  localService: boolean;
  default: boolean;
}

/** Letters that say the language, or one of a few. */
const SCRIPTS: readonly [RegExp, readonly string[]][] = [
  [/\p{Script=Hiragana}|\p{Script=Katakana}/u, ['ja']],
  [/\p{Script=Hangul}/u, ['ko']],
  [/\p{Script=Han}/u, ['zh', 'cmn', 'yue']],
  [/\p{Script=Hebrew}/u, ['he', 'iw']],
  [/\p{Script=Arabic}/u, ['ar', 'fa', 'ur']],
  [/\p{Script=Cyrillic}/u, ['ru', 'uk', 'bg', 'sr']],
  [/\p{Script=Greek}/u, ['el']],
  [/\p{Script=Devanagari}/u, ['hi', 'mr', 'ne']],
  [/\p{Script=Thai}/u, ['th']],
];
/** Letters of its beginning that are looked at. */
const BEGINNING = 400;

/** Undefined where no voice of this device reads its script. `preferred`: languages of the visitor, the first one first. */
export function voiceFor<Of extends Voice>(text: string, voices: readonly Of[], preferred: readonly string[]): Of | undefined {
  const local = voices.filter(({ localService }) => localService);
  const beginning = text.slice(0, BEGINNING);
  const script = SCRIPTS.find(([letters]) => (beginning.match(new RegExp(letters, 'gu'))?.length ?? 0) > beginning.length / 4)?.[1];
  const others = new Set(SCRIPTS.flatMap(([, languages]) => languages));
  const able = local.filter(({ lang }) => (script ? script.includes(base(lang)) : !others.has(base(lang))));
  const wanted = preferred.map(base).find((language) => able.some(({ lang }) => base(lang) === language));
  const speaking = able.filter(({ lang }) => wanted === undefined || base(lang) === wanted);
  return speaking.find((voice) => voice.default) ?? speaking[0];
}

function base(language: string): string {
  return language.toLowerCase().split(/[-_]/, 1)[0] ?? '';
}
