/** Where a model comes from, and how its address names its parts. */
import { failure } from '../app/failure';

export type ModelSource =
  | { kind: 'address'; name: string; urls: string[] }
  | { kind: 'files'; files: File[] }
  | { kind: 'stored'; url: string };

const SPLIT = /-(\d{5})-of-(\d{5})(?=\.gguf$)/i;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
/** No published model has more; a larger number is a typing mistake. */
const MAX_PARTS = 999;

/** The last path segment, decoded. */
export function fileName(url: string): string {
  const segment = new URL(url).pathname.split('/').pop() ?? '';
  try {
    return decodeURIComponent(segment) || url;
  } catch {
    return segment;
  }
}

/** A file's name without the extension and the part number. */
export function modelName(name: string): string {
  return name.replace(SPLIT, '').replace(/\.gguf$/i, '');
}

/** A typed or linked address as a source. Anything but https, and http of this machine or this server, is refused. */
export function addressSource(typed: string, base: string): ModelSource {
  const text = typed.trim();
  const url = URL.canParse(text, base) && text !== '' ? new URL(text, base) : undefined;
  const allowed =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && (LOOPBACK.test(url.hostname) || url.origin === new URL(base).origin));
  if (!url || !allowed) throw failure('address', { url: text });
  url.hash = '';
  const urls = partUrls(url);
  return { kind: 'address', name: modelName(fileName(urls[0] ?? url.href)), urls };
}

/** The addresses of every part: of `…-00002-of-00003.gguf` all three. */
export function partUrls(url: URL): string[] {
  const count = Number(SPLIT.exec(url.pathname)?.[2] ?? 0);
  if (count < 1 || count > MAX_PARTS) return [url.href];
  return Array.from({ length: count }, (_, part) => {
    const copy = new URL(url);
    copy.pathname = url.pathname.replace(SPLIT, `-${String(part + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}`);
    return copy.href;
  });
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
