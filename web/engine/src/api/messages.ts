/** Messages of a conversation as a caller may give them. */
import type { ChatMessage, ToolCall } from '../base/wasm-engine.ts';
import { checkedOptions, names, text, wrongArgument } from './checks.ts';

type Fields = { [Name in keyof ChatMessage]-?: unknown };

const MESSAGE = 'a message with role and content';
const messageNames = names('role', 'content', 'tool_calls', 'tool_call_id');

/** A copy that the caller cannot change any more. `place` is what the list is to its caller. */
export function checkedMessages(items: readonly unknown[], place: string): ChatMessage[] {
  return [...items].map((item, at) => {
    const each = `${place}[${at}]`;
    if (typeof item !== 'object' || item === null) throw wrongArgument(each, item, MESSAGE);
    const { role, content, tool_calls: calls, tool_call_id: id } = checkedOptions<Fields>(item, messageNames, { argument: each, within: `${each}.`, expected: MESSAGE });
    if (typeof role !== 'string') throw wrongArgument(`${each}.role`, role, text.expected);
    if (typeof content !== 'string') throw wrongArgument(`${each}.content`, content, text.expected);
    if (id !== undefined && typeof id !== 'string') throw wrongArgument(`${each}.tool_call_id`, id, text.expected);
    const called = checkedCalls(calls ?? [], `${each}.tool_calls`);
    return { role, content, ...(called.length > 0 ? { tool_calls: called } : {}), ...(typeof id === 'string' ? { tool_call_id: id } : {}) };
  });
}

/** Calls of tools, as a copy. */
function checkedCalls(calls: unknown, place: string): ToolCall[] {
  if (!Array.isArray(calls)) throw wrongArgument(place, calls, 'an array of calls');
  return [...(calls as unknown[])].map((call, at) => {
    const { id, function: called } = (call ?? {}) as { id?: unknown; function?: unknown };
    const { name, arguments: json } = (called ?? {}) as { name?: unknown; arguments?: unknown };
    if (typeof id !== 'string' || typeof name !== 'string' || typeof json !== 'string') throw wrongArgument(`${place}[${at}]`, call, 'a call with id, type and function: its name and arguments, a text');
    return { id, type: 'function', function: { name, arguments: json } };
  });
}
