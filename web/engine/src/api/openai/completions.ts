/** `model.completions`: continuations of texts, in OpenAI's shapes. */
import type { BatchEvent } from '../../protocol/protocol.ts';
import { checkedCall, type CallOptions } from '../options.ts';
import { headOf, piecesOf, repeated, UsageCount, type Answering } from './choices.ts';
import { begun } from './chunk-stream.ts';
import { checkedCompletion } from './completion-body.ts';
import { TextLogprobs } from './logprobs.ts';
import type { ChunkStream, Completion, CompletionBody, CompletionChunk, CompletionLogprobs, FinishReason, NotStreaming, Streaming } from './types.ts';

type Head = ReturnType<typeof headOf>;

/** How many choices there are, how many of them a prompt has, and whether they have log-probabilities. */
interface Size {
  count: number;
  n: number;
  hasLogprobs: boolean;
}

/** `completions` of OpenAI’s interface. */
export class Completions {
  readonly #model: Answering;

  constructor(model: Answering) {
    this.#model = model;
  }

  /** Continues texts or tokens, as they are: thoughts and chat templates are none of its business. Else as `model.chat.completions.create`. */
  create(body: CompletionBody & Streaming, options?: CallOptions | null): Promise<ChunkStream<CompletionChunk>>;
  create(body: CompletionBody & NotStreaming, options?: CallOptions | null): Promise<Completion>;
  create(body: CompletionBody, options?: CallOptions | null): Promise<Completion | ChunkStream<CompletionChunk>>;
  async create(body: CompletionBody, options?: CallOptions | null): Promise<Completion | ChunkStream<CompletionChunk>> {
    const { prompts, n, stream, includeUsage, options: given } = checkedCompletion(body);
    const { signal } = checkedCall(options);
    const head = headOf('cmpl', this.#model);
    const all = repeated(prompts, n);
    const events = this.#model.answers(all, given, signal);
    const size = { count: all.length, n, hasLogprobs: given.logprobs !== undefined };
    return stream ? begun(events, (whole) => chunksOf(head, whole, size, includeUsage)) : completionOf(head, events, size);
  }
}

async function completionOf(head: Head, events: AsyncIterable<BatchEvent>, { count, n, hasLogprobs }: Size): Promise<Completion> {
  const usage = new UsageCount(n);
  const shapes = Array.from({ length: count }, () => new TextLogprobs());
  const choices = shapes.map((shape, index) => ({
    index, text: '', logprobs: hasLogprobs ? shape.of([]) : (null as CompletionLogprobs | null), finish_reason: 'stop' as FinishReason,
  }));
  for await (const { index, text, tokens, finish } of piecesOf(events, count, usage)) {
    const choice = choices[index];
    if (!choice) continue;
    choice.text += text;
    if (choice.logprobs) append(choice.logprobs, shapes[index]?.of(tokens));
    if (finish) choice.finish_reason = finish;
  }
  return { ...head, object: 'text_completion', choices, usage: usage.total() };
}

function append(all: CompletionLogprobs, more: CompletionLogprobs | undefined): void {
  all.tokens.push(...(more?.tokens ?? []));
  all.token_logprobs.push(...(more?.token_logprobs ?? []));
  all.top_logprobs.push(...(more?.top_logprobs ?? []));
  all.text_offset.push(...(more?.text_offset ?? []));
}

async function* chunksOf(
  head: Head, events: AsyncIterable<BatchEvent>, { count, n, hasLogprobs }: Size, includeUsage: boolean,
): AsyncGenerator<CompletionChunk, void, undefined> {
  const usage = new UsageCount(n);
  const shapes = Array.from({ length: count }, () => new TextLogprobs());
  for await (const { index, text, tokens, finish = null } of piecesOf(events, count, usage)) {
    yield {
      ...head,
      object: 'text_completion',
      choices: [{ index, text, logprobs: (hasLogprobs && shapes[index]?.of(tokens)) || null, finish_reason: finish }],
      ...(includeUsage ? { usage: null } : {}),
    };
  }
  if (includeUsage) yield { ...head, object: 'text_completion', choices: [], usage: usage.total() };
}
