/** The AI SDK's messages as the engine's. What is no text is refused by its place. */
import { joinThoughts } from '../base/thoughts.ts';
import type { ChatMessage } from '../base/wasm-engine.ts';
import { unsupportedOption } from '../api/checks.ts';
import type { PromptMessage, PromptPart } from './types.ts';

export function messagesOf(prompt: readonly PromptMessage[]): ChatMessage[] {
  return prompt.map(({ role, content }, at) => {
    if (role === 'tool') throw unsupportedOption(`prompt[${at}].role`, role);
    if (typeof content === 'string') return { role, content };
    const texts = content.map((part, index) => ({ type: part.type, text: textOf(part, role, `prompt[${at}].content[${index}]`) }));
    const of = (type: string) => texts.filter((part) => (part.type === 'reasoning') === (type === 'reasoning')).map(({ text }) => text);
    const answer = of('text').join(role === 'assistant' ? '' : '\n');
    return { role, content: joinThoughts({ thoughts: of('reasoning').join('\n\n'), answer }) };
  });
}

/** Of a text, of a thought that the model had before, or of a file that is a text. */
function textOf({ type, text, data }: PromptPart, role: string, place: string): string {
  if (typeof text === 'string' && (type === 'text' || (type === 'reasoning' && role === 'assistant'))) return text;
  const inline = type === 'file' && typeof data === 'object' && data !== null && 'text' in data ? data.text : undefined;
  if (typeof inline === 'string') return inline;
  throw unsupportedOption(`${place}.type`, type);
}
