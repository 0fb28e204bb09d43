/** State files as they travel: compressed, and unpacked again with a limit. */
import { failure } from '../base/failure.ts';

/** Compressed, the numbers of a state take about a twentieth less (tests/record/), and the text beside them much less. */
export async function pack(bytes: Uint8Array): Promise<Blob> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Response(stream).blob();
}

/** The bytes of a state file, compressed or not. A small file that would unpack into more than `limit` bytes is refused. */
export async function unpack(file: Blob, limit: number): Promise<Uint8Array> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) {
    if (file.size > limit) throw failure('state-damaged', {}, `${file.size} bytes`);
    return new Uint8Array(await file.arrayBuffer());
  }
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = file.stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      if (bytes > limit) throw new RangeError(`it unpacks into more than ${limit} bytes`);
      pieces.push(value);
    }
  } catch (thrown) {
    await reader.cancel().catch(() => undefined);
    throw failure('state-damaged', {}, String(thrown));
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** Fetches a state file of at most `limit` bytes. `signal` ends it with its reason. */
export async function fetchState(url: string, limit: number, signal?: AbortSignal): Promise<Blob> {
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, { referrerPolicy: 'no-referrer', signal: signal ?? null });
  } catch (cause) {
    signal?.throwIfAborted();
    throw failure('network', { host }, String(cause));
  }
  if (!response.ok) throw failure('http-status', { url, status: response.status });
  if (Number(response.headers.get('content-length') ?? 0) > limit) throw failure('state-damaged', {}, url);
  return response.blob().catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw failure('network', { host }, String(cause));
  });
}
