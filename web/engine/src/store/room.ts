/** Whether this browser has room for a model. */
import { failure } from '../base/failure.ts';
import { formatBytes } from '../base/format.ts';
import type { Environment } from './environment.ts';

/** Throws `no-room` when the browser's own estimate says that `needed` more bytes do not fit. */
export async function checkRoom(env: Environment, needed: number): Promise<void> {
  const { quota, usage } = await env.estimate();
  if (quota === undefined || usage === undefined) return;
  const available = Math.max(0, quota - usage);
  if (needed <= available) return;
  throw failure('no-room', { needed: formatBytes(needed), available: formatBytes(available), missing: formatBytes(needed - available) });
}

/** What the browser grants this origin. */
export interface Room {
  /** Bytes that this page's models and all else of it take. */
  usage: number;
  /** Bytes that it may take more. */
  free: number;
  /** Whether the browser has promised not to clear them by itself. */
  persisted: boolean;
}

/** The room that is left; undefined where the browser does not tell. */
export async function roomLeft(): Promise<Room | undefined> {
  const { quota, usage } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
  if (quota === undefined || usage === undefined) return undefined;
  return { usage, free: Math.max(0, quota - usage), persisted: (await navigator.storage.persisted?.()) ?? false };
}
