/**
 * Where the scripts of the engine's workers lie, where no bundler has put them: a folder with the package's `dist/cdn`, and `pkg`,
 * `pkg-relaxed` and `pkg-grammar` two folders above it, as in the package itself.
 */
let folder: string | undefined;

/** The Blobs that stand for scripts of other origins, by address. */
const standIns = new Map<string, string>();

/**
 * Has every worker that is started from now on come from the package's own files at `address`, the folder `dist/cdn` of the package wherever
 * it is hosted: without it they are where the page's bundler has put them. `null` undoes it.
 */
export function setAssets(address: string | URL | null): void {
  if (address === null) {
    folder = undefined;
    return;
  }
  const { href } = new URL(address, globalThis.location?.href);
  folder = href.endsWith('/') ? href : `${href}/`;
}

/** The folder, as an address that ends in a slash; undefined where a bundler knows better. */
export function assets(): string | undefined {
  return folder;
}

/** The worker of a script in `from`. Browsers refuse scripts of other origins, but not a Blob that imports one. */
export function startHosted(script: string, from: string, name: string): Worker {
  const address = new URL(script, from).href;
  return new Worker(isForeign(address) ? standInOf(address) : address, { type: 'module', name });
}

export function isForeign(address: string): boolean {
  return new URL(address).origin !== globalThis.origin;
}

/** It is kept for as long as the page: a worker may read it only after it was made. */
function standInOf(address: string): string {
  let standIn = standIns.get(address);
  if (standIn === undefined) {
    standIn = URL.createObjectURL(new Blob([`import ${JSON.stringify(address)};`], { type: 'text/javascript' }));
    standIns.set(address, standIn);
  }
  return standIn;
}
