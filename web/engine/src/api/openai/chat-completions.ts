/** `model.chat.completions`: answers to conversations, in OpenAI's shapes. */
import type { SampledLogprob } from '../../base/wasm-engine.ts';
import type { BatchEvent } from '../../protocol/protocol.ts';
import { checkedCall, type CallOptions } from '../options.ts';
import { checkedChat } from './chat-body.ts';
import { headOf, piecesOf, repeated, UsageCount, type Answering } from './choices.ts';
import { begun } from './chunk-stream.ts';
import { chatLogprobs, WaitingTokens } from './logprobs.ts';
import type { ReaderOptions } from './call-reader.ts';
import { Replies, type Reply } from './reply.ts';
import type {
  ChatCompletion, ChatCompletionBody, ChatCompletionChunk, ChatCompletionChunkChoice, ChatCompletionToolCall, ChatFinishReason, ChunkStream, FinishReason, NotStreaming, Streaming,
} from './types.ts';

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
    const { prompt, n, stream, includeUsage, options: given, calls } = checkedChat(body, this.#model.calling());
    const { signal } = checkedCall(options);
    const head = headOf('chatcmpl', this.#model);
    const events = this.#model.answers(repeated([prompt], n), given, signal);
    const hasLogprobs = given.logprobs !== undefined;
    return stream ? begun(events, (all) => chunksOf(head, all, { n, includeUsage, hasLogprobs, calls })) : completionOf(head, events, { n, hasLogprobs, calls });
  }
}

interface Wanted {
  n: number;
  hasLogprobs: boolean;
  calls?: ReaderOptions | undefined;
}

async function completionOf(head: Head, events: AsyncIterable<BatchEvent>, { n, hasLogprobs, calls }: Wanted): Promise<ChatCompletion> {
  const usage = new UsageCount(n);
  const choices = Array.from({ length: n }, () => ({
    replies: new Replies(calls), waiting: new WaitingTokens(), said: [] as SampledLogprob[], thoughts: '', answer: '', called: [] as ChatCompletionToolCall[], finish: 'stop' as ChatFinishReason,
  }));
  for await (const { index, text, tokens, finish } of piecesOf(events, n, usage)) {
    const choice = choices[index];
    if (!choice) continue;
    choice.waiting.add(...tokens);
    for (const { thoughts, answer, calls: pieces, written } of choice.replies.take(text, finish !== undefined)) {
      choice.said.push(...choice.waiting.takeAnswer({ thoughts, answer: written }));
      choice.thoughts += thoughts;
      choice.answer += answer;
      for (const piece of pieces) gather(choice.called, piece);
    }
    if (finish) choice.finish = finishOf(finish, choice.replies);
  }
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ thoughts, answer, called, said, finish }, index) => ({
      index,
      message: {
        role: 'assistant',
        content: answer === '' && called.length > 0 ? null : answer,
        refusal: null,
        ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
        ...(called.length > 0 ? { tool_calls: called } : {}),
      },
      logprobs: hasLogprobs ? chatLogprobs(said) : null,
      finish_reason: finish,
    })),
    usage: usage.total(),
  };
}

function gather(called: ChatCompletionToolCall[], piece: Reply['calls'][number]): void {
  if (piece.kind === 'call') called.push({ id: piece.id, type: 'function', function: { name: piece.name, arguments: '' } });
  const call = called[piece.index];
  if (piece.kind === 'arguments' && call) call.function.arguments += piece.text;
}

/** What was cut off is that, whatever it has called. */
function finishOf(finish: FinishReason, replies: Replies): ChatFinishReason {
  return finish === 'stop' && replies.hasCalls ? 'tool_calls' : finish;
}

async function* chunksOf(
  head: Head, events: AsyncIterable<BatchEvent>, { n, includeUsage, hasLogprobs, calls }: Wanted & { includeUsage: boolean },
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const usage = new UsageCount(n);
  const choices = Array.from({ length: n }, () => ({ replies: new Replies(calls), waiting: new WaitingTokens(), said: [] as SampledLogprob[] }));
  const chunk = (index: number, delta: ChatCompletionChunkChoice['delta'], finish: ChatFinishReason | null = null, said?: SampledLogprob[]): ChatCompletionChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index, delta, logprobs: hasLogprobs && said ? chatLogprobs(said) : null, finish_reason: finish }],
    ...(includeUsage ? { usage: null } : {}),
  });
  for (const index of choices.keys()) yield chunk(index, { role: 'assistant', content: '' });
  for await (const { index, text, tokens, finish } of piecesOf(events, n, usage)) {
    const choice = choices[index];
    if (!choice) continue;
    const { replies, waiting } = choice;
    waiting.add(...tokens);
    for (const reply of replies.take(text, finish !== undefined)) {
      choice.said.push(...waiting.takeAnswer({ thoughts: reply.thoughts, answer: reply.written }));
      if (reply.thoughts !== '') yield chunk(index, { reasoning_content: reply.thoughts });
      for (const delta of deltasOf(reply)) {
        // Tokens of what had to wait come with the first of what follows.
        yield chunk(index, delta, null, choice.said);
        choice.said = [];
      }
    }
    if (finish) yield chunk(index, {}, finishOf(finish, replies), choice.said.length > 0 ? choice.said : undefined);
  }
  if (includeUsage) yield { ...head, object: 'chat.completion.chunk', choices: [], usage: usage.total() };
}

function deltasOf({ answer, calls }: Reply): ChatCompletionChunkChoice['delta'][] {
  const content = answer === '' ? [] : [{ content: answer }];
  return [...content, ...calls.flatMap((piece) => {
    const { index } = piece;
    if (piece.kind === 'call') return [{ tool_calls: [{ index, id: piece.id, type: 'function' as const, function: { name: piece.name, arguments: '' } }] }];
    return piece.kind === 'arguments' ? [{ tool_calls: [{ index, function: { arguments: piece.text } }] }] : [];
  })];
}
