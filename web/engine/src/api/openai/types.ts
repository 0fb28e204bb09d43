/** The shapes of OpenAI's interface, as far as the engine has what they are about. Results are those of the package `openai`. */
import type { Optional } from '../checks.ts';

/**
 * What both calls take. An option that is absent has the engine's own default, as with `model.generate`. OpenAI's other options are refused,
 * but for values that ask for nothing.
 */
export type SharedBody = Optional<{
  /** Any text: there is one model, and the result has its name. */
  model: string;
  /** Tokens to write at most. */
  max_tokens: number;
  /** A text that ends a choice, or up to 4 of them; it is no part of the choice. */
  stop: string | readonly string[];
  /** Choices for a prompt, 1 to 128, which is read once. */
  n: number;
  /** The same seed gives the same choices. */
  seed: number;
  temperature: number;
  top_p: number;
  frequency_penalty: number;
  presence_penalty: number;
  /** Added to the logits of these tokens, by id: -100 to 100. */
  logit_bias: Readonly<Record<string, number>>;
  stream: boolean;
  stream_options: StreamOptions;
  /** This and what follows OpenAI does not have. So many of the likeliest tokens are sampled from. */
  top_k: number;
  /** Sampled are tokens of at least this probability, as a part of the likeliest one's. */
  min_p: number;
  repetition_penalty: number;
  /** How many of the last tokens the penalties are about. */
  penalty_last_n: number;
  stop_token_ids: readonly number[];
  ignore_eos: boolean;
  /** Whether the longest known start of the prompt is taken from a checkpoint; true by default. */
  reuse: boolean;
}>;

/** What a stream tells beside its chunks. */
export type StreamOptions = Optional<{
  /** A last chunk without choices has the usage. */
  include_usage: boolean;
}>;

/** A part of a message: texts alone are understood. */
export interface TextPart {
  type: 'text';
  text: string;
}

/** A message of a conversation. Parts are lines of one text. */
export interface ChatCompletionMessageInput {
  /** `developer` is `system`. A last message of the assistant's that calls nothing is continued. */
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** It may be left out where the assistant calls tools. */
  content?: string | readonly TextPart[] | null | undefined;
  /** Of the assistant: the calls that it made, as a result has them. */
  tool_calls?: readonly ChatCompletionToolCall[] | null | undefined;
  /** Of a tool: the call whose result it is. */
  tool_call_id?: string | null | undefined;
  /** Of the assistant: what it thought before, as a result has it. */
  reasoning_content?: string | null | undefined;
  /** Of the assistant, as results have it. */
  refusal?: null | undefined;
}

/** What is asked of `chat.completions.create`. */
export interface ChatCompletionBody extends SharedBody {
  messages: readonly ChatCompletionMessageInput[];
  /** The present name of `max_tokens`. */
  max_completion_tokens?: number | null | undefined;
  /** Whether the result has the log-probabilities of the answer's tokens; those of thoughts are left out. */
  logprobs?: boolean | null | undefined;
  /** And of so many of the likeliest in place of each, 0 to 20. */
  top_logprobs?: number | null | undefined;
  /** Whether the model thinks before it answers, as with `model.generate`. */
  thinking?: 'auto' | 'on' | 'off' | 'skip' | null | undefined;
  /** What the answer is held to; a thought before it is not. The conversation should ask for the same. */
  response_format?: ResponseFormat | null | undefined;
  /** Functions that the model may call, where its chat template has tools: `model.info.toolFormat` says so. */
  tools?: readonly ChatCompletionTool[] | null | undefined;
  /**
   * `auto` (the default): the model calls tools or says something; of a function that is `strict`, the arguments follow its schema. `none`: it is told of none. `required`, or a function: its answer is
   * held to calls, whose arguments follow the function's schema.
   */
  tool_choice?: ToolChoice | null | undefined;
  /** Whether an answer may have several calls; true by default. Without, what follows the first is left out. */
  parallel_tool_calls?: boolean | null | undefined;
}

/** A function that the model may call. */
export interface ChatCompletionTool {
  type: 'function';
  function: {
    name: string;
    description?: string | null | undefined;
    /** A JSON schema of an object; by default one that is empty. */
    parameters?: Readonly<Record<string, unknown>> | null | undefined;
    /** Whether a call that the model makes of its own accord follows the schema too; one that has to be made follows it either way. */
    strict?: boolean | null | undefined;
  };
}

/** Whether tools are called, and which. */
export type ToolChoice = 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } };

/** A call of a function. */
export interface ChatCompletionToolCall {
  /** What the message with its result names it by. */
  id: string;
  type: 'function';
  /** `arguments` are JSON. A call that was cut off, or written freely, may have others than the schema says. */
  function: { name: string; arguments: string };
}

/** `json_object` is any object; `json_schema` what its schema describes. */
export interface ResponseFormat {
  type: 'text' | 'json_object' | 'json_schema';
  json_schema?: JsonSchemaFormat | undefined;
}

export interface JsonSchemaFormat {
  name: string;
  description?: string | undefined;
  /** By default any object. */
  schema?: Readonly<Record<string, unknown>> | undefined;
  /** The schema is followed either way. */
  strict?: boolean | null | undefined;
}

/** What is asked of `completions.create`. */
export interface CompletionBody extends SharedBody {
  /** A text or token ids, or several of them, each of which has `n` choices. */
  prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[];
  /** Whether the result has log-probabilities, and of how many of the likeliest tokens, 0 to 20. */
  logprobs?: number | null | undefined;
}

/** `stop`: the model ended, or a stop text or token was met. `length`: `max_tokens` were written. */
export type FinishReason = 'stop' | 'length';

/** `tool_calls`: the model ended, and has called tools. */
export type ChatFinishReason = FinishReason | 'tool_calls';

/** Tokens that were read and written. */
export interface CompletionUsage {
  prompt_tokens: number;
  /** Of all choices. */
  completion_tokens: number;
  total_tokens: number;
  /** Tokens of the prompt that a kept state spared. */
  prompt_tokens_details: { cached_tokens: number };
}

/** The natural logarithm of a token's probability by the model's own logits, before bias, penalties, filters and temperature. */
export interface TopLogprob {
  /** Its text by itself: U+FFFD where it has a part of a character. */
  token: string;
  bytes: number[];
  logprob: number;
}

/** A token of an answer, and the likeliest tokens in its place. */
export interface ChatCompletionTokenLogprob extends TopLogprob {
  top_logprobs: TopLogprob[];
}

/** Log-probabilities of an answer’s tokens, thoughts left out, and calls of tools as they were written. */
export interface ChatCompletionLogprobs {
  content: ChatCompletionTokenLogprob[];
  refusal: null;
}

/** By the places of tokens. Offsets count UTF-16 units of the choice's text, as JavaScript's texts do. */
export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: number[];
  top_logprobs: Record<string, number>[];
  text_offset: number[];
}

/** The answers to a conversation. */
export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: ChatCompletionChoice[];
  usage: CompletionUsage;
}

/** One answer, `index` of the `n` that were asked for. */
export interface ChatCompletionChoice {
  index: number;
  message: {
    role: 'assistant';
    /** Null where it only calls tools. */
    content: string | null;
    refusal: null;
    /** Absent where it calls none. */
    tool_calls?: ChatCompletionToolCall[];
    /** What the model thought before its answer; absent where it did not think. */
    reasoning_content?: string;
  };
  logprobs: ChatCompletionLogprobs | null;
  finish_reason: ChatFinishReason;
}

/** A piece of a streamed answer. */
export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  /** One, or none in the chunk with the usage. */
  choices: ChatCompletionChunkChoice[];
  /** With `include_usage`: null but in the last chunk. */
  usage?: CompletionUsage | null;
}

/** What a chunk adds to one answer. */
export interface ChatCompletionChunkChoice {
  index: number;
  delta: { role?: 'assistant'; content?: string; reasoning_content?: string; tool_calls?: ToolCallDelta[] };
  logprobs: ChatCompletionLogprobs | null;
  finish_reason: ChatFinishReason | null;
}

/** The beginning of a call, with its id and name, or more of its arguments. */
export interface ToolCallDelta {
  index: number;
  id?: string;
  type?: 'function';
  function: { name?: string; arguments: string };
}

/** One continuation, `index` of the `n` that were asked for. */
export interface CompletionChoice<Finish = FinishReason> {
  index: number;
  text: string;
  logprobs: CompletionLogprobs | null;
  finish_reason: Finish;
}

/** The continuations of a text. */
export interface Completion {
  id: string;
  object: 'text_completion';
  created: number;
  model: string;
  choices: CompletionChoice[];
  usage: CompletionUsage;
}

/** Of a stream, which OpenAI's types have as a `Completion`. */
export interface CompletionChunk extends Omit<Completion, 'choices' | 'usage'> {
  choices: CompletionChoice<FinishReason | null>[];
  usage?: CompletionUsage | null;
}

/** Chunks as they come. A loop over them that is left ends what makes them. */
export interface ChunkStream<Chunk> extends AsyncIterableIterator<Chunk, void, undefined> {
  /** Ends what makes them. */
  return(): Promise<IteratorReturnResult<void>>;
}

export interface Streaming {
  stream: true;
}

export interface NotStreaming {
  stream?: false | null | undefined;
}
