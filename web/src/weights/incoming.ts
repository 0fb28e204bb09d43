/** A file on its way into the store, wherever it comes from. */
export interface Incoming {
  name: string;
  url: string;
  etag: string | null;
  /** Bytes as announced, or null where nobody said. */
  length: number | null;
  stream: ReadableStream<Uint8Array>;
}

/** Opens the parts of a model one after the other, so that only one connection is open. */
export type OpenPart = (signal: AbortSignal) => Promise<Incoming>;
