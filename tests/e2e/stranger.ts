/** A server that the page has nothing to do with: notes every connection and every request, and what came with it. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class Stranger {
  connections = 0;
  readonly requests: { method: string; path: string; headers: IncomingHttpHeaders }[] = [];
  /** Files, and what an answer claims of the whole file's length. `whole`: without ranges. */
  readonly files = new Map<string, { body: Uint8Array; claims?: number; whole?: boolean }>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const { method = '', url = '/', headers } = request;
      this.requests.push({ method, path: url, headers });
      const file = this.files.get(new URL(url, 'http://localhost').pathname);
      const open = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'content-range, etag' };
      if (!file) return void response.writeHead(404, open).end();
      const [, first, last] = (!file.whole && /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '')) || [];
      const whole = file.claims ?? file.body.length;
      if (first === undefined) {
        response.writeHead(200, { ...open, 'content-length': whole });
        return void (whole > file.body.length ? response.write(file.body) : response.end(file.body));
      }
      const end = Math.min(Number(last) + 1, whole);
      response.writeHead(206, { ...open, 'content-range': `bytes ${first}-${end - 1}/${whole}`, 'content-length': end - Number(first), etag: '"1"' });
      // Of a file that is longer than its body, the rest never comes.
      response.write(file.body.subarray(Number(first), end));
      if (end <= file.body.length) response.end();
    });
    this.#server.on('connection', () => (this.connections += 1));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}/`;
  }
}
