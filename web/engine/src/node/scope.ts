/** Makes a thread of Node look like a worker of a page, as far as the engine looks: imported first by the scripts of threads. */
import { parentPort, workerData } from 'node:worker_threads';
import { unpacked } from './file-message.ts';
import type { ThreadData } from './thread-worker.ts';

const port = parentPort;
if (!port) throw new Error('this is the script of a thread');

export const threadData = workerData as ThreadData;

const events = new EventTarget();
const scope: Record<string, unknown> = {
  self: globalThis,
  name: threadData.name,
  onmessage: null,
  postMessage: (message: unknown, transfer: Transferable[] = []) => port.postMessage(message, transfer as never),
  addEventListener: events.addEventListener.bind(events),
  removeEventListener: events.removeEventListener.bind(events),
  // The engine asks whether this is a worker, and whether its memory can be shared: a thread's can.
  WorkerGlobalScope: class {},
  crossOriginIsolated: true,
};
for (const [name, value] of Object.entries(scope)) Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

port.on('message', (data: unknown) => {
  const event = new MessageEvent('message', { data: unpacked(data) });
  (globalThis as { onmessage?: ((event: Event) => void) | null }).onmessage?.(event);
  events.dispatchEvent(event);
});
