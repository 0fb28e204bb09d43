/** The files that the service worker keeps of this page. Caches are the origin's: those of other paths are their own. */
export function pageCache(): string {
  return `web-mamba-page ${new URL('.', document.baseURI).pathname}`;
}

/** Their sizes. */
export async function pageFiles(): Promise<number[]> {
  // Where a page may have no caches, nothing is kept.
  if (typeof caches === 'undefined') return [];
  const name = pageCache();
  if (!(await caches.has(name))) return [];
  const cache = await caches.open(name);
  const sizes: number[] = [];
  for (const request of await cache.keys()) sizes.push((await (await cache.match(request))?.blob())?.size ?? 0);
  return sizes;
}
