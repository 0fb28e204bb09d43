/**
 * Serves the page from a cache, so that it opens without a network, and adds the headers that isolate it and hold it to its policy
 * where the host cannot. Every version has its list of files with their SHA-256: a new one is fetched whole beside the old one,
 * takes over what did not change, and waits until the visitor asks for it. Nothing is kept that is not what the list says: a
 * host or a proxy that still has an older file makes the installation fail, and the browser tries it again at a later visit.
 * Models never pass through here into a cache.
 */
import { ISOLATION, responseHeaders } from '../headers.mjs';

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

/** Not needed to begin with: fetched when the page has done with its first visit's own work. */
const LATER = /^(cmaps\/|(bench|how)\.html$|licences\.txt$|assets\/(bench|how|formula|noto|code-runs|palette|palette-strings|shortcut-sheet|kept-dialog|prompts-dialog|chatgpt-export|erase)-)/;

const scope = new URL(worker.registration.scope);
/**
 * Files by name and hash; shared by all versions, so that one which did not change is fetched once. Caches are the origin's: pages of
 * two paths have one each, or the new version of one would delete the files of the other.
 */
const CACHE = `web-mamba-page ${scope.pathname}`;
/** Where earlier versions kept the files of every path. */
const SHARED_CACHE = 'web-mamba-page';

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  // Ranges are parts of models.
  if (request.method !== 'GET' || url.origin !== scope.origin || request.headers.has('range')) return;
  const name = nameOf(url);
  // Below this path there may be pages of other projects, or another copy of this one, whose headers are their own affair.
  if (Object.hasOwn(files, name)) event.respondWith(own(name, request));
});
worker.addEventListener('message', (event) => {
  if (event.data === 'use') void worker.skipWaiting();
  // Not waited for: a new version need not wait for it either.
  if (event.data === 'rest') void storeRest();
});

async function install(): Promise<void> {
  await Promise.all(Object.keys(files).filter((name) => !LATER.test(name)).map(store));
}

/** One after the other, in nobody's way. What cannot be had now is tried again at the next visit. */
async function storeRest(): Promise<void> {
  for (const name of Object.keys(files).filter((each) => LATER.test(each))) await store(name).catch(() => undefined);
}

/** Puts a file into the cache, once it is what this version's list says. */
async function store(name: string): Promise<void> {
  const cache = await caches.open(CACHE);
  if (await cache.match(keyOf(name))) return;
  const shared = await caches.match(keyOf(name), { cacheName: SHARED_CACHE });
  if (shared) return cache.put(keyOf(name), shared);
  // First what the browser remembers, if the server says that it is current; then past every cache on the way.
  for (const remembered of ['no-cache', 'reload'] as const) {
    const response = await fetch(new URL(name, scope), { cache: remembered });
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    const bytes = await response.arrayBuffer();
    if ((await sha256(bytes)) !== files[name]) continue;
    // Made anew: a response that was redirected may not answer a navigation.
    await cache.put(keyOf(name), new Response(bytes, { status: response.status, headers: response.headers }));
    return;
  }
  throw new Error(`${name} is not the file of this version`);
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The old version's files go. Pages of it that are still open have what they began with, and say that there is a newer one. */
async function activate(): Promise<void> {
  const cache = await caches.open(CACHE);
  const current = new Set(Object.keys(files).map(keyOf));
  await Promise.all((await cache.keys()).filter(({ url }) => !current.has(url)).map((request) => cache.delete(request)));
  await leaveShared();
  await worker.clients.claim();
}

/** What the cache of earlier versions holds for this path goes; with the last of all paths, the cache. */
async function leaveShared(): Promise<void> {
  if (!(await caches.has(SHARED_CACHE))) return;
  const shared = await caches.open(SHARED_CACHE);
  const requests = await shared.keys();
  const ours = requests.filter(({ url }) => url.startsWith(scope.href));
  await Promise.all(ours.map((request) => shared.delete(request)));
  if (ours.length === requests.length) await caches.delete(SHARED_CACHE);
}

async function own(name: string, request: Request): Promise<Response> {
  const stored = await (await caches.open(CACHE)).match(keyOf(name));
  return isolated(stored ?? (await fetch(request)));
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

function isolated(response: Response): Response {
  if (response.status === 0 || response.type === 'opaqueredirect') return response;
  const headers = new Headers(response.headers);
  const own = { ...ISOLATION, ...responseHeaders(headers.get('content-type')) };
  for (const [header, value] of Object.entries(own)) headers.set(header, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
