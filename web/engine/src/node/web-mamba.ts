/** The package in Node: the same calls, in threads, with models in a folder. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { webMamba as callsOf, type WebMambaCalls } from '../api/web-mamba.ts';
import { checkedOptions, flag, wrongOption } from '../api/checks.ts';
import { ThreadWorker } from './thread-worker.ts';

export * from '../index.ts';

/** Where the package keeps models in Node, and what it runs them on. */
export interface NodeOptions {
  /** The folder in which models are kept, and in its `states` what they have read, which is made where it is missing. Processes may share it. */
  folder: string | URL;
  /** Whether models may run on a GPU, through the npm package `webgpu`, which the program installs itself; false by default. */
  webgpu?: boolean | null | undefined;
}

const isFolder = { fits: (value: unknown) => (typeof value === 'string' && value !== '') || (value instanceof URL && value.protocol === 'file:'), expected: 'a path or a file: address' };

/**
 * `WebMamba` with a folder in place of IndexedDB: the calls are those of a page. What was read of a conversation is kept in it too, within
 * 512 MiB, so that a later process goes on from there.
 *
 * @throws {MambaError} `invalid-option` where an option is missing, unknown or wrong.
 */
export function webMamba(options: NodeOptions): WebMambaCalls {
  const { folder, webgpu = false } = checkedOptions<{ folder: string | URL; webgpu: boolean }>(options, { folder: isFolder, webgpu: flag });
  if (folder === undefined) throw wrongOption('folder', folder, isFolder.expected);
  const place = path.resolve(folder instanceof URL ? fileURLToPath(folder) : folder);
  return callsOf({ start: () => new ThreadWorker('./worker.js', { name: 'engine', folder: place, webgpu }), hasGpu: async () => webgpu });
}
