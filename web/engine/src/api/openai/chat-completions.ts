/** `model.chat.completions`: answers to conversations, in OpenAI's shapes. */
import type { SampledLogprob } from '../../base/wasm-engine.ts';
import type { BatchEvent } from '../../protocol/protocol.ts';
import { checkedCall, type CallOptions } from '../options.ts';
import { checkedChat } from './chat-body.ts';
import { headOf, piecesOf, repeated, UsageCount, type Answering } from './choices.ts';
import { begun } from './chunk-stream.ts';
import { chatLogprobs, WaitingTokens } from './logprobs.ts';
import { Speech } from './speech.ts';
import type { ChatCompletion, ChatCompletionBody, ChatCompletionChunk, ChatCompletionChunkChoice, ChunkStream, FinishReason, NotStreaming, Streaming } from './types.ts';

type Head = ReturnType<typeof headOf>;

/** `chat.completions` of OpenAI’s interface. */
export class ChatCompletions {
  readonly #model: Answering;

  constructor(model: Answering) {
    this.#model = model;
  }

  /**
   * Answers a conversation: as a whole, or with `stream` as chunks, where it resolves once the model has begun. It takes its turn among
   * the calls of the model. With `signal` it rejects with the signal's reason, as does the stream.
   */
  create(body: ChatCompletionBody & Streaming, options?: CallOptions | null): Promise<ChunkStream<ChatCompletionChunk>>;
  create(body: ChatCompletionBody & NotStreaming, options?: CallOptions | null): Promise<ChatCompletion>;
  create(body: ChatCompletionBody, options?: CallOptions | null): Promise<ChatCompletion | ChunkStream<ChatCompletionChunk>>;
  async create(body: ChatCompletionBody, options?: CallOptions | null): Promise<ChatCompletion | ChunkStream<ChatCompletionChunk>> {
    const { prompt, n, stream, includeUsage, options: given } = checkedChat(body);
    const { signal } = checkedCall(options);
    const head = headOf('chatcmpl', this.#model);
    const events = this.#model.answers(repeated([prompt], n), given, signal);
    const hasLogprobs = given.logprobs !== undefined;
    return stream ? begun(events, (all) => chunksOf(head, all, { n, includeUsage, hasLogprobs })) : completionOf(head, events, { n, hasLogprobs });
  }
}

interface Wanted {
  n: number;
  hasLogprobs: boolean;
}

async function completionOf(head: Head, events: AsyncIterable<BatchEvent>, { n, hasLogprobs }: Wanted): Promise<ChatCompletion> {
  const usage = new UsageCount(n);
  const choices = Array.from({ length: n }, () => ({
    speech: new Speech(), waiting: new WaitingTokens(), said: [] as SampledLogprob[], thoughts: '', answer: '', finish: 'stop' as FinishReason,
  }));
  for await (const { index, text, tokens, finish } of piecesOf(events, n, usage)) {
    const choice = choices[index];
    if (!choice) continue;
    choice.waiting.add(...tokens);
    for (const { thoughts, answer } of [choice.speech.take(text), ...(finish ? [choice.speech.end()] : [])]) {
      choice.said.push(...choice.waiting.takeAnswer({ thoughts, answer }));
      choice.thoughts += thoughts;
      choice.answer += answer;
    }
    if (finish) choice.finish = finish;
  }
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ thoughts, answer, said, finish }, index) => ({
      index,
      message: { role: 'assistant', content: answer, refusal: null, ...(thoughts === '' ? {} : { reasoning_content: thoughts }) },
      logprobs: hasLogprobs ? chatLogprobs(said) : null,
      finish_reason: finish,
    })),
    usage: usage.total(),
  };
}

async function* chunksOf(
  head: Head, events: AsyncIterable<BatchEvent>, { n, includeUsage, hasLogprobs }: Wanted & { includeUsage: boolean },
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const usage = new UsageCount(n);
  const speeches = Array.from({ length: n }, () => ({ speech: new Speech(), waiting: new WaitingTokens() }));
  const chunk = (index: number, delta: ChatCompletionChunkChoice['delta'], finish: FinishReason | null = null, said?: SampledLogprob[]): ChatCompletionChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index, delta, logprobs: hasLogprobs && said ? chatLogprobs(said) : null, finish_reason: finish }],
    ...(includeUsage ? { usage: null } : {}),
  });
  for (const index of speeches.keys()) yield chunk(index, { role: 'assistant', content: '' });
  for await (const { index, text, tokens, finish } of piecesOf(events, n, usage)) {
    const choice = speeches[index];
    if (!choice) continue;
    const { speech, waiting } = choice;
    waiting.add(...tokens);
    for (const { thoughts, answer } of [speech.take(text), ...(finish ? [speech.end()] : [])]) {
      const said = waiting.takeAnswer({ thoughts, answer });
      if (thoughts !== '') yield chunk(index, { reasoning_content: thoughts });
      if (answer !== '') yield chunk(index, { content: answer }, null, said);
    }
    if (finish) yield chunk(index, {}, finish);
  }
  if (includeUsage) yield { ...head, object: 'chat.completion.chunk', choices: [], usage: usage.total() };
}
