/** A stream of chunks that has begun. */
import type { ChunkStream } from './types.ts';

/**
 * Waits for the first event, so that what cannot be begun rejects, and is no stream. From then on `events` run whether chunks are asked for or
 * not; `return` ends them, also before the first chunk was asked for.
 */
export async function begun<Event, Chunk>(
  events: AsyncGenerator<Event, void, undefined>, chunksOf: (events: AsyncIterable<Event>) => AsyncGenerator<Chunk, void, undefined>,
): Promise<ChunkStream<Chunk>> {
  const first = await events.next();
  const chunks = chunksOf(whole(first, events));
  const stream: ChunkStream<Chunk> = {
    next: () => chunks.next(),
    async return() {
      await Promise.all([chunks.return(), events.return()]);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

async function* whole<Event>(first: IteratorResult<Event, void>, rest: AsyncIterable<Event>): AsyncGenerator<Event, void, undefined> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
