// What wasm-bindgen cannot say: an async iterable, and a turn of the event loop.

/** @param {{ next(): Promise<object | undefined>, cancel(): void, free(): void }} generation */
export function asyncIterable(generation) {
  let ended = false;
  const done = (value) => ({ done: true, value });
  return {
    async next() {
      if (ended) return done();
      try {
        const event = await generation.next();
        if (event !== undefined) return { done: false, value: event };
      } catch (error) {
        ended = true;
        throw error;
      }
      ended = true;
      return done();
    },
    async return(value) {
      generation.cancel();
      ended = true;
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
