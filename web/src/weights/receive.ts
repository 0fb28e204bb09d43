/** Streams every part of a model into the store. Either the whole model is there afterwards, or nothing of it. */
import { failure, toFailure } from '../app/failure';
import { formatBytes } from '../ui/format';
import { ChunkWriter, CHUNK_BYTES } from './chunk-writer';
import type { ModelRecord, PartRecord } from './database';
import { checkMagic, MAGIC_BYTES } from './gguf-magic';
import type { Incoming, OpenPart } from './incoming';
import type { ModelStore } from './model-store';
import { checkRoom } from './room';

/** How many bytes arrive between two reports, so that a fast download does not flood the page with them. */
const REPORT_BYTES = 256 * 1024;

export interface Progress {
  /** Bytes. */
  done: number;
  /** Bytes, or 0 while unknown. */
  total: number;
}

export interface Arrival {
  /** Key of the model in the store. */
  url: string;
  name: string;
  parts: OpenPart[];
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
}

export async function receive(store: ModelStore, arrival: Arrival, chunkBytes = CHUNK_BYTES): Promise<ModelRecord> {
  try {
    return await receiveParts(store, arrival, chunkBytes);
  } catch (thrown) {
    await store.remove(arrival.url);
    throw toFailure(thrown);
  }
}

async function receiveParts(store: ModelStore, arrival: Arrival, chunkBytes: number): Promise<ModelRecord> {
  const { url, name, parts, onProgress, signal } = arrival;
  const records: PartRecord[] = [];
  let before = 0;
  for (const [part, open] of parts.entries()) {
    const incoming = await open(signal);
    const total = expectedTotal(before, incoming.length, parts.length - part);
    await checkRoom(total - before);
    const writer = new ChunkWriter(store, url, part, chunkBytes);
    const done = before;
    await pour(incoming, writer, signal, (received) => onProgress({ done: done + received, total: Math.max(total, done + received) }));
    records.push(writer.record({ name: incoming.name, url: incoming.url, etag: incoming.etag }));
    before += writer.length;
    if (records.length < parts.length) {
      await writer.finish();
    } else {
      const model = completeRecord(url, name, records);
      await writer.finish(model);
      return model;
    }
  }
  throw failure('split', {}, 'no parts');
}

/** One file from its stream into chunks; the first bytes are checked before any is stored. */
async function pour(incoming: Incoming, writer: ChunkWriter, signal: AbortSignal, onReceived: (bytes: number) => void): Promise<void> {
  const reader = incoming.stream.getReader();
  const head = new Uint8Array(MAGIC_BYTES);
  let reported = -REPORT_BYTES;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read().catch((cause: unknown) => {
        signal.throwIfAborted();
        throw failure('interrupted', { name: incoming.name, received: formatBytes(writer.length) }, String(cause));
      });
      if (done) break;
      if (writer.length < MAGIC_BYTES) {
        head.set(value.subarray(0, MAGIC_BYTES - writer.length), writer.length);
        checkMagic(head.subarray(0, writer.length + value.length));
      }
      await writer.write(value);
      if (writer.length - reported >= REPORT_BYTES) onReceived((reported = writer.length));
    }
    onReceived(writer.length);
  } catch (thrown) {
    // Never awaited: a connection that hangs may also hang in its cancellation.
    void reader.cancel().catch(() => undefined);
    throw thrown;
  }
  if (writer.length < MAGIC_BYTES) throw failure('not-gguf', {}, `${incoming.name} has ${writer.length} bytes`);
  // More than announced is no error: a compressed transfer announces its compressed length.
  if (incoming.length !== null && writer.length < incoming.length) {
    throw failure('short-file', { name: incoming.name, received: formatBytes(writer.length), expected: formatBytes(incoming.length) });
  }
}

/** Bytes of the whole model; parts not opened yet are taken to be as long as this one. 0 where nothing is announced. */
function expectedTotal(before: number, length: number | null, partsLeft: number): number {
  return length === null ? 0 : before + length * partsLeft;
}

function completeRecord(url: string, name: string, parts: PartRecord[]): ModelRecord {
  const now = Date.now();
  return {
    url,
    name,
    length: parts.reduce((sum, part) => sum + part.length, 0),
    etag: parts[0]?.etag ?? null,
    chunkCount: parts.reduce((sum, part) => sum + part.chunkCount, 0),
    complete: true,
    parts,
    times: { stored: now, used: now },
  };
}
