/** Has the engine's own worker break in a way that a test chooses: a prologue before its script, which the app knows nothing of. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import type { Site } from './site';

/**
 * `spoil.exports(pattern, fault)`: the next call of an export of the engine's module whose name is like that meets with a fault.
 * `spoil.on(fault)`: what a message of the test's sets off.
 */
const PROLOGUE = `
  const spoil = { pattern: undefined, fault: undefined, exports(pattern, fault) { Object.assign(this, { pattern, fault }); }, on(fault) { this.message = fault; } };
  const trapping = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0, 10, 5, 1, 3, 0, 0, 11)));
  const trap = () => trapping.exports.t();
  const throws = (prototype, name, after, fault) => {
    const original = prototype[name];
    let calls = 0;
    prototype[name] = function (...given) {
      calls += 1;
      return calls > after ? fault() : original.apply(this, given);
    };
  };
  const wrapped = (instance) => {
    const entries = Object.entries(instance.exports).map(([name, value]) => [name, typeof value !== 'function' ? value : (...given) => {
      const { fault } = spoil;
      if (fault && spoil.pattern.test(name)) {
        spoil.fault = undefined;
        fault();
      }
      return value(...given);
    }]);
    return Object.create(WebAssembly.Instance.prototype, { exports: { value: Object.fromEntries(entries) } });
  };
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await original(...given);
      return made instanceof WebAssembly.Instance ? wrapped(made) : { ...made, instance: wrapped(made.instance), module: made.module };
    };
  }
  new BroadcastChannel('break-engine').onmessage = () => {
    const fault = spoil.message;
    spoil.message = undefined;
    fault?.();
  };
`;

/** `prologue` runs in the worker before its script; in the first `times` workers, where that is given. */
export function spoilWorker(site: Site, folder: string, prologue: string, times = Infinity): void {
  const file = readdirSync(path.join(folder, 'assets')).find((name) => /^worker-.*\.js$/.test(name));
  if (!file) throw new Error('no worker was built');
  const script = readFileSync(path.join(folder, 'assets', file), 'utf8');
  let asked = 0;
  site.answer(`/assets/${file}`, (_, response) => {
    asked += 1;
    const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
    response.writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'no-store', ...isolation });
    response.end(asked > times ? script : `{${PROLOGUE}${prologue}}${script}`);
  });
}

/** Sets off what the prologue has prepared with `spoil.on`. */
export async function breakEngine(page: Page): Promise<void> {
  await page.evaluate(() => new BroadcastChannel('break-engine').postMessage('now'));
}
