// What wasm-bindgen cannot express: an async iterable, a class whose objects can be freed, and a turn of the event loop.
import { reasonOf } from './web/signal.js';

/**
 * The events of a generation. As with an async generator, calls of `next` settle one after the other, and `return` after those before it.
 * @param {{ next(): Promise<object | undefined>, cancel(): void, free(): void }} generation
 * @param {AbortSignal | undefined} signal
 */
export function asyncIterable(generation, signal) {
  let last = Promise.resolve();
  let [begun, running, ended] = [false, false, false];
  const done = (value) => ({ done: true, value });
  // A generation holds its model, so it is freed at once: waiting for the garbage collector could keep gigabytes.
  const end = () => {
    if (ended) return;
    ended = true;
    signal?.removeEventListener('abort', abort);
    generation.free();
  };
  // Whether the signal has aborted and no call has rejected with its reason yet: exactly one does.
  let abortPending = false;
  const abort = () => {
    abortPending = true;
    if (running) generation.cancel();
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
        const event = await generation.next();
        if (event !== undefined && !abortPending) return { done: false, value: event };
        end();
      } catch (error) {
        // After a lost device or worker the generation goes on once the model is loaded again. One that has not begun can wait until the model is free.
        if (abortPending || !RECOVERABLE.has(error?.code)) end();
        if (!abortPending) throw error;
      } finally {
        running = false;
      }
    }
    if (!abortPending) return done();
    abortPending = false;
    throw reasonOf(signal);
  };
  const queue = (call) => {
    const settled = last.then(call);
    last = settled.catch(() => undefined);
    return settled;
  };
  return {
    next: () => queue(step),
    return(value) {
      if (!ended) generation.cancel();
      return queue(() => {
        abortPending = false;
        end();
        return done(value);
      });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const RECOVERABLE = new Set(['device-lost', 'worker', 'busy']);

const classes = new Map();

const isOf = (Class, value) => Class !== undefined && value instanceof Class && value.__wbg_ptr > 0;

/** Makes the calls of a class refuse what is none of its objects, and `free()` leave an object whose calls report that it was freed. */
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
  // The few bytes that are left of an object are freed with it.
  prototype.free = prototype.release;
  if (Symbol.dispose) prototype[Symbol.dispose] = prototype.release;
  classes.set(name, Class);
}

/** A fork of a `State`, or undefined for any other value. */
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
