/** Messages of a conversation as a caller may give them. */
import type { ChatMessage } from '../base/wasm-engine.ts';
import { text, wrongArgument } from './checks.ts';

/** A copy that the caller cannot change any more. `place` is what the list is to its caller. */
export function checkedMessages(items: readonly unknown[], place: string): ChatMessage[] {
  return [...items].map((item, at) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw wrongArgument(`${place}[${at}]`, item, 'a message with role and content');
    const { role, content } = item as Record<string, unknown>;
    if (typeof role !== 'string') throw wrongArgument(`${place}[${at}].role`, role, text.expected);
    if (typeof content !== 'string') throw wrongArgument(`${place}[${at}].content`, content, text.expected);
    return { role, content };
  });
}
