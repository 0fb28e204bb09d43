// What wasm-bindgen cannot say: an async iterable, a turn of the event loop, and a feature that wgpu does not know.

/** @param {{ next(): Promise<object | undefined>, cancel(): void, free(): void }} generation */
export function asyncIterable(generation) {
  let ended = false;
  let freed = false;
  let running = 0;
  const done = (value) => ({ done: true, value });
  // An answer holds its model, so it is let go at once: waiting for the garbage collector could keep gigabytes.
  const release = () => {
    if (ended && running === 0 && !freed) {
      freed = true;
      generation.free();
    }
  };
  return {
    async next() {
      if (ended) return done();
      running += 1;
      try {
        const event = await generation.next();
        ended ||= event === undefined;
        return event === undefined ? done() : { done: false, value: event };
      } catch (error) {
        // Only a lost device can be mended: once the model is loaded again, the answer goes on.
        ended ||= error.code !== 'device-lost';
        throw error;
      } finally {
        running -= 1;
        release();
      }
    },
    async return(value) {
      if (!ended) generation.cancel();
      ended = true;
      release();
      return done(value);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

// A message, because timers are held back to 4 ms once they nest.
const waiting = [];
let channel;

export function nextTask() {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()();
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(undefined);
  });
}

// The label of this engine's own device requests (`gpu/device.rs`): those of others stay as they are.
const OWN_LABEL = 'web-mamba';

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
