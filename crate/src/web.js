// What wasm-bindgen cannot say: an async iterable, a class that can be freed, a turn of the event loop, and a feature that wgpu does not know.
import { reasonOf } from './web/signal.js';

/**
 * The events of an answer. As of an async generator, calls of `next` are answered one after the other, and `return` after those before it.
 * @param {{ next(): Promise<object | undefined>, cancel(): void, free(): void }} answer
 * @param {AbortSignal | undefined} signal
 */
export function asyncIterable(answer, signal) {
  let last = Promise.resolve();
  let [begun, running, ended] = [false, false, false];
  const done = (value) => ({ done: true, value });
  // An answer holds its model, so it is let go at once: waiting for the garbage collector could keep gigabytes.
  const end = () => {
    if (ended) return;
    ended = true;
    signal?.removeEventListener('abort', abort);
    answer.free();
  };
  // The one call that is told why the signal ended the answer.
  let untold = false;
  const abort = () => {
    untold = true;
    if (running) answer.cancel();
    else end();
  };
  const step = async () => {
    if (!begun && !ended) {
      begun = true;
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort);
    }
    if (!ended) {
      running = true;
      try {
        const event = await answer.next();
        if (event !== undefined && !untold) return { done: false, value: event };
        end();
      } catch (error) {
        // A lost device or worker can be mended: once the model is loaded again, the answer goes on. One that has not begun can wait for its turn.
        if (untold || !MENDABLE.has(error?.code)) end();
        if (!untold) throw error;
      } finally {
        running = false;
      }
    }
    if (!untold) return done();
    untold = false;
    throw reasonOf(signal);
  };
  const queue = (call) => {
    const answered = last.then(call);
    last = answered.catch(() => undefined);
    return answered;
  };
  return {
    next: () => queue(step),
    return(value) {
      if (!ended) answer.cancel();
      return queue(() => {
        untold = false;
        end();
        return done(value);
      });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const MENDABLE = new Set(['device-lost', 'worker', 'busy']);

const classes = new Map();

const isOf = (Class, value) => Class !== undefined && value instanceof Class && value.__wbg_ptr > 0;

/** Has the calls of a class refuse what is none of its objects, and `free()` leave an object whose calls say that it was freed. */
export function guardClass(name, sample, refusal) {
  const Class = sample.constructor;
  const { prototype } = Class;
  const guarded = (original) =>
    function (...given) {
      if (!isOf(Class, this)) throw Object.assign(new Error(refusal.message), refusal);
      return original.apply(this, given);
    };
  for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (key === 'constructor' || key.startsWith('__')) continue;
    for (const kind of ['value', 'get', 'set']) if (property[kind]) property[kind] = guarded(property[kind]);
    Object.defineProperty(prototype, key, property);
  }
  // What is left of an object is a few bytes, which go with it.
  prototype.free = prototype.release;
  if (Symbol.dispose) prototype[Symbol.dispose] = prototype.release;
  classes.set(name, Class);
}

/** A fork of a `State`, or undefined for what is none. */
export function forkOf(value) {
  return isOf(classes.get('State'), value) ? value.fork() : undefined;
}

// A message, because timers are held back to 4 ms once they nest.
const waiting = [];
let channel;

export function nextTask() {
  // Node takes a thousand messages in one turn.
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()();
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(undefined);
  });
}
