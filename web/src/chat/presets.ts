/** Roles that a conversation can begin with: a system prompt each, and settings that suit it. */
import type { GenerateOptions } from 'web-mamba';
import type { Instructions, PresetId } from '../data/conversation-record';

interface Preset {
  instructions: Instructions;
  /** What it changes of the sampling settings. */
  sampling: GenerateOptions;
}

function preset(id: PresetId, system: string, sampling: GenerateOptions = {}): Preset {
  return { instructions: { preset: id, system, knowledge: '' }, sampling };
}

/** What the translator can be asked to write. Its text says one of them, so that a visitor can as well write another there. */
export const languages = [
  'English', 'French', 'German', 'Spanish', 'Italian', 'Portuguese', 'Dutch', 'Polish', 'Turkish', 'Russian', 'Arabic', 'Hindi', 'Chinese', 'Japanese', 'Korean',
] as const;

export type Language = (typeof languages)[number];

export function translatorSystem(into: Language): string {
  const back = into === 'English' ? 'French' : 'English';
  return `You are a translator. Translate what the user writes into ${into}; if it is ${into}, into ${back}. Keep names, numbers and formatting. ` +
    'Answer with the translation only.';
}

/** The language of the translator's text; undefined where the visitor has written another text. */
export function translatorLanguage(system: string): Language | undefined {
  return languages.find((each) => translatorSystem(each) === system);
}

/** An assistant has no system prompt: small models answer best as they were trained, and a visitor can write one. */
export const presets: Readonly<Record<PresetId, Preset>> = {
  assistant: preset('assistant', ''),
  translator: preset('translator', translatorSystem('English'), { temperature: 0.2, topK: 40 }),
  service: preset(
    'service',
    'You are a friendly customer-service agent. Answer only from the knowledge below, in a few clear sentences. ' +
      'If the answer is not there, say so and offer to pass the question on to a colleague. Never invent prices, dates or promises.',
    { temperature: 0.3, topK: 40 },
  ),
  analyst: preset(
    'analyst',
    'You are a careful data analyst. The user pastes tables or figures. Say what they show, with the numbers that support it; ' +
      'compute step by step, use Markdown tables, and name what cannot be concluded.',
    { temperature: 0.3, topK: 40 },
  ),
  writer: preset(
    'writer',
    'You are an experienced writer and editor. Write vividly and plainly, in the form and length that the user asks for. ' +
      'When given a draft, improve it without changing its meaning.',
    { temperature: 0.9, topP: 0.95 },
  ),
};

export const presetIds = Object.keys(presets) as PresetId[];

/** The only preset that answers from a pasted text. */
export function usesKnowledge(id: PresetId): boolean {
  return id === 'service';
}

/** Whether a system prompt is the visitor's own, which no other role should take away unasked. */
export function isOwnSystem({ preset: id, system }: Instructions): boolean {
  return system !== '' && system !== presets[id].instructions.system && translatorLanguage(system) === undefined;
}

/** The system message of a conversation; empty for none. */
export function systemText({ preset: id, system, knowledge }: Instructions): string {
  const given = usesKnowledge(id) ? knowledge.trim() : '';
  return [system.trim(), given && `Knowledge:\n${given}`].filter(Boolean).join('\n\n');
}
