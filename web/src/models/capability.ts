/** What this device can do, in the terms that a person asks in, and whether it can hold a model. */
import type { CatalogueEntry } from './catalogue';

export interface Device {
  /** A hardware GPU that pages can use; its description where the browser gives one. */
  gpu: { name: string; maxBuffer: number; maxBinding: number } | undefined;
  /** Bytes of memory that the browser admits to, 8 GB at most; undefined where it says nothing. */
  memory: number | undefined;
  /** Bytes that the page may store. */
  storage: number | undefined;
  cores: number;
}

/** Without a GPU, workers share a model, one a core; each can address so much. */
const WASM_BYTES = 4 * 1024 ** 3;
/** The largest number that browsers say: it means this or more. */
const MOST_SAID = 8;
/** A GPU whose largest buffer is below this part of the model may have too little memory in all (as `crate/src/fit.rs`). */
const DOUBTFUL_PART = 4;
/** The system and the browser need some of it too. */
const USABLE_MEMORY = 0.75;

interface GpuAdapter {
  info?: { vendor?: string; architecture?: string; description?: string; isFallbackAdapter?: boolean };
  isFallbackAdapter?: boolean;
  limits: { maxBufferSize: number; maxStorageBufferBindingSize: number };
}
interface Browser {
  gpu?: { requestAdapter(options: object): Promise<GpuAdapter | null> };
  deviceMemory?: number;
  hardwareConcurrency?: number;
  storage?: { estimate?(): Promise<StorageEstimate> };
}

export async function inspectDevice(browser: Browser = navigator as unknown as Browser): Promise<Device> {
  const adapter = await browser.gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  const { info } = adapter ?? {};
  const software = adapter?.isFallbackAdapter ?? info?.isFallbackAdapter ?? false;
  const estimate = await browser.storage?.estimate?.().catch(() => undefined);
  const { deviceMemory } = browser;
  return {
    gpu: adapter && !software
      ? {
          name: info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(' '),
          maxBuffer: adapter.limits.maxBufferSize,
          maxBinding: adapter.limits.maxStorageBufferBindingSize,
        }
      : undefined,
    memory: deviceMemory === undefined ? undefined : deviceMemory * 1024 ** 3,
    storage: estimate?.quota === undefined ? undefined : Math.max(0, estimate.quota - (estimate.usage ?? 0)),
    cores: browser.hardwareConcurrency ?? 1,
  };
}

/** Whether a browser's word for the memory means "this or more". */
export function isMostSaid(memory: number): boolean {
  return memory >= MOST_SAID * 1024 ** 3;
}

/** Why a model cannot run here, or may be too much. */
export type Verdict =
  | { kind: 'fits' }
  | { kind: 'doubt'; why: 'gpu-memory' | 'memory' | 'slow' }
  | { kind: 'refused'; why: 'no-gpu' | 'memory' | 'storage' };

export function judge({ bytes, memory: needed }: Pick<CatalogueEntry, 'bytes' | 'memory'>, device: Device): Verdict {
  const { gpu, memory, storage } = device;
  if (storage !== undefined && bytes > storage) return { kind: 'refused', why: 'storage' };
  if (!gpu && needed > WASM_BYTES * device.cores) return { kind: 'refused', why: 'no-gpu' };
  if (memory !== undefined && !isMostSaid(memory)) {
    if (needed > memory) return { kind: 'refused', why: 'memory' };
    if (needed > memory * USABLE_MEMORY) return { kind: 'doubt', why: 'memory' };
  }
  if (gpu && needed / DOUBTFUL_PART > gpu.maxBuffer) return { kind: 'doubt', why: 'gpu-memory' };
  if (!gpu && needed > WASM_BYTES) return { kind: 'doubt', why: 'slow' };
  return { kind: 'fits' };
}
