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

  /** Resolves when every pipeline that was asked for is made; the same requests are answered with them from then on. */
  async finished() {
    // All at once, so that none is left to fail unheard when one fails.
    const settled = await Promise.allSettled(this.started.values());
    const failed = settled.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
    [...this.started.keys()].forEach((module, i) => this.made.set(module, settled[i].value));
  }

  end() {
    delete this.device.createComputePipeline;
  }
}
