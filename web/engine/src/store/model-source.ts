/** Where a model comes from, and how its address names its parts. */
import { addressText } from '../base/address-text.ts';
import { failure } from '../base/failure.ts';

/** A source that a download can go back to. */
export type RemoteSource =
  /** Addresses of all parts; nobody lists their hashes. */
  | { kind: 'address'; name: string; urls: string[] }
  /** A file, or the first part of a split set, in a repository of the Hugging Face hub, which lists sizes and hashes. */
  | { kind: 'hub'; repo: string; revision: string; file: string }
  /** A list of parts and chunk hashes made by `scripts/make-manifest`. */
  | { kind: 'manifest'; url: string };

/** What the store takes a model from. */
export type ModelSource =
  | RemoteSource
  /** Files of this computer; with handles they are read where they are, and nothing is copied. */
  | { kind: 'files'; files: File[]; handles?: FileSystemFileHandle[] }
  /** Something that the store has, as a whole or in part. */
  | { kind: 'stored'; url: string };

const SPLIT = /-(\d{5})-of-(\d{5})(?=\.gguf$)/i;
/** This machine, by the names that the page's policy can say. */
const LOOPBACK = /^(localhost|127\.0\.0\.1)$/;
/** No published model has more; a larger number is a typing mistake. */
export const MAX_PARTS = 999;
const HUB = 'https://huggingface.co';
const MANIFEST = /\.manifest\.json$/i;
/** Controls, and the marks, embeddings and isolates of writing directions. */
const TURNING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The last path segment, decoded. */
export function fileName(url: string): string {
  const segment = new URL(url).pathname.split('/').pop() ?? '';
  return decoded(segment) || url;
}

function decodes(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined;
  } catch {
    return false;
  }
}

/** Without percent signs, and without the marks that would turn the words around it; as it is where it cannot be decoded. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment).replace(TURNING, '_');
  } catch {
    return segment;
  }
}

/** A file name that every system takes; names of parts come from addresses and lists of other people. */
export function safeName(name: string): string {
  const plain = name.replace(/[\u0000-\u001f\u007f"*/:<>?\\|]/g, '_').replace(/^[.~\s]+|[.\s]+$/g, '').slice(-120);
  return plain === '' ? 'model.gguf' : plain;
}

/** A file's name without the extension and the part number. */
export function modelName(name: string): string {
  return name.replace(SPLIT, '').replace(/\.gguf$/i, '').replace(MANIFEST, '');
}

/**
 * A typed or linked address. Anything but https, and http of this machine or this server, is refused, and so is one with a user's name
 * or password, which no request may carry.
 */
export function fileAddress(typed: string, base: string): URL {
  const text = typed.trim();
  const url = URL.canParse(text, base) && text !== '' ? new URL(text, base) : undefined;
  const allowed =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && (LOOPBACK.test(url.hostname) || url.origin === new URL(base).origin));
  if (!url || !allowed || url.username !== '' || url.password !== '') throw failure('address', { url: addressText(text) });
  url.hash = '';
  return url;
}

/** What lies at a typed or linked address. */
export function addressSource(typed: string, base: string): RemoteSource {
  const url = fileAddress(typed, base);
  const hub = hubSource(url);
  if (hub) return hub;
  if (MANIFEST.test(url.pathname)) return { kind: 'manifest', url: url.href };
  const urls = partUrls(url);
  return { kind: 'address', name: modelName(fileName(urls[0] ?? url.href)), urls };
}

/** The key of a source in the store. */
export function sourceKey(source: ModelSource): string {
  switch (source.kind) {
    case 'address':
      return source.urls[0] ?? '';
    case 'hub':
      return hubUrl(source.repo, source.revision, source.file);
    case 'manifest':
    case 'stored':
      return source.url;
    case 'files':
      return fileKey(fileParts(source.files)[0] as File);
  }
}

/** The name within a key of the store. */
export function storedName(key: string): string {
  if (URL.canParse(key) && !key.startsWith('file:')) return modelName(fileName(key));
  try {
    return modelName(decodeURIComponent(key.split(':')[1] ?? key));
  } catch {
    return key;
  }
}

/** The name that a source gives its model, before its file is read. */
export function sourceName(source: ModelSource): string {
  switch (source.kind) {
    case 'address':
      return source.name;
    case 'hub':
      return modelName(source.file.split('/').pop() ?? source.file);
    case 'files':
      return modelName(source.files[0]?.name ?? '');
    case 'manifest':
      return modelName(fileName(source.url));
    case 'stored':
      return source.url;
  }
}

/** The address of a file in a hub repository. */
export function hubUrl(repo: string, revision: string, file: string, base = HUB): string {
  return `${base}/${repo}/resolve/${encodeURIComponent(revision)}/${file.split('/').map(encodeURIComponent).join('/')}`;
}

/** `https://huggingface.co/OWNER/NAME/resolve/REVISION/FILE`, or the page about it, where `resolve` is `blob`. */
function hubSource(url: URL): RemoteSource | undefined {
  if (url.origin !== HUB) return undefined;
  const [, repo, revision, file] = /^\/([^/]+\/[^/]+)\/(?:resolve|blob)\/([^/]+)\/(.+\.gguf)$/i.exec(url.pathname) ?? [];
  // What does not decode is no name that the hub could list.
  if (!repo || !revision || !file || !decodes(url.pathname)) return undefined;
  const first = partNames(decodeURIComponent(file))[0] as string;
  return { kind: 'hub', repo, revision: decodeURIComponent(revision), file: first };
}

/** The names of every part: of `…-00002-of-00003.gguf` all three. */
export function partNames(name: string): string[] {
  const count = Number(SPLIT.exec(name)?.[2] ?? 0);
  if (count < 1 || count > MAX_PARTS) return [name];
  return Array.from({ length: count }, (_, part) =>
    name.replace(SPLIT, `-${String(part + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}`));
}

export function partUrls(url: URL): string[] {
  return partNames(url.pathname).map((pathname) => {
    const copy = new URL(url);
    copy.pathname = pathname;
    return copy.href;
  });
}

/** The key of a local file in the store: no path is known, so name, size and date stand for it. */
export function fileKey(file: File): string {
  return `file:${encodeURIComponent(file.name)}:${file.size}:${file.lastModified}`;
}

/** Whether it is a key that `fileKey` makes, and no `file:` address. */
export function isFileKey(text: string): boolean {
  return /^file:[^:/\\]+:\d+:\d+$/.test(text);
}

/** Local files in the order of their parts; one file that is no part, or every part of one set. */
export function fileParts(files: readonly File[]): File[] {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = sorted.map((file) => file.name);
  const count = Number(SPLIT.exec(names[0] ?? '')?.[2] ?? 1);
  const set = new Set(names.map((name) => name.replace(SPLIT, '')));
  if (sorted.length !== count || set.size !== 1) throw failure('split', {}, `${names.join(', ')}: ${sorted.length} of ${count} parts`);
  return sorted;
}
