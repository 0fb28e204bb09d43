/**
 * Serves the page from a cache, so that it opens without a network, and adds the headers that make it cross-origin isolated
 * where the host cannot. Every version has its list of files with hashes: a new one is fetched whole beside the old one, takes
 * over what did not change, and waits until the visitor asks for it. Models never pass through here into a cache.
 */

interface Lifetime extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Lifetime {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Worker {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Lifetime) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

/** The build puts each file of the page there, with the hash of its content. */
declare const __FILES_OF_THIS_VERSION__: Readonly<Record<string, string>>;

const worker = self as unknown as Worker;
const files = __FILES_OF_THIS_VERSION__;

/** Files by name and hash; shared by all versions, so that one which did not change is fetched once. */
const CACHE = 'web-mamba-page';
/** Fetched when they were first needed. */
const LATER = /\/cmaps\/[^/]+$/;
const LATER_CACHE = 'web-mamba-later';
/** The policy of the page's own `meta` does not reach its workers: they go by their own headers. */
const WORKER_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' https: http://localhost:* http://127.0.0.1:*";

const scope = new URL(worker.registration.scope);

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  // Ranges are parts of models.
  if (request.method !== 'GET' || url.origin !== scope.origin || request.headers.has('range')) return;
  const name = nameOf(url);
  if (name in files) event.respondWith(own(name, request));
  else if (LATER.test(url.pathname)) event.respondWith(later(request));
  else if (request.mode === 'navigate') event.respondWith(fetch(request).then(isolated));
});
worker.addEventListener('message', ({ data }) => {
  if (data === 'use') void worker.skipWaiting();
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await Promise.all(Object.keys(files).map(async (name) => {
    if (await cache.match(keyOf(name))) return;
    // What a browser or a proxy remembers may be of another version.
    const response = await fetch(new URL(name, scope), { cache: 'no-cache' });
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    await cache.put(keyOf(name), await complete(response));
  }));
}

/** The old version's files go. Pages of it that are still open have what they began with, and say that there is a newer one. */
async function activate(): Promise<void> {
  const cache = await caches.open(CACHE);
  const current = new Set(Object.keys(files).map(keyOf));
  await Promise.all((await cache.keys()).filter(({ url }) => !current.has(url)).map((request) => cache.delete(request)));
  await worker.clients.claim();
}

async function own(name: string, request: Request): Promise<Response> {
  const stored = await (await caches.open(CACHE)).match(keyOf(name));
  return isolated(stored ?? (await fetch(request)));
}

async function later(request: Request): Promise<Response> {
  const cache = await caches.open(LATER_CACHE);
  const stored = await cache.match(request);
  if (stored) return isolated(stored);
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return isolated(response);
}

/** As the build names it; a folder is its `index.html`. */
function nameOf({ pathname }: URL): string {
  const name = decodeURIComponent(pathname.startsWith(scope.pathname) ? pathname.slice(scope.pathname.length) : pathname);
  return name === '' ? 'index.html' : name;
}

function keyOf(name: string): string {
  const key = new URL(name, scope);
  key.search = `?${files[name]}`;
  return key.href;
}

/** A response that was redirected may not answer a navigation: this is the same, as if it had come straight. */
async function complete(response: Response): Promise<Response> {
  const { status, headers } = response;
  return new Response(await response.blob(), { status, headers });
}

function isolated(response: Response): Response {
  if (response.status === 0 || response.type === 'opaqueredirect') return response;
  const headers = new Headers(response.headers);
  headers.set('cross-origin-opener-policy', 'same-origin');
  headers.set('cross-origin-embedder-policy', 'credentialless');
  headers.set('cross-origin-resource-policy', 'same-origin');
  headers.set('referrer-policy', 'no-referrer');
  if (headers.get('content-type')?.includes('javascript')) headers.set('content-security-policy', WORKER_POLICY);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
