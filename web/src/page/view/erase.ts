/** Deletes what the page keeps: its databases, its files for times without a network, copies of exports, what was agreed to in this tab. */
import { pageCache } from '../../base/view/page-files';

const DATABASES = ['web-mamba', 'web-mamba-app'];
const COPIES = 'web-mamba exports';
/** A tab that does not give its connection up. */
const MOST_MILLISECONDS = 10_000;

/** Whether all is gone; what another tab holds goes when that is closed. */
export async function erase(): Promise<boolean> {
  const outcomes = await Promise.allSettled([...DATABASES.map(deleteDatabase), deleteFiles(), deleteCopies(), leaveWorker()]);
  sessionStorage.clear();
  return outcomes.every(({ status }) => status === 'fulfilled');
}

function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error ?? new Error(name));
    setTimeout(() => reject(new Error(`${name} is held by another tab`)), MOST_MILLISECONDS);
  });
}

async function deleteFiles(): Promise<void> {
  if (typeof caches !== 'undefined') await caches.delete(pageCache());
}

async function deleteCopies(): Promise<void> {
  const folder = await navigator.storage?.getDirectory?.().catch(() => undefined);
  await folder?.removeEntry(COPIES, { recursive: true }).catch(() => undefined);
}

async function leaveWorker(): Promise<void> {
  const scope = new URL('.', document.baseURI).href;
  const registrations = (await navigator.serviceWorker?.getRegistrations()) ?? [];
  await Promise.all(registrations.filter((each) => each.scope === scope).map((each) => each.unregister()));
}
