/** The AI SDK's messages as the engine's. What is no text, no call and no result of one is refused by its place. */
import { joinThoughts } from '../base/thoughts.ts';
import type { ChatMessage, ToolCall } from '../base/wasm-engine.ts';
import { unsupportedOption } from '../api/checks.ts';
import type { PromptMessage, PromptPart } from './types.ts';

export function messagesOf(prompt: readonly PromptMessage[]): ChatMessage[] {
  return prompt.flatMap(({ role, content }, at): ChatMessage[] => {
    if (typeof content === 'string') return [{ role, content }];
    const place = (index: number) => `prompt[${at}].content[${index}]`;
    if (role === 'tool') return content.map((part, index) => resultOf(part, place(index)));
    const calls = role === 'assistant' ? content.filter((part) => part.type === 'tool-call').map(callOf) : [];
    const said = content.map((part, index) => ({ part, index })).filter(({ part }) => !(role === 'assistant' && part.type === 'tool-call'));
    const texts = said.map(({ part, index }) => ({ type: part.type, text: textOf(part, role, place(index)) }));
    const of = (type: string) => texts.filter((part) => (part.type === 'reasoning') === (type === 'reasoning')).map(({ text }) => text);
    const answer = of('text').join(role === 'assistant' ? '' : '\n');
    return [{ role, content: joinThoughts({ thoughts: of('reasoning').join('\n\n'), answer }), ...(calls.length > 0 ? { tool_calls: calls } : {}) }];
  });
}

/** Of a text, of a thought that the model had before, or of a file that is a text. */
function textOf({ type, text, data }: PromptPart, role: string, place: string): string {
  if (typeof text === 'string' && (type === 'text' || (type === 'reasoning' && role === 'assistant'))) return text;
  const inline = type === 'file' && typeof data === 'object' && data !== null && 'text' in data ? data.text : undefined;
  if (typeof inline === 'string') return inline;
  throw unsupportedOption(`${place}.type`, type);
}

function callOf({ toolCallId, toolName, input }: PromptPart): ToolCall {
  return { id: String(toolCallId), type: 'function', function: { name: String(toolName), arguments: typeof input === 'string' ? input : JSON.stringify(input ?? {}) } };
}

/** What a tool gave, as a text: its own, or JSON. */
function resultOf({ type, toolCallId, output }: PromptPart, place: string): ChatMessage {
  if (type !== 'tool-result') throw unsupportedOption(`${place}.type`, type);
  return { role: 'tool', content: outputText((output ?? {}) as { type?: unknown; value?: unknown; reason?: unknown }, place), tool_call_id: String(toolCallId) };
}

function outputText({ type, value, reason }: { type?: unknown; value?: unknown; reason?: unknown }, place: string): string {
  switch (type) {
    case 'text':
    case 'error-text':
      return String(value);
    case 'json':
    case 'error-json':
      return JSON.stringify(value);
    case 'execution-denied':
      return typeof reason === 'string' ? reason : 'the call was denied';
    case 'content':
      return (value as PromptPart[]).map((part, index) => textOf(part, 'tool', `${place}.output.value[${index}]`)).join('\n');
    default:
      throw unsupportedOption(`${place}.output.type`, type);
  }
}
