// Serves a folder of static files on the loopback interface.   usage: node scripts/serve.mjs FOLDER [--port N]
// Without --port: 8080, or the next free port. Prints the address once it answers.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ISOLATION, responseHeaders } from '../web/headers.mjs';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
  '.md': 'text/plain; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
  '.gguf': 'application/octet-stream',
};
const FIRST_PORT = 8080;
const LAST_PORT = 8180;

/** Answers a request from `root`; a path that leads outside of it does not exist. `headersOf` gives what else goes with a content type. */
export async function serveFile(root, request, response, headersOf = () => ({})) {
  const plain = (status, text) => {
    const type = 'text/plain; charset=utf-8';
    response.writeHead(status, { ...headersOf(type), 'content-type': type });
    response.end(`${text}\n`);
  };
  let relative;
  try {
    relative = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
  } catch {
    return plain(400, 'Bad request');
  }
  const file = path.join(root, relative.endsWith('/') ? `${relative}index.html` : relative);
  const inside = file.startsWith(path.join(root, path.sep));
  const found = inside ? await stat(file).catch(() => undefined) : undefined;
  if (!found?.isFile()) return plain(404, 'Not found');
  const etag = `"${found.size}-${Math.round(found.mtimeMs)}"`;
  const type = TYPES[path.extname(file)] ?? 'application/octet-stream';
  const headers = {
    ...headersOf(type),
    'content-type': type,
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
  };
  if (isCurrent(request, etag)) {
    response.writeHead(304, headers);
    return response.end();
  }
  const range = rangeOf(request, found.size, etag);
  if (range && range.start >= range.end) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${found.size}` });
    return response.end();
  }
  const { start, end } = range ?? { start: 0, end: found.size };
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': end - start,
    ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${found.size}` } : {}),
  });
  if (request.method === 'HEAD' || start === end) return response.end();
  createReadStream(file, { start, end: end - 1 }).on('error', () => response.destroy()).pipe(response);
}

/** Whether the browser has this very file. */
function isCurrent({ headers }, etag) {
  return (headers['if-none-match'] ?? '').split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}

/** The one range that a request asks for, `end` being the byte after its last; undefined where the whole file is to be sent. */
function rangeOf(request, size, etag) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const current = request.headers['if-range'];
  if (first === undefined || (current !== undefined && current !== etag)) return undefined;
  return { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) };
}

/** Listens on `port`, or on the next free one when `port` is undefined; gives the port. */
export function listen(server, port) {
  return new Promise((resolve, reject) => {
    let candidate = port ?? FIRST_PORT;
    server.on('error', (error) => {
      if (error.code === 'EADDRINUSE' && port === undefined && candidate < LAST_PORT) server.listen(++candidate, '127.0.0.1');
      else reject(error);
    });
    server.on('listening', () => resolve(server.address().port));
    server.listen(candidate, '127.0.0.1');
  });
}

async function main([folder, option, number]) {
  const port = option === '--port' ? Number(number) : undefined;
  if (!folder || (option !== undefined && option !== '--port') || (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65536))) {
    console.error('usage: node scripts/serve.mjs FOLDER [--port N]');
    process.exit(2);
  }
  const root = path.resolve(folder);
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(ISOLATION)) response.setHeader(name, value);
    void serveFile(root, request, response, responseHeaders);
  });
  try {
    console.log(`http://127.0.0.1:${await listen(server, port)}/`);
  } catch (error) {
    console.error(error.code === 'EADDRINUSE' ? `port ${port} is in use; choose another with --port` : error.message);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
