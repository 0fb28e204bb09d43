/** What is asked of a place that keeps models: records and the chunks that they speak of, changed together or not at all. */
import type { ModelRecord } from './model-record.ts';

export type ChunkKey = [url: string, part: number, index: number];

/** A Blob where the browser received one as a whole: it is written and sliced without a copy in the page. */
export type Chunk = Uint8Array | Blob;

export type Change =
  /** In place of the record with the same key, or beside the others. */
  | { put: 'record'; record: ModelRecord }
  | { put: 'chunk'; key: ChunkKey; chunk: Chunk }
  | { delete: 'record'; url: string }
  /** Every chunk of a model, or of one of its parts. */
  | { delete: 'chunks'; url: string; part?: number };

/** Values go in and come out as copies: what a caller does to a record later changes nothing that is kept. */
export interface ChunkStore {
  /** Every record, in any order. */
  records(): Promise<ModelRecord[]>;
  record(url: string): Promise<ModelRecord | undefined>;
  chunk(key: ChunkKey): Promise<Chunk | undefined>;
  /** Makes all of the changes, in their order, or, where it rejects, none. Without room it rejects with the failure `no-room-left`. */
  change(changes: readonly Change[]): Promise<void>;
  /** Puts what `edit` makes of a record in its place, with no other change in between. Does nothing where there is none. */
  edit(url: string, edit: (record: ModelRecord) => ModelRecord): Promise<void>;
}
