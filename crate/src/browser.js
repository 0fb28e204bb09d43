// What wgpu cannot do in a browser, and the engine needs there.

// The label of this engine's own device requests (`gpu/device/gpu.rs`): those of others stay as they are.
const OWN_LABEL = 'web-mamba';

/** Whether this is a place where GPUs are asked for: wgpu panics elsewhere, as in Node. */
export function hasGpus() {
  return (globalThis.Window ?? globalThis.WorkerGlobalScope) !== undefined && globalThis.navigator !== undefined;
}

/** wgpu does not know the feature `subgroups` on the web, so it is added to the engine's requests where the adapter has it. */
export function askForSubgroups() {
  const { gpu } = globalThis.navigator ?? {};
  // wgpu reads this set without asking whether it is there; old browsers lack it.
  if (gpu && !gpu.wgslLanguageFeatures) Object.defineProperty(gpu, 'wgslLanguageFeatures', { value: new Set() });
  const prototype = globalThis.GPUAdapter?.prototype;
  const original = prototype?.requestDevice;
  if (typeof original !== 'function' || original.asksForSubgroups) return;
  function requestDevice(descriptor, ...rest) {
    if (descriptor?.label !== OWN_LABEL || !this.features.has('subgroups')) return original.call(this, descriptor, ...rest);
    const requiredFeatures = [...(descriptor.requiredFeatures ?? []), 'subgroups'];
    return original.call(this, { ...descriptor, requiredFeatures }, ...rest);
  }
  requestDevice.asksForSubgroups = true;
  prototype.requestDevice = requestDevice;
}

// wgpu can ask a browser only for a pipeline that is there at once, and the GPU process then takes no upload until it is
// compiled. This has a device make pipelines beside its other work.

/** From when it is made until `end()`, its device answers a request for a pipeline with a placeholder, and compiles. */
export class Background {
  constructor(device) {
    this.device = device;
    this.started = new Map();
    this.made = new Map();
    // An own property: other devices, and this one's prototype, stay as they are.
    device.createComputePipeline = (descriptor) => this.answer(descriptor);
  }

  answer(descriptor) {
    const { module } = descriptor.compute;
    if (this.made.has(module)) return this.made.get(module);
    if (!this.started.has(module)) this.started.set(module, this.device.createComputePipelineAsync(descriptor));
    return {};
  }

  /**
   * Resolves when every pipeline that was asked for is made; the same requests are answered with them from then on. Where one cannot be
   * made, to what the browser says of it.
   */
  async finished() {
    // All at once, so that none is left to fail unheard when one fails.
    const settled = await Promise.allSettled(this.started.values());
    const failed = settled.find(({ status }) => status === 'rejected');
    if (failed) return String(failed.reason?.message ?? failed.reason);
    [...this.started.keys()].forEach((module, i) => this.made.set(module, settled[i].value));
  }

  end() {
    delete this.device.createComputePipeline;
  }
}
