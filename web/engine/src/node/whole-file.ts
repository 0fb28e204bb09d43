/** Files that are written as a whole or not at all. */
import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { failure } from '../base/failure.ts';

/** Takes the place of the file as a whole: until then the bytes are in one whose name is longer. */
export async function replaceFile(file: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
  const fresh = `${file}.${randomUUID()}`;
  try {
    await writeFile(fresh, bytes, { flush: true });
    await rename(fresh, file);
  } catch (thrown) {
    await rm(fresh, { force: true });
    throw thrown;
  }
}

/** What a write failed with: a full disk as the failure that says so. */
export function writeFailure(thrown: unknown): unknown {
  return (thrown as NodeJS.ErrnoException).code === 'ENOSPC' ? failure('no-room-left', { missing: '' }, String(thrown)) : thrown;
}

/** `value` where there is no such file. */
export function ifMissing<T>(value: T): (thrown: NodeJS.ErrnoException) => T {
  return (thrown) => {
    if (thrown.code !== 'ENOENT') throw thrown;
    return value;
  };
}
