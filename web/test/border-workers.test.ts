/** Workers that share a model, in Node: those that a model was loaded with stay when it is loaded again. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker as NodeWorker } from 'node:worker_threads';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { initSync, loadModel, type ByteSource } from '../engine/pkg/web_mamba.js';

const here = import.meta.dirname;
const PACKAGE = path.join(here, '../engine/pkg/web_mamba.js');
const file = new Uint8Array(readFileSync(path.join(here, '../../tests/golden/models/falcon-tiny-F32.gguf')));
const source: ByteSource = { name: 'tiny', length: file.length, read: (offset, length) => file.subarray(offset, offset + length) };
const TOKENS = Uint32Array.of(5, 17, 3, 99, 7);

beforeAll(() => void initSync({ module: readFileSync(PACKAGE.replace('.js', '_bg.wasm')) }));

/** What a module worker of a page would run, with a page's names for what Node has. */
const SCRIPT = `
  const { parentPort } = require('node:worker_threads');
  globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
  parentPort.once('message', async ({ module }) => {
    const engine = await import(${JSON.stringify(pathToFileURL(PACKAGE).href)});
    engine.initSync({ module });
    parentPort.on('message', (data) => globalThis.onmessage({ data }));
    engine.serveRank();
  });
`;

let alive = 0;
let started = 0;
afterEach(() => (started = 0));

/** A worker of Node's with the face of a page's. */
function start(): Worker {
  const worker = new NodeWorker(SCRIPT, { eval: true });
  started += 1;
  alive += 1;
  worker.once('exit', () => (alive -= 1));
  const face = {
    onmessage: (_: { data: unknown }): void => undefined,
    onerror: (_: { message: string }): void => undefined,
    postMessage: (message: unknown, transfer: []) => worker.postMessage(message, transfer),
    terminate: () => void worker.terminate(),
  };
  worker.on('message', (data) => face.onmessage({ data }));
  worker.on('error', (error) => face.onerror(error as Error));
  return face as unknown as Worker;
}

test('a model that is loaded again keeps its workers, and takes others where they are named', async () => {
  const model = await loadModel([source], { backend: 'cpu', activations: 'f32', workers: { start, count: 3 } });
  expect(model.info().adapter).toContain('3 workers');
  const logits = await model.logits(TOKENS);
  await model.reload([source]);
  expect(model.info().adapter).toContain('3 workers');
  expect(started).toBe(4);
  expect(await model.logits(TOKENS)).toEqual(logits);
  expect(model.info().activations).toBe('f32');
  await model.reload([source], { workers: { count: 2 } });
  expect(model.info().adapter).toContain('2 workers');
  await model.reload([source], {});
  expect(model.info().adapter).toContain('2 workers');
  // One that fails changes nothing of what is kept.
  await expect(model.reload([{ length: 9, read: () => new Uint8Array(9) }], { workers: { count: 4 } })).rejects.toMatchObject({ code: 'not-gguf' });
  await model.reload([source]);
  expect(model.info().adapter).toContain('2 workers');
  model.free();
  await expect.poll(() => alive).toBe(0);
}, 60_000);

test('a load that is ended lets the workers go that it has begun to start', async () => {
  const control = new AbortController();
  const silent = (): Worker => {
    if (started === 1) setTimeout(() => control.abort(), 0);
    return start();
  };
  await expect(loadModel([source], { backend: 'cpu', workers: { start: silent, count: 3 }, signal: control.signal })).rejects.toMatchObject({ name: 'AbortError' });
  await expect.poll(() => alive).toBe(0);
}, 60_000);

test('workers read what their model’s source gives at once, and a short answer is an error', async () => {
  let reads = 0;
  const short: ByteSource = { ...source, read: (offset, length) => file.subarray(offset, offset + length - (length > 100_000 && (reads += 1) > 2 ? 4 : 0)) };
  await expect(loadModel([short], { backend: 'cpu', workers: { start, count: 2 } })).rejects.toMatchObject({ code: expect.stringMatching(/read|worker/) as string });
  await expect.poll(() => alive).toBe(0);
}, 60_000);
