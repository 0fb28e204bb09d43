/** The body of a call about a conversation, checked and in the engine's own terms. */
import type { ChatMessage } from '../../base/wasm-engine.ts';
import { joinThoughts } from '../../base/thoughts.ts';
import { checkedOptions, flag, listOf, oneOf, text, unsupported, wrongOption, type Kinds } from '../checks.ts';
import { answerKinds } from '../options.ts';
import { sharedKinds, wishOf, type Wish } from './body.ts';
import { formOf, responseFormat } from './response-format.ts';
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
  // Without functions and tools, a choice among them asks for nothing.
  function_call: among('none', 'auto'),
  functions: unsupported(isEmptyList),
  tool_choice: among('none', 'auto'),
  tools: unsupported(isEmptyList),
  parallel_tool_calls: among(true, false),
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
  role: oneOf('system', 'developer', 'user', 'assistant'),
  content: { fits: (value) => typeof value === 'string' || (Array.isArray(value) && value.length > 0), expected: 'a text or an array of parts' },
  reasoning_content: text,
  refusal: unsupported(),
  name: unsupported(),
  annotations: unsupported(isEmptyList),
  audio: unsupported(),
  function_call: unsupported(),
  tool_calls: unsupported(isEmptyList),
  tool_call_id: unsupported(),
};

const partKinds: Kinds = { type: oneOf('text'), text };

export function checkedChat(given: unknown): Wish & { prompt: ChatMessage[] } {
  const body = checkedOptions<ChatCompletionBody>(given, kinds, { argument: 'body' });
  const { messages = [], max_tokens: older, max_completion_tokens: present, thinking, logprobs, top_logprobs: top } = body;
  const form = formOf(body.response_format);
  if (messages.length === 0) throw wrongOption('messages', body.messages, 'an array of one message or more');
  if (typeof older === 'number' && typeof present === 'number' && older !== present) {
    throw wrongOption('max_tokens', older, `max_completion_tokens, which is ${present}: give one of the two`);
  }
  if (typeof top === 'number' && top > 0 && logprobs !== true) throw wrongOption('top_logprobs', top, 'absent, as it is to be without logprobs');
  const prompt = [...messages].map((message, at) => checkedMessage(message, `messages[${at}]`));
  const wish = wishOf({ ...body, max_tokens: present ?? older });
  return { ...wish, prompt, options: { ...wish.options, ...(thinking ? { thinking } : {}), ...(form ? { form } : {}), ...(logprobs ? { logprobs: top ?? 0 } : {}) } };
}

function checkedMessage(given: unknown, place: string): ChatMessage {
  const { role, content, reasoning_content: thoughts } = checkedOptions<Fields>(given, messageKinds, { argument: place, within: `${place}.`, expected: 'a message with role and content' });
  if (typeof role !== 'string') throw wrongOption(`${place}.role`, role, messageKinds.role?.expected ?? '');
  if (typeof thoughts === 'string' && role !== 'assistant') throw wrongOption(`${place}.reasoning_content`, thoughts, 'one of the assistant’s');
  if (content === undefined) throw wrongOption(`${place}.content`, content, messageKinds.content?.expected ?? '');
  const answer = typeof content === 'string' ? content : [...(content as unknown[])].map((part, at) => textOf(part, `${place}.content[${at}]`)).join('\n');
  return {
    role: role === 'developer' ? 'system' : role,
    content: typeof thoughts === 'string' ? joinThoughts({ thoughts, answer }) : answer,
  };
}

function textOf(part: unknown, place: string): string {
  const { type, text: words } = checkedOptions<TextPart>(part, partKinds, { argument: place, within: `${place}.`, expected: 'a part with type and text' });
  if (type === undefined) throw wrongOption(`${place}.type`, type, partKinds.type?.expected ?? '');
  if (words === undefined) throw wrongOption(`${place}.text`, words, text.expected);
  return words;
}
