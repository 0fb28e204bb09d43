/** What this device has, as its browser says. Whether that holds a model is the engine's to judge. */
import { deviceMemory, type DeviceLimits, type HostMemory } from 'web-mamba';

export interface Device {
  /** A hardware GPU that pages can use; its description where the browser gives one. */
  gpu: { name: string; maxBuffer: number; maxBinding: number } | undefined;
  /** Undefined where the browser says nothing. */
  memory: HostMemory | undefined;
  /** Bytes that the page may store. */
  storage: number | undefined;
  cores: number;
  /** A phone or a tablet, whose browser gives a page less memory than the device has. */
  phone?: true;
  /** The visitor asks pages to save data, or pays for what comes by the radio. */
  metered?: true;
}

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
  userAgent?: string;
  /** Of Chromium. */
  userAgentData?: { mobile?: boolean };
  maxTouchPoints?: number;
  connection?: { saveData?: boolean; type?: string };
}

export async function inspectDevice(browser: Browser = navigator as unknown as Browser): Promise<Device> {
  const adapter = await browser.gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  const { info } = adapter ?? {};
  const software = adapter?.isFallbackAdapter ?? info?.isFallbackAdapter ?? false;
  const estimate = await browser.storage?.estimate?.().catch(() => undefined);
  return {
    gpu: adapter && !software
      ? {
          name: info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(' '),
          maxBuffer: adapter.limits.maxBufferSize,
          maxBinding: adapter.limits.maxStorageBufferBindingSize,
        }
      : undefined,
    memory: deviceMemory(browser),
    storage: estimate?.quota === undefined ? undefined : Math.max(0, estimate.quota - (estimate.usage ?? 0)),
    cores: browser.hardwareConcurrency ?? 1,
    ...(isPhone(browser) ? { phone: true as const } : {}),
    ...(browser.connection?.saveData || browser.connection?.type === 'cellular' ? { metered: true as const } : {}),
  };
}

/** Safari on an iPad calls itself a Mac, which has no touch screen. */
function isPhone({ userAgent = '', userAgentData, maxTouchPoints = 0 }: Browser): boolean {
  return userAgentData?.mobile ?? (/\b(iPhone|iPad|iPod|Android|Mobile)\b/.test(userAgent) || (/\bMacintosh\b/.test(userAgent) && maxTouchPoints > 1));
}

/** The device as the engine judges by it. */
export function limitsOf({ gpu, memory, cores }: Device): DeviceLimits {
  return {
    ...(gpu ? { gpu: { maxBuffer: gpu.maxBuffer, maxBinding: gpu.maxBinding } } : {}),
    workers: cores,
    ...(memory ? { memory } : {}),
  };
}
