/** What tests call in the browser, as `window.harness`. The app itself has no such handle. */
import { EngineClient } from '../../../web/src/engine/client';
import { checkFits } from '../../../web/src/engine/check-fits';
import init, { planModel, type ModelPlan } from '../../../web/src/engine/pkg/web_mamba.js';
import type { DeviceOptions, ModelInfo, GenerateOptions } from '../../../web/src/engine/protocol';
import { renderMarkdown } from '../../../web/src/ui/markdown';

const engine = new EngineClient();

/** The first 8 MB of a file, and its length: what a download has when it asks whether the model fits. */
async function beginning(url: string): Promise<{ header: Uint8Array; bytes: number }> {
  const bytes = await (await fetch(url)).arrayBuffer();
  return { header: new Uint8Array(bytes, 0, Math.min(bytes.byteLength, 8_000_000)), bytes: bytes.byteLength };
}


interface Refusal {
  code: string;
  detail: string;
}

async function judge(header: Uint8Array, bytes: number, device: DeviceOptions): Promise<Refusal | null> {
  await init();
  return checkFits({ planModel })(header, bytes, device).then(() => null, ({ code, detail }: Refusal) => ({ code, detail }));
}

/** A chunk as downloads have it: the header, and what comes after. */
function padded(header: number[]): Uint8Array {
  const chunk = new Uint8Array(1_000_000);
  chunk.set(header);
  return chunk;
}

export const harness = {
  async open(url: string, device: DeviceOptions): Promise<ModelInfo> {
    const { info } = await engine.open({ kind: 'address', name: 'model', urls: [new URL(url, location.href).href] }, device, () => undefined);
    return info;
  },
  /** Judges a file by its first bytes; gives the plan. */
  async plan(url: string, device: DeviceOptions): Promise<ModelPlan> {
    await init();
    const { header, bytes } = await beginning(url);
    return planModel([{ name: 'model', length: bytes, read: async (offset, length) => header.subarray(offset, offset + length) }], device);
  },
  /** Judges a file as a download does. */
  async checkFits(url: string, device: DeviceOptions): Promise<Refusal | null> {
    const { header, bytes } = await beginning(url);
    return judge(header, bytes, device);
  },
  /** The same for bytes of the test's own making, of a file that claims to be `length` long. */
  checkHeader: (header: number[], length: number, device: DeviceOptions): Promise<Refusal | null> => judge(padded(header), length, device),
  async tokenize(text: string): Promise<number[]> {
    return [...(await engine.tokenize(text))];
  },
  async logits(tokens: number[]): Promise<number[]> {
    return [...(await engine.logits(Uint32Array.from(tokens)))];
  },
  /** The ids that the model gives after `tokens`. */
  async generate(tokens: number[], options: GenerateOptions): Promise<number[]> {
    const ids: number[] = [];
    await engine.generate(Uint32Array.from(tokens), options, (event) => {
      if (event.type === 'token') ids.push(event.id);
    });
    return ids;
  },
  renderMarkdown,
};

declare global {
  interface Window {
    harness: typeof harness;
  }
}
window.harness = harness;
