/** A static server for tests: counts requests, can lose files, and gives broken ones. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { responseHeaders } from '../../web/headers.mjs';
import { LocalServer } from '../../web/test/local-server';
import { DIST } from './folders';
// @ts-expect-error a script without types
import { serveFile } from '../../scripts/serve.mjs';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export class Site extends LocalServer {
  /** Requests so far, by path. */
  readonly hits = new Map<string, number>();
  readonly #handlers = new Map<string, Handler>();
  readonly #mounts: { prefix: string; folder: string }[] = [];

  /** `isolated`: with the headers that give a page shared memory. `bare`: as of a host whose headers cannot be set, which only the built page has. */
  constructor(private readonly root: string, private readonly options: { isolated?: boolean; bare?: boolean; headers?: Record<string, string> } = {}) {
    super();
  }

  protected override serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.options.isolated) {
      response.setHeader('cross-origin-opener-policy', 'same-origin');
      response.setHeader('cross-origin-embedder-policy', 'require-corp');
    }
    for (const [name, value] of Object.entries(this.options.headers ?? {})) response.setHeader(name, value);
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    this.hits.set(pathname, (this.hits.get(pathname) ?? 0) + 1);
    const handle = this.#handlers.get(pathname) ?? ((...asked) => this.#file(pathname, ...asked));
    handle(request, response);
  }

  #file(pathname: string, request: IncomingMessage, response: ServerResponse): void {
    const mount = this.#mounts.find(({ prefix }) => pathname.startsWith(prefix));
    const folder = mount?.folder ?? this.root;
    const { bare = folder !== DIST } = this.options;
    const asked = mount ? Object.assign(request, { url: pathname.slice(mount.prefix.length - 1) }) : request;
    void serveFile(folder, asked, response, bare ? undefined : responseHeaders);
  }

  /** Serves a second folder below `prefix`, which ends in a slash. */
  mount(prefix: string, folder: string): void {
    this.#mounts.push({ prefix, folder });
  }

  /** Answers one path by other means than the folder. */
  answer(pathname: string, handler: Handler): void {
    this.#handlers.set(pathname, handler);
  }

  /** Keeps everyone who asks for the file waiting; gives a function that lets them have it. */
  hold(pathname: string): () => void {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    this.answer(pathname, (...asked) => void held.then(() => this.#file(pathname, ...asked)));
    return release;
  }

  /** As if the file had been deleted. */
  lose(pathname: string): void {
    this.answer(pathname, (_, response) => response.writeHead(404).end());
  }

  /** A model of 4.2 GB whose download never ends. */
  slow(pathname: string): void {
    this.answer(pathname, (_, response) => {
      response.writeHead(206, { 'content-length': 16 * 1024 * 1024, 'content-range': `bytes 0-${16 * 1024 * 1024 - 1}/${4_200_000_000}`, etag: '"1"' });
      response.write('GGUF');
      const timer = setInterval(() => (response.destroyed ? clearInterval(timer) : response.write(Buffer.alloc(100_000))), 100);
    });
  }

  /** Bytes with a correct length. */
  give(pathname: string, body: Uint8Array | string, headers: Record<string, string> = {}): void {
    this.answer(pathname, (_, response) => {
      response.writeHead(200, { 'content-length': Buffer.byteLength(body), ...headers });
      response.end(body);
    });
  }
}
