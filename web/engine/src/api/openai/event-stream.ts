/** Chunks as a response of server-sent events. */
import { toFailure } from '../../base/failure.ts';
import { errorObject } from './error-object.ts';
import type { ChunkStream } from './types.ts';

const HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' };

/** A chunk an event, and `[DONE]` after the last. Where it goes wrong on the way an error object is the last; a body that is cancelled ends the stream. */
export function eventStream(chunks: ChunkStream<object>, signal?: AbortSignal): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const send = (data: string) => controller.enqueue(encoder.encode(`data: ${data}\n\n`));
      try {
        const { done, value } = await chunks.next();
        if (!done) return send(JSON.stringify(value));
        send('[DONE]');
      } catch (thrown) {
        // As of `fetch`: what its caller ended has no last words.
        if (signal?.aborted) return controller.error(signal.reason);
        send(JSON.stringify(errorObject(toFailure(thrown)).body));
      }
      controller.close();
    },
    async cancel() {
      await chunks.return();
    },
  });
  return new Response(body, { headers: HEADERS });
}
