/** The visitor's own prompts: texts with blanks, `{{name}}`, that are asked for when one is used. */
import { newId } from 'web-mamba';

export interface OwnPrompt {
  id: string;
  title: string;
  text: string;
}

const BLANK = /\{\{\s*([^{}\n]{1,60}?)\s*\}\}/g;
const MOST_PROMPTS = 500;
const MOST_TITLE_CHARACTERS = 100;
const MOST_CHARACTERS = 20_000;

/** Names of its blanks, each once, in the order of the text. */
export function blanksOf(text: string): string[] {
  return [...new Set([...text.matchAll(BLANK)].map(([, name]) => name as string))];
}

/** A blank without a value stays as it is written. */
export function filledIn(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(BLANK, (written, name: string) => values.get(name) ?? written);
}

/** Undefined where there is nothing to keep. Without a title, its beginning is one. */
export function ownPrompt({ id = newId(), title, text }: Partial<OwnPrompt> & Pick<OwnPrompt, 'title' | 'text'>): OwnPrompt | undefined {
  const kept = text.trim().slice(0, MOST_CHARACTERS);
  const named = (title.trim() || (kept.split('\n', 1)[0] ?? '')).slice(0, MOST_TITLE_CHARACTERS);
  return kept === '' ? undefined : { id, title: named, text: kept };
}

/** What a database holds may be anything. */
export function soundPrompts(value: unknown): OwnPrompt[] {
  if (!Array.isArray(value)) return [];
  const prompts = value.slice(0, MOST_PROMPTS).flatMap((each: unknown) => {
    const { id, title, text } = (typeof each === 'object' && each !== null ? each : {}) as Partial<Record<keyof OwnPrompt, unknown>>;
    const sound = typeof id === 'string' && typeof title === 'string' && typeof text === 'string' ? ownPrompt({ id, title, text }) : undefined;
    return sound ? [sound] : [];
  });
  return prompts.filter(({ id }, index) => prompts.findIndex((other) => other.id === id) === index);
}
