/** Opens a file of this computer. */
import type { Incoming } from './incoming';

/** The key of a local file in the store: no path is known, so name, size and date stand for it. */
export function fileKey(file: File): string {
  return `file:${encodeURIComponent(file.name)}:${file.size}:${file.lastModified}`;
}

export function openFile(file: File): Incoming {
  return { name: file.name, url: fileKey(file), etag: null, length: file.size, stream: file.stream() };
}
