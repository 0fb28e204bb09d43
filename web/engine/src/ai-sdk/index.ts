/** `web-mamba/ai-sdk`: a model as a language model of the Vercel AI SDK (the package `ai` 7, whose specification is `LanguageModelV4`). */
import { failure, toFailure } from '../base/failure.ts';
import { newId } from '../base/new-id.ts';
import type { AnswerEvent } from '../protocol/protocol.ts';
import type { LoadedModel } from '../api/loaded-model.ts';
import type { ReaderOptions } from '../api/openai/call-reader.ts';
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
      const { events, calls, warnings } = asked(model, options);
      return resultOf(events, new Answer(calls), warnings, metadata(model));
    },
    async doStream(options) {
      const { events, calls, warnings } = asked(model, options);
      // What goes wrong before the first event rejects.
      const first = await events.next();
      const head: StreamPart[] = [{ type: 'stream-start', warnings }, { type: 'response-metadata', ...metadata(model) }];
      return { stream: streamOf(partsOf(head, begun(first, events), new Answer(calls), options)) };
    },
  };
}

type Events = AsyncGenerator<AnswerEvent, void, undefined>;

function asked(model: LoadedModel, options: CallOptions): { events: Events; calls: ReaderOptions | undefined; warnings: Warning[] } {
  const { settings, calls, warnings } = settingsOf(options, model.info);
  return { events: model.generate(messagesOf(options.prompt), { ...settings, signal: options.abortSignal }), calls, warnings };
}

function metadata(model: LoadedModel): Metadata {
  return { id: `${PROVIDER}-${newId()}`, timestamp: new Date(), modelId: model.name };
}

async function resultOf(events: Events, answer: Answer, warnings: Warning[], response: Metadata): Promise<GenerateResult> {
  const content: GenerateResult['content'] = [];
  for await (const event of events) {
    if (event.type === 'end' && event.stop === 'cancelled') throw failure('cancelled');
    for (const piece of answer.take(event)) {
      const last = content.at(-1);
      if (piece.block === 'called') content.push(piece.call);
      if (piece.block !== 'text' && piece.block !== 'reasoning') continue;
      if (last?.type === piece.block) last.text += piece.text;
      else content.push({ type: piece.block, text: piece.text });
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
async function* partsOf(head: readonly StreamPart[], events: Events, answer: Answer, { abortSignal, includeRawChunks }: CallOptions): AsyncGenerator<StreamPart, void, undefined> {
  yield* head;
  let open: { block: 'reasoning' | 'text' | 'tool-input'; id: string } | undefined;
  let blocks = 0;
  const closing = (): StreamPart[] => (open ? [{ type: `${open.block}-end`, id: open.id }] : []);
  try {
    for await (const event of events) {
      if (includeRawChunks) yield { type: 'raw', rawValue: event };
      if (event.type === 'end' && event.stop === 'cancelled') throw failure('cancelled');
      for (const piece of answer.take(event)) {
        switch (piece.block) {
          case 'call':
            yield* closing();
            open = { block: 'tool-input', id: piece.id };
            yield { type: 'tool-input-start', id: piece.id, toolName: piece.toolName };
            break;
          case 'input':
            yield { type: 'tool-input-delta', id: piece.id, delta: piece.text };
            break;
          case 'called':
            yield* closing();
            open = undefined;
            yield piece.call;
            break;
          default:
            if (open?.block !== piece.block) {
              yield* closing();
              open = { block: piece.block, id: String(blocks) };
              blocks += 1;
              yield { type: `${piece.block}-start`, id: open.id };
            }
            yield { type: `${piece.block}-delta`, id: open.id, delta: piece.text };
        }
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
