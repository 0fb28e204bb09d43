/** A correct static server for files in memory: ranges, validators, If-Range; each can be left out. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LocalServer } from './local-server';

export interface OriginOptions {
  ranges?: boolean;
  etag?: 'strong' | 'weak' | 'none';
  modified?: boolean;
  /** Other origins may read files and these headers, without a preflight, which is not answered. */
  cors?: boolean;
}

export class Origin extends LocalServer {
  readonly files = new Map<string, Buffer>();
  readonly requests: string[] = [];
  /** Bytes of bodies sent so far. */
  sent = 0;
  /** What ranges say the whole file has, where it is not the truth: no test has a file of terabytes. */
  claims: number | undefined;
  /** Milliseconds that every 64 KiB of a body take. */
  delay = 0;

  constructor(private readonly options: OriginOptions = {}) {
    super();
  }

  protected override serve(request: IncomingMessage, response: ServerResponse): void {
    const { ranges = true, etag = 'strong', modified = true, cors = false } = this.options;
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    this.requests.push(`${request.method} ${pathname} ${request.headers.range ?? ''}`.trim());
    const file = this.files.get(pathname);
    if (!file) return void response.writeHead(404).end();
    const tag = `"${createHash('sha1').update(file).digest('hex').slice(0, 12)}"`;
    const headers: Record<string, string | number> = {};
    if (cors) Object.assign(headers, { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'etag, content-range, retry-after' });
    if (etag !== 'none') headers.etag = etag === 'weak' ? `W/${tag}` : tag;
    if (modified) headers['last-modified'] = new Date(1e12 + file.length * 1000).toUTCString();
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const current = request.headers['if-range'];
    const stale = current !== undefined && current !== headers.etag && current !== headers['last-modified'];
    if (!ranges || !asked || stale) {
      response.writeHead(200, { ...headers, 'content-length': file.length });
      return void (request.method === 'HEAD' ? response.end() : this.#send(response, file));
    }
    const start = Number(asked[1]);
    const end = Math.min(file.length, asked[2] ? Number(asked[2]) + 1 : file.length);
    if (start >= end) return void response.writeHead(416, { ...headers, 'content-range': `bytes */${file.length}` }).end();
    response.writeHead(206, { ...headers, 'content-length': end - start, 'content-range': `bytes ${start}-${end - 1}/${this.claims ?? file.length}` });
    this.#send(response, file.subarray(start, end));
  }

  #send(response: ServerResponse, body: Buffer): void {
    if (this.delay === 0) {
      this.sent += body.length;
      return void response.end(body);
    }
    let at = 0;
    const timer = setInterval(() => {
      if (response.destroyed || at >= body.length) {
        clearInterval(timer);
        return void response.end();
      }
      const piece = body.subarray(at, (at += 65536));
      this.sent += piece.length;
      response.write(piece);
    }, this.delay);
  }
}
