/** The engine in a thread of Node: its module from a file, its further workers threads, its GPU that of the npm package `webgpu`. */
import { readFile } from 'node:fs/promises';
import type { WasmEngine } from '../base/wasm-engine.ts';
import { bestFlavour, packageOf, type Package } from '../worker/flavour.ts';
import { engineOf } from '../worker/load-engine.ts';
import { ThreadWorker } from './thread-worker.ts';

/** Dawn's own set can be asked and not gone through, as wgpu does. */
const LANGUAGE_FEATURES = ['packed_4x8_integer_dot_product', 'pointer_composite_access', 'readonly_and_readwrite_storage_textures', 'unrestricted_pointer_parameters'];

export function nodeEngine(webgpu: boolean): WasmEngine {
  const flavour = bestFlavour();
  const engine = packageOf(flavour);
  const begin = async (): Promise<Package> => {
    if (webgpu) await provideGpu();
    const folder = flavour === 'relaxed' ? 'pkg-relaxed' : 'pkg';
    await engine.default({ module_or_path: await readFile(new URL(`../../${folder}/web_mamba_bg.wasm`, import.meta.url)) });
    return engine;
  };
  let started: Promise<Package> | undefined;
  return engineOf(() => (started ??= begin()), () => new ThreadWorker('./rank.worker.js', { name: flavour }) as unknown as Worker);
}

/** The grammar module, from its file. */
export const readGrammar = (): Promise<BufferSource> => readFile(new URL('../../pkg-grammar/web_mamba_grammar_bg.wasm', import.meta.url));

interface Dawn {
  create(options: string[]): { wgslLanguageFeatures: ReadonlySet<string> };
  globals: object;
}

async function provideGpu(): Promise<void> {
  // It is the user's own to install.
  const name = 'webgpu';
  const { create, globals } = (await import(name)) as Dawn;
  const gpu = create([]);
  Object.assign(globalThis, globals);
  Object.defineProperty(gpu, 'wgslLanguageFeatures', { value: new Set(LANGUAGE_FEATURES.filter((each) => gpu.wgslLanguageFeatures.has(each))) });
  const { hardwareConcurrency = 1 } = (globalThis.navigator ?? {}) as Partial<Navigator>;
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, hardwareConcurrency, userAgent: `node ${process.version}` }, configurable: true });
}
