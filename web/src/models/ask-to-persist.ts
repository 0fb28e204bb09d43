/** Asks that the browser does not clear the store by itself. It may say no; nothing depends on it. */
export async function askToPersist(): Promise<void> {
  await navigator.storage?.persist?.().catch(() => false);
}
