/** `web-mamba/ai-sdk`: a model as a language model of the Vercel AI SDK (the package `ai` 7, whose specification is `LanguageModelV4`). */
import { failure, toFailure } from '../base/failure.ts';
import { newId } from '../base/new-id.ts';
import type { AnswerEvent } from '../protocol/protocol.ts';
import type { LoadedModel } from '../api/loaded-model.ts';
import { Answer } from './answer.ts';
import { identityOf } from './identity.ts';
import { messagesOf } from './prompt.ts';
import { settingsOf } from './settings.ts';
import { PROVIDER, type CallOptions, type GenerateResult, type Metadata, type StreamPart, type WebMambaLanguageModel, type Warning } from './types.ts';

export { webMambaEmbedding } from './embedding.ts';
export type * from './types.ts';

/** The model for `generateText`, `streamText` and the SDK’s other calls. */
export function webMamba(model: LoadedModel): WebMambaLanguageModel {
  return {
    ...identityOf(model),
    supportedUrls: {},
    async doGenerate(options) {
      const { events, warnings } = asked(model, options);
      return resultOf(events, warnings, metadata(model));
    },
    async doStream(options) {
      const { events, warnings } = asked(model, options);
      // What goes wrong before the first event rejects.
      const first = await events.next();
      const head: StreamPart[] = [{ type: 'stream-start', warnings }, { type: 'response-metadata', ...metadata(model) }];
      return { stream: streamOf(partsOf(head, begun(first, events), options)) };
    },
  };
}

type Events = AsyncGenerator<AnswerEvent, void, undefined>;

function asked(model: LoadedModel, options: CallOptions): { events: Events; warnings: Warning[] } {
  const { settings, warnings } = settingsOf(options, model.info);
  return { events: model.generate(messagesOf(options.prompt), { ...settings, signal: options.abortSignal }), warnings };
}

function metadata(model: LoadedModel): Metadata {
  return { id: `${PROVIDER}-${newId()}`, timestamp: new Date(), modelId: model.name };
}

async function resultOf(events: Events, warnings: Warning[], response: Metadata): Promise<GenerateResult> {
  const answer = new Answer();
  const content: GenerateResult['content'] = [];
  for await (const event of events) {
    if (event.type === 'end' && event.stop === 'cancelled') throw failure('cancelled');
    for (const { block, text } of answer.take(event)) {
      const last = content.at(-1);
      if (last?.type === block) last.text += text;
      else content.push({ type: block, text });
    }
  }
  const { finish, usage } = answer;
  if (!finish) throw failure('cancelled');
  return { content, finishReason: finish, usage, warnings, response };
}

async function* begun(first: IteratorResult<AnswerEvent, void>, events: Events): Events {
  try {
    if (first.done) return;
    yield first.value;
    yield* events;
  } finally {
    await events.return();
  }
}

/** Blocks follow each other: one ends before the next begins. What goes wrong on the way is a part, but for a signal, which ends the stream. */
async function* partsOf(head: readonly StreamPart[], events: Events, { abortSignal, includeRawChunks }: CallOptions): AsyncGenerator<StreamPart, void, undefined> {
  yield* head;
  const answer = new Answer();
  let open: { block: 'reasoning' | 'text'; id: string } | undefined;
  let blocks = 0;
  const closing = (): StreamPart[] => (open ? [{ type: `${open.block}-end`, id: open.id }] : []);
  try {
    for await (const event of events) {
      if (includeRawChunks) yield { type: 'raw', rawValue: event };
      if (event.type === 'end' && event.stop === 'cancelled') throw failure('cancelled');
      for (const { block, text } of answer.take(event)) {
        if (open?.block !== block) {
          yield* closing();
          open = { block, id: String(blocks) };
          blocks += 1;
          yield { type: `${block}-start`, id: open.id };
        }
        yield { type: `${block}-delta`, id: open.id, delta: text };
      }
    }
    if (!answer.finish) throw failure('cancelled');
    yield* closing();
    yield { type: 'finish', finishReason: answer.finish, usage: answer.usage };
  } catch (thrown) {
    abortSignal?.throwIfAborted();
    const error = toFailure(thrown);
    yield { type: 'error', error };
    yield { type: 'finish', finishReason: { unified: 'error', raw: error.code }, usage: answer.usage };
  } finally {
    await events.return();
  }
}

function streamOf(parts: AsyncGenerator<StreamPart, void, undefined>): ReadableStream<StreamPart> {
  return new ReadableStream<StreamPart>({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await parts.return();
    },
  });
}
