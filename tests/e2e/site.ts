/** A static server for tests: counts requests, can lose files, and gives broken ones. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
// @ts-expect-error a script without types
import { serveFile } from '../../scripts/serve.mjs';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export class Site {
  /** Requests so far, by path. */
  readonly hits = new Map<string, number>();
  readonly #handlers = new Map<string, Handler>();
  readonly #mounts: { prefix: string; folder: string }[] = [];
  readonly #server: Server;

  /** `isolated`: with the headers that give a page shared memory. */
  constructor(root: string, { isolated = false } = {}) {
    this.#server = createServer((request, response) => {
      if (isolated) {
        response.setHeader('cross-origin-opener-policy', 'same-origin');
        response.setHeader('cross-origin-embedder-policy', 'require-corp');
      }
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      this.hits.set(pathname, (this.hits.get(pathname) ?? 0) + 1);
      const handler = this.#handlers.get(pathname);
      const mount = this.#mounts.find(({ prefix }) => pathname.startsWith(prefix));
      if (handler) handler(request, response);
      else if (mount) void serveFile(mount.folder, Object.assign(request, { url: pathname.slice(mount.prefix.length - 1) }), response);
      else void serveFile(root, request, response);
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Serves a second folder below `prefix`, which ends in a slash. */
  mount(prefix: string, folder: string): void {
    this.#mounts.push({ prefix, folder });
  }

  /** Answers one path by other means than the folder. */
  answer(pathname: string, handler: Handler): void {
    this.#handlers.set(pathname, handler);
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
