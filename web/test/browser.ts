/** The few browser interfaces that the store uses and Node lacks, and files to fill it with. */
import 'fake-indexeddb/auto';
import { openDatabase } from '../src/weights/database';
import { ModelStore } from '../src/weights/model-store';

// Older Node has none; a browser without quota, persistence and locks is one that the page must live with anyway.
globalThis.navigator ??= {} as Navigator;

let databases = 0;

/** A store of its own for each test, and a count of everything in it, for "nothing is left behind". */
export async function emptyStore(): Promise<{ store: ModelStore; rows: () => Promise<number> }> {
  databases += 1;
  const database = await openDatabase(`test-${databases}`);
  const rows = async () => (await database.count('models')) + (await database.count('chunks'));
  return { store: new ModelStore(database), rows };
}

/** `length` bytes that begin as a GGUF file does. */
export function ggufBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
  bytes.set(new TextEncoder().encode('GGUF').subarray(0, length));
  return bytes;
}

/** The bytes as a stream of pieces of `size`. */
export function streamOf(bytes: Uint8Array, size = 7): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + size));
      offset += size;
    },
  });
}
