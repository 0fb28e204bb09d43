// Serves a folder of static files on the loopback interface.   usage: node scripts/serve.mjs FOLDER [--port N]
// Without --port: 8080, or the next free port. Prints the address once it answers.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
  '.md': 'text/plain; charset=utf-8',
  '.gguf': 'application/octet-stream',
};
const FIRST_PORT = 8080;
const LAST_PORT = 8180;

/** What gives a page memory that its workers share; without them it gets by on messages. */
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'credentialless' };

/** Answers a request from `root`; a path that leads outside of it does not exist. */
export async function serveFile(root, request, response) {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  let relative;
  try {
    relative = decodeURIComponent(pathname);
  } catch {
    return plain(response, 400, 'Bad request');
  }
  const file = path.join(root, relative.endsWith('/') ? `${relative}index.html` : relative);
  const inside = file.startsWith(path.join(root, path.sep));
  const found = inside ? await stat(file).catch(() => undefined) : undefined;
  if (!found?.isFile()) return plain(response, 404, 'Not found');
  const etag = `"${found.size}-${Math.round(found.mtimeMs)}"`;
  const headers = {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
  };
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

/** The one range that a request asks for, `end` being the byte after its last; undefined where the whole file is to be sent. */
function rangeOf(request, size, etag) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const current = request.headers['if-range'];
  if (first === undefined || (current !== undefined && current !== etag)) return undefined;
  return { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) };
}

function plain(response, status, text) {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
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
    void serveFile(root, request, response);
  });
  try {
    console.log(`http://127.0.0.1:${await listen(server, port)}/`);
  } catch (error) {
    console.error(error.code === 'EADDRINUSE' ? `port ${port} is in use; choose another with --port` : error.message);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
