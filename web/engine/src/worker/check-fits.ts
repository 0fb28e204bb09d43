/**
 * Judges a model by the beginning of its first file, before the bulk of it is fetched. The download calls it with its first
 * chunk; what it throws ends the download.
 */
import type { ByteSource, ModelPlan } from '../../pkg/web_mamba.js';
import { deviceMemory } from '../base/device-memory.ts';
import { failure, type MambaError } from '../base/failure.ts';
import { fill, formatBytes } from '../base/format.ts';
import { messages } from '../base/messages.ts';
import type { WasmEngine } from '../base/wasm-engine.ts';
import type { DeviceOptions } from '../protocol/protocol.ts';

/** `header` is the first chunk of the first file, `bytes` the length of the whole model, 0 while its server has not said it. */
export type CheckFits = (header: Uint8Array, bytes: number, device?: DeviceOptions) => Promise<void>;

export function checkFits(engine: Pick<WasmEngine, 'planModel'>): CheckFits {
  return async (header, bytes, device = {}) => {
    const start = new HeaderSource(header, bytes);
    let plan: ModelPlan;
    try {
      const memory = deviceMemory();
      plan = await engine.planModel([start], { ...device, ...(memory ? { memory } : {}) });
    } catch (thrown) {
      // A header longer than the chunk says nothing against the model: loading it will judge.
      if (start.ranOut) return;
      throw thrown;
    }
    if (!plan.fits) throw refusal(plan);
  };
}

function refusal({ needs, device, problem }: ModelPlan): MambaError {
  const detail = fill(messages().fitsDetail, {
    needed: formatBytes(problem?.needed ?? needs.total),
    available: formatBytes(problem?.available ?? 0),
    adapter: problem?.limit === 'memory' ? messages().thisDevice : device.adapter,
    total: formatBytes(needs.total),
    message: problem?.message ?? '',
  });
  return failure('out-of-memory', {}, detail);
}

/** A file of which only the beginning has come. */
export class HeaderSource implements ByteSource {
  readonly name = 'the model';
  ranOut = false;

  readonly length: number;

  constructor(private readonly header: Uint8Array, bytes: number) {
    // Of unknown length, no tensor lies beyond its end.
    this.length = bytes > 0 ? bytes : Number.MAX_SAFE_INTEGER;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.ranOut = offset + length > this.header.length;
    if (this.ranOut) throw new Error(`only ${this.header.length} bytes have come`);
    return this.header.subarray(offset, offset + length);
  }
}
