/** What the store knows of a model: its parts, which chunks of them are there, and how they are verified. Plain data. */

import type { RemoteSource } from './model-source.ts';

export const CHUNK_BYTES = 16 * 1024 * 1024;
/** Bytes of one SHA-256 digest. */
export const DIGEST_BYTES = 32;

/** Which version of a file a server speaks of: its ETag and Last-Modified, as far as the browser shows them. */
export interface Version {
  etag: string | null;
  modified: string | null;
}

/** One file of a model; a model that is not split has one. */
export interface PartRecord extends Version {
  name: string;
  url: string;
  /** Bytes; null until a server or a listing has said. */
  length: number | null;
  /** One bit per chunk that is stored, the first in the lowest bit of the first byte. */
  present: Uint8Array;
  /** SHA-256 of each chunk as it was stored, one after the other: what tells a damaged store from a sound one. */
  digests: Uint8Array;
  /** SHA-256 of each chunk as a manifest lists it, one after the other. */
  listedChunks: Uint8Array | null;
  /** SHA-256 of the file as the hub or a manifest lists it, in hexadecimal. */
  listedSha256: string | null;
  /** How far the file's own SHA-256 has come, so that a resumed download does not begin it again. */
  hash: { chunks: number; state: Uint8Array } | null;
  /** Whether the server answers ranges; null until asked. */
  ranges: boolean | null;
}

/** How the bytes of a complete model were checked. `received`: nobody lists a hash, so only later damage can be found. */
export type Verification = 'chunks' | 'sha256' | 'received';

export interface ModelRecord {
  /** Where it can be fetched again; null for files of this computer. */
  origin: RemoteSource | null;
  /** The address of the first part, or `file:…` for a local file: the key. */
  url: string;
  name: string;
  /** Bytes in every chunk but a part's last. */
  chunkBytes: number;
  /** Set in a transaction after the last chunk and its verification, and never before: only then does the model count. */
  complete: boolean;
  verification: Verification | null;
  parts: PartRecord[];
  /** Milliseconds since 1970. */
  times: { begun: number; stored: number | null; used: number };
  /** Files that are read in place and have no chunks here. */
  handles?: FileSystemFileHandle[];
}

/** What a source says of a part before its first byte. */
export interface PartPlan {
  name: string;
  url: string;
  length?: number;
  sha256?: string;
  chunks?: Uint8Array;
}

export function newPart(plan: PartPlan): PartRecord {
  return {
    name: plan.name,
    url: plan.url,
    length: plan.length ?? null,
    etag: null,
    modified: null,
    present: new Uint8Array(),
    digests: new Uint8Array(),
    listedChunks: plan.chunks ?? null,
    listedSha256: plan.sha256 ?? null,
    hash: null,
    ranges: null,
  };
}

export function newModel(
  url: string,
  name: string,
  origin: RemoteSource | null,
  parts: readonly PartPlan[],
  now: number,
  chunkBytes = CHUNK_BYTES,
): ModelRecord {
  return {
    url, name, origin, chunkBytes, complete: false, verification: null, parts: parts.map(newPart), times: { begun: now, stored: null, used: now },
  };
}

/** Chunks of a part whose length is known. */
export function chunkCount(part: PartRecord, chunkBytes: number): number {
  return Math.ceil((part.length ?? 0) / chunkBytes);
}

/** The bytes of chunk `index`, as an offset in the file and a length. */
export function chunkRange(part: PartRecord, index: number, chunkBytes: number): { start: number; length: number } {
  const start = index * chunkBytes;
  return { start, length: Math.min(chunkBytes, (part.length ?? Infinity) - start) };
}

export function hasChunk(part: PartRecord, index: number): boolean {
  return (((part.present[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

/** Notes that a chunk is stored, or with null that it is not. New arrays, so that a record that is being written stays as it was. */
export function markChunk(part: PartRecord, index: number, digest: Uint8Array | null): void {
  const present = grown(part.present, (index >> 3) + 1);
  const bit = 1 << (index & 7);
  present[index >> 3] = digest ? (present[index >> 3] ?? 0) | bit : (present[index >> 3] ?? 0) & ~bit;
  part.present = present;
  if (!digest) return;
  const digests = grown(part.digests, (index + 1) * DIGEST_BYTES);
  digests.set(digest, index * DIGEST_BYTES);
  part.digests = digests;
}

export function digestOf(digests: Uint8Array, index: number): Uint8Array {
  return digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
}

/** Chunks that are not stored yet, in order. Needs the part's length. */
export function missingChunks(part: PartRecord, chunkBytes: number): number[] {
  return Array.from({ length: chunkCount(part, chunkBytes) }, (_, index) => index).filter((index) => !hasChunk(part, index));
}

/** Bytes of a part that are stored. */
export function storedBytes(part: PartRecord, chunkBytes: number): number {
  let bytes = 0;
  for (let index = 0; index < part.present.length * 8; index += 1) {
    if (hasChunk(part, index)) bytes += chunkRange(part, index, chunkBytes).length;
  }
  return Number.isFinite(bytes) ? bytes : 0;
}

/** Bytes of all parts; parts that nobody has measured yet are taken to be as long as the first. 0 where none is known. */
export function modelBytes(model: ModelRecord): number {
  const guess = model.parts[0]?.length ?? 0;
  return model.parts.reduce((sum, part) => sum + (part.length ?? guess), 0);
}

export function modelStoredBytes(model: ModelRecord): number {
  if (model.handles) return modelBytes(model);
  return model.parts.reduce((sum, part) => sum + storedBytes(part, model.chunkBytes), 0);
}

function grown(bytes: Uint8Array, least: number): Uint8Array {
  const copy = new Uint8Array(Math.max(bytes.length, least));
  copy.set(bytes);
  return copy;
}
