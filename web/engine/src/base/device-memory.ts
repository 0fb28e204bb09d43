/** What a browser says of the memory of its device. */
import type { HostMemory } from './wasm-engine.ts';

/** The number from which browsers say no more: it means this or more. Some say larger ones too. */
const MOST_SAID_GIB = 8;

interface Browser {
  deviceMemory?: number;
}

/** The memory that a browser admits to, rounded by it; undefined where it says nothing. */
export function deviceMemory({ deviceMemory }: Browser = (globalThis.navigator as Browser | undefined) ?? {}): HostMemory | undefined {
  if (deviceMemory === undefined) return undefined;
  return { bytes: Math.round(deviceMemory * 1024 ** 3), atLeast: deviceMemory >= MOST_SAID_GIB };
}
