/** What a caller names a model by, as a source that the store takes. */
import { MambaError, failure } from '../base/failure.ts';
import type { ByteSource } from '../base/wasm-engine.ts';
import { CHUNK_BYTES } from '../store/model-record.ts';
import { addressSource, isFileKey, type ModelSource } from '../store/model-source.ts';
import { sha256 } from '../store/sha256.ts';
import { checkedOptions, isWhole, names, text, wrongArgument } from './checks.ts';

/** A file, or the first part of a split set, in a repository of the Hugging Face hub. */
export interface HubFile {
  /** `OWNER/NAME`. */
  repo: string;
  file: string;
  /** A branch, a tag or a commit; `main` where it is absent. */
  revision?: string | null | undefined;
}

/**
 * An address (of a GGUF file, of a part of a split set, or of a manifest; one that is relative is so to the page's), the `id` of a model that
 * this browser keeps, a file of the hub, a file or all parts of a split set, or bytes that are read by a function.
 */
export type Source = string | URL | HubFile | Blob | readonly Blob[] | ByteSource | readonly ByteSource[];

export interface Reading {
  signal?: AbortSignal | undefined;
  /** Bytes of a source that has no file, and all of them. */
  onRead?: (done: number, total: number) => void;
}

const EXPECTED = 'an address, an id of a stored model, a file of the hub, a Blob, an array of files, or an object with length and read';
/** Where a page has no address, as in a test, only whole addresses lead anywhere. */
export const NO_PAGE = 'http://localhost/';

export async function modelSource(source: unknown, reading: Reading = {}): Promise<ModelSource> {
  if (typeof source === 'string' || source instanceof URL) return named(String(source));
  if (Array.isArray(source) && source.length > 0) return filesOf(source as unknown[], reading, (at) => `source[${at}]`);
  if (isHubFile(source)) return hubSource(source);
  if (source instanceof Blob || isByteSource(source)) return filesOf([source], reading, () => 'source');
  throw wrongArgument('source', source, EXPECTED);
}

function named(address: string): ModelSource {
  return isFileKey(address) ? { kind: 'stored', url: address } : addressSource(address, globalThis.location?.href ?? NO_PAGE);
}

function isHubFile(source: unknown): source is HubFile {
  return typeof source === 'object' && source !== null && 'repo' in source;
}

function hubSource(source: HubFile): ModelSource {
  const given = checkedOptions<HubFile>(source, names('repo', 'file', 'revision'), { argument: 'source', within: 'source.', expected: EXPECTED });
  const nameOf = (argument: keyof HubFile, value: unknown, pattern: RegExp, expected: string): string => {
    if (typeof value !== 'string' || !pattern.test(value)) throw wrongArgument(`source.${argument}`, value, expected);
    return value;
  };
  const repo = nameOf('repo', given.repo, /^[\w.-]+\/[\w.-]+$/, 'a name such as OWNER/NAME');
  const file = nameOf('file', given.file, /^[^/].*\.gguf$/i, 'the name of a file that ends in .gguf');
  const revision = nameOf('revision', given.revision ?? 'main', /./, 'a branch, a tag or a commit');
  // As by its address, a part of a split set stands for all of them.
  return addressSource(`https://huggingface.co/${repo}/resolve/${encodeURIComponent(revision)}/${file.split('/').map(encodeURIComponent).join('/')}`, NO_PAGE);
}

async function filesOf(given: readonly unknown[], reading: Reading, argument: (at: number) => string): Promise<ModelSource> {
  for (const [at, each] of given.entries()) checkFile(argument(at), each);
  const files: File[] = [];
  for (const each of given as (Blob | ByteSource)[]) files.push(await fileOf(each, reading));
  return { kind: 'files', files };
}

function checkFile(argument: string, given: unknown): void {
  if (given instanceof Blob) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw wrongArgument(argument, given, EXPECTED);
  const { length, read, name } = given as Partial<ByteSource>;
  if (!isWhole(length, 0, Number.MAX_SAFE_INTEGER)) throw wrongArgument(`${argument}.length`, length, 'a whole number of bytes');
  if (typeof read !== 'function') throw wrongArgument(`${argument}.read`, read, 'a function');
  if (name !== undefined && name !== null && typeof name !== 'string') throw wrongArgument(`${argument}.name`, name, text.expected);
}

function isByteSource(source: unknown): source is ByteSource {
  return typeof source === 'object' && source !== null && ('read' in source || 'length' in source) && !Array.isArray(source);
}

/**
 * The store knows a file by its name, size and date. What has no date gets a number of its content in that place, so that the same bytes are
 * stored once, and others under the same name are another model.
 */
async function fileOf(given: Blob | ByteSource, reading: Reading): Promise<File> {
  if (given instanceof File) return given;
  const { blob, digest } = await contentOf(given instanceof Blob ? sourceOf(given) : given, reading);
  const name = 'name' in given && given.name ? given.name.replace(/[:/\\]/g, '_') : 'model.gguf';
  const lastModified = Number.parseInt([...digest.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(''), 16);
  return new File([blob], name, { lastModified });
}

function sourceOf(blob: Blob): ByteSource {
  return { name: 'a Blob', length: blob.size, read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()) };
}

/** Reads a source once: in pieces that the browser may keep out of memory, with a hash of their hashes. */
async function contentOf(source: ByteSource, { signal, onRead }: Reading): Promise<{ blob: Blob; digest: Uint8Array }> {
  const pieces: Blob[] = [];
  const digests: Uint8Array[] = [];
  for (let done = 0; done < source.length; done += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const bytes = await bytesOf(source, done, Math.min(CHUNK_BYTES, source.length - done));
    digests.push(await sha256(bytes));
    pieces.push(new Blob([bytes]));
    onRead?.(done + bytes.length, source.length);
  }
  signal?.throwIfAborted();
  return { blob: new Blob(pieces), digest: await sha256(new Uint8Array(await new Blob(digests as Uint8Array<ArrayBuffer>[]).arrayBuffer())) };
}

async function bytesOf(source: ByteSource, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const place = `bytes ${offset} to ${offset + length} of ${source.name ?? 'the source'}`;
  let bytes: unknown;
  try {
    bytes = await source.read(offset, length);
  } catch (thrown) {
    throw thrown instanceof MambaError ? thrown : failure('read', {}, `${place}: ${String(thrown)}`);
  }
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) {
    throw failure('read', {}, `${place}: read gave ${bytes instanceof Uint8Array ? `${bytes.length} bytes` : 'no Uint8Array'}`);
  }
  return bytes as Uint8Array<ArrayBuffer>;
}
