/**
 * The page's own wasm on Dawn, the WebGPU of Chromium, without a browser: prefill, decode and the bound, as the benchmark page
 * has them.
 *   node tests/bench/dawn.mjs MODEL.gguf PACKAGE [prompt tokens]
 * PACKAGE is the folder of the wasm package; the npm package `webgpu`, or its `dawn.node`, is at WEBGPU.
 */
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [file, folder, promptTokens = '512'] = process.argv.slice(2);
const { create, globals } = createRequire(import.meta.url)(process.env.WEBGPU ?? 'webgpu');
Object.assign(globalThis, globals);
const gpu = create([]);
// Dawn's set can be asked, but wgpu goes through it.
const features = ['packed_4x8_integer_dot_product', 'pointer_composite_access', 'readonly_and_readwrite_storage_textures', 'unrestricted_pointer_parameters'];
Object.defineProperty(gpu, 'wgslLanguageFeatures', { value: new Set(features.filter((name) => gpu.wgslLanguageFeatures.has(name))) });
// wgpu looks for a page or a worker.
globalThis.WorkerGlobalScope = class {};
Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: `node ${process.version}` }, configurable: true });

const handle = await open(file);
const source = {
  name: path.basename(file),
  length: (await handle.stat()).size,
  async read(offset, length) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) at += (await handle.read(bytes, at, length - at, offset + at)).bytesRead;
    return bytes;
  },
};

const { default: init, loadModel } = await import(pathToFileURL(path.resolve(folder, 'web_mamba.js')).href);
await init({ module_or_path: readFileSync(path.join(folder, 'web_mamba_bg.wasm')) });
const start = performance.now();
const model = await loadModel([source], { backend: 'webgpu' });
const seconds = (performance.now() - start) / 1000;
for await (const event of model.generate(Uint32Array.of(1, 2, 3, 4), { maxTokens: 1, temperature: 0, ignoreEos: true })) {
  if (event.type === 'token') console.log(`first token ${((performance.now() - start) / 1000).toFixed(2)} s after loading began`);
}
const { info, ...report } = await model.bench({ promptTokens: Number(promptTokens), genTokens: 128, runs: 5 });
console.log(`${info.name} on ${info.adapter} (${info.backend}, ${info.activations}), loaded in ${seconds.toFixed(2)} s, self-test ${info.selfTestMilliseconds?.toFixed(0)} ms`);
console.log(JSON.stringify(report, undefined, 1));
// Dawn keeps node running while its object can be reached.
delete globalThis.navigator;
process.exit(0);
