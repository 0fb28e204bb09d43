/**
 * Holds what comes after it in a worker to a size of its buffers, however a stream is packed: a PDF of a megabyte may unpack to gigabytes. pdf.js
 * has no such limit; all its filters write to a `Uint8Array`, or are the browser's own. What is beyond is reported to the worker's owner.
 */

/** The report to the worker's owner. */
export interface UnpackedTooMuch {
  unpackedTooMuch: number;
}

/** Larger than any page's text and drawing. */
const MOST_BYTES = 200e6;

function tooMuch(): never {
  self.postMessage({ unpackedTooMuch: MOST_BYTES } satisfies UnpackedTooMuch);
  throw new RangeError(`a stream of more than ${MOST_BYTES} bytes`);
}

const Bytes = globalThis.Uint8Array;
const LimitedBytes: typeof Uint8Array = new Proxy(Bytes, {
  construct(target, parameters: [unknown], newTarget) {
    if (typeof parameters[0] === 'number' && parameters[0] > MOST_BYTES) tooMuch();
    return Reflect.construct(target, parameters, newTarget === LimitedBytes ? target : newTarget) as Uint8Array;
  },
});
globalThis.Uint8Array = LimitedBytes;

const Decompression = globalThis.DecompressionStream;
globalThis.DecompressionStream = class {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;

  constructor(format: CompressionFormat) {
    const { readable, writable } = new Decompression(format);
    let left = MOST_BYTES;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        left -= chunk.byteLength;
        if (left < 0) tooMuch();
        controller.enqueue(chunk);
      },
    });
    [this.readable, this.writable] = [readable.pipeThrough(counted), writable];
  }
};
