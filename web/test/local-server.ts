/** A server on a port of this machine that is free. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export abstract class LocalServer {
  readonly #server = createServer((request, response) => this.serve(request, response));

  protected abstract serve(request: IncomingMessage, response: ServerResponse): void;

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
}

/** Starts a server that lives as long as the test that asks for it. */
export async function started<Server extends LocalServer>(server: Server): Promise<Server> {
  await server.start();
  onTestFinished(() => server.stop());
  return server;
}
