/** Whether this browser has room for a model. */
import { failure } from '../app/failure';
import { formatBytes } from '../ui/format';

/** Throws `no-room` when the browser's own estimate says that `needed` bytes do not fit. */
export async function checkRoom(needed: number): Promise<void> {
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  if (quota === undefined || usage === undefined) return;
  const available = Math.max(0, quota - usage);
  if (needed > available) throw failure('no-room', { needed: formatBytes(needed), available: formatBytes(available) });
}

/** Asks that the browser does not clear the store by itself. It may say no; nothing depends on it. */
export async function askToPersist(): Promise<void> {
  await navigator.storage?.persist?.().catch(() => false);
}
