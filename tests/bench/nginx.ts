/** nginx on the loopback interface, started by the test with a configuration of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';

export class Nginx {
  private constructor(
    private readonly process: ChildProcess,
    readonly url: string,
  ) {}

  /** Serves `page`, and `files` below /files/; what it writes goes into `scratch`. */
  static async start(page: string, files: string, scratch: string): Promise<Nginx> {
    const port = await freePort();
    mkdirSync(scratch, { recursive: true });
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${scratch}/${name};`).join(' ');
    const types = 'types { text/html html; text/javascript js mjs; application/wasm wasm; application/json json; application/octet-stream gguf; }';
    const configuration = path.join(scratch, 'nginx.conf');
    writeFileSync(configuration, `daemon off; pid ${scratch}/pid; error_log ${scratch}/error.log;
      events {}
      http { access_log off; sendfile on; ${temporary} ${types}
        server { listen 127.0.0.1:${port}; root ${page}; location /files/ { alias ${files}/; } } }`);
    const server = spawn(process.env.NGINX_BINARY ?? 'nginx', ['-e', `${scratch}/error.log`, '-c', configuration], { stdio: 'inherit' });
    const url = `http://127.0.0.1:${port}/`;
    for (let tries = 0; tries < 100; tries += 1) {
      if (await fetch(url, { method: 'HEAD' }).then(() => true, () => false)) return new Nginx(server, url);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    server.kill();
    throw new Error(`nginx did not answer at ${url}`);
  }

  stop(): void {
    this.process.kill('SIGTERM');
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
