/** The body of a call about a conversation, checked and in the engine's own terms. */
import type { ChatMessage, ToolCall } from '../../base/wasm-engine.ts';
import { joinThoughts } from '../../base/thoughts.ts';
import { checkedOptions, flag, listOf, oneOf, text, unsupported, wrongOption, type Kinds } from '../checks.ts';
import { answerKinds } from '../options.ts';
import { sharedKinds, wishOf, type Wish } from './body.ts';
import { formOf, responseFormat } from './response-format.ts';
import { callsAsked, callsWish, toolsKinds, type CallingModel } from './tools.ts';
import type { ReaderOptions } from './call-reader.ts';
import type { ChatCompletionBody, ChatCompletionMessageInput, TextPart } from './types.ts';

type Fields = { [Name in keyof ChatCompletionMessageInput]: unknown };

const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;
const among = (...values: readonly unknown[]) => unsupported((value) => values.includes(value));

const kinds: Kinds = {
  ...sharedKinds,
  messages: listOf('an array of messages', () => true),
  max_completion_tokens: answerKinds.maxTokens,
  thinking: answerKinds.thinking,
  audio: unsupported(),
  // Without functions, a choice among them asks for nothing.
  function_call: among('none', 'auto'),
  functions: unsupported(isEmptyList),
  ...toolsKinds,
  logprobs: flag,
  top_logprobs: answerKinds.logprobs,
  metadata: unsupported(),
  modalities: unsupported((value) => Array.isArray(value) && value.length === 1 && value[0] === 'text'),
  moderation: unsupported(),
  prediction: unsupported(),
  prompt_cache_key: unsupported(),
  prompt_cache_options: unsupported(),
  prompt_cache_retention: unsupported(),
  reasoning_effort: unsupported(),
  response_format: responseFormat,
  safety_identifier: unsupported(),
  service_tier: among('auto', 'default'),
  store: among(false),
  verbosity: unsupported(),
  web_search_options: unsupported(),
};

const messageKinds: Kinds = {
  role: oneOf('system', 'developer', 'user', 'assistant', 'tool'),
  content: { fits: (value) => typeof value === 'string' || (Array.isArray(value) && value.length > 0), expected: 'a text or an array of parts' },
  reasoning_content: text,
  refusal: unsupported(),
  name: unsupported(),
  annotations: unsupported(isEmptyList),
  audio: unsupported(),
  function_call: unsupported(),
  tool_calls: listOf('an array of calls', () => true),
  tool_call_id: text,
};

const callKinds: Kinds = { id: text, type: oneOf('function'), function: { fits: (value) => typeof value === 'object', expected: 'a function with name and arguments' } };
const calledKinds: Kinds = { name: text, arguments: text };

const partKinds: Kinds = { type: oneOf('text'), text };

/** What a conversation asks for, and how calls in its answers are read, where there may be some. */
export interface ChatWish extends Wish {
  prompt: ChatMessage[];
  calls?: ReaderOptions;
}

export function checkedChat(given: unknown, calling: CallingModel = {}): ChatWish {
  const body = checkedOptions<ChatCompletionBody>(given, kinds, { argument: 'body' });
  const { messages = [], max_tokens: older, max_completion_tokens: present, thinking, logprobs, top_logprobs: top } = body;
  const asked = callsAsked(body);
  const format = formOf(body.response_format);
  if (asked && format) throw wrongOption('response_format', body.response_format, 'absent or of the type text, as it is to be beside tools that may be called');
  const calls = asked && callsWish(asked, calling);
  const form = calls?.form ?? format;
  if (messages.length === 0) throw wrongOption('messages', body.messages, 'an array of one message or more');
  if (typeof older === 'number' && typeof present === 'number' && older !== present) {
    throw wrongOption('max_tokens', older, `max_completion_tokens, which is ${present}: give one of the two`);
  }
  if (typeof top === 'number' && top > 0 && logprobs !== true) throw wrongOption('top_logprobs', top, 'absent, as it is to be without logprobs');
  const prompt = [...messages].map((message, at) => checkedMessage(message, `messages[${at}]`));
  const wish = wishOf({ ...body, max_tokens: present ?? older });
  const options = {
    ...wish.options, ...(thinking ? { thinking } : {}), ...(calls ? { tools: calls.tools } : {}), ...(form ? { form } : {}), ...(logprobs ? { logprobs: top ?? 0 } : {}),
  };
  return { ...wish, prompt, options, ...(calls ? { calls: calls.reader } : {}) };
}

function checkedMessage(given: unknown, place: string): ChatMessage {
  const { role, content, reasoning_content: thoughts, tool_calls: calls, tool_call_id: id } = checkedOptions<Fields>(given, messageKinds, { argument: place, within: `${place}.`, expected: 'a message with role and content' });
  if (typeof role !== 'string') throw wrongOption(`${place}.role`, role, messageKinds.role?.expected ?? '');
  if (typeof thoughts === 'string' && role !== 'assistant') throw wrongOption(`${place}.reasoning_content`, thoughts, 'one of the assistant’s');
  const called = [...((calls ?? []) as unknown[])].map((call, at) => checkedCall(call, `${place}.tool_calls[${at}]`));
  if (called.length > 0 && role !== 'assistant') throw wrongOption(`${place}.tool_calls`, calls, 'absent, as it is to be but for the assistant');
  if ((role === 'tool') !== (id !== undefined)) throw wrongOption(`${place}.tool_call_id`, id, role === 'tool' ? 'the id of the call whose result it is' : 'absent, as it is to be but for a tool');
  if (content === undefined && called.length === 0) throw wrongOption(`${place}.content`, content, messageKinds.content?.expected ?? '');
  const answer = content === undefined ? '' : typeof content === 'string' ? content : [...(content as unknown[])].map((part, at) => textOf(part, `${place}.content[${at}]`)).join('\n');
  return {
    role: role === 'developer' ? 'system' : role,
    content: typeof thoughts === 'string' ? joinThoughts({ thoughts, answer }) : answer,
    ...(called.length > 0 ? { tool_calls: called } : {}),
    ...(id === undefined ? {} : { tool_call_id: id as string }),
  };
}

function checkedCall(given: unknown, place: string): ToolCall {
  const { id, type, function: called } = checkedOptions<ToolCall>(given, callKinds, { argument: place, within: `${place}.`, expected: 'a call with id, type and function' });
  const { name, arguments: json } = checkedOptions<ToolCall['function']>(called, calledKinds, { argument: `${place}.function`, within: `${place}.function.` });
  if (id === undefined) throw wrongOption(`${place}.id`, id, text.expected);
  if (type === undefined) throw wrongOption(`${place}.type`, type, callKinds.type?.expected ?? '');
  if (name === undefined) throw wrongOption(`${place}.function.name`, name, text.expected);
  if (json === undefined) throw wrongOption(`${place}.function.arguments`, json, text.expected);
  return { id, type, function: { name, arguments: json } };
}

function textOf(part: unknown, place: string): string {
  const { type, text: words } = checkedOptions<TextPart>(part, partKinds, { argument: place, within: `${place}.`, expected: 'a part with type and text' });
  if (type === undefined) throw wrongOption(`${place}.type`, type, partKinds.type?.expected ?? '');
  if (words === undefined) throw wrongOption(`${place}.text`, words, text.expected);
  return words;
}
