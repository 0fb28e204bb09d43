/**
 * Stands between the worker and the wasm package. After a trap, or an exception of JavaScript's that came through frames of wasm, the
 * instance is in no known state: values are half moved, and what was borrowed stays so. No call may go into it again, not even
 * `free()`; the worker that has it is to be replaced.
 */
import type { WasmEngine } from '../base/wasm-engine.ts';

type Method = (...given: unknown[]) => unknown;

export class EngineGuard {
  #fault: unknown;
  #broken = false;
  /** What a guarded object stands for: the engine takes only its own. */
  readonly #originals = new WeakMap<object, object>();

  /** `onFault` is called with the first fault. */
  constructor(private readonly onFault: (thrown: unknown) => void) {}

  /** Takes note of a fault that no call has thrown: of an uncaught error. */
  break(thrown: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#fault = thrown;
    this.onFault(thrown);
  }

  guard(engine: WasmEngine): WasmEngine {
    return this.#guarded(engine);
  }

  #guarded<T extends object>(original: T): T {
    const guarded = new Proxy(original, {
      get: (target, name) => {
        // Whoever tidies up need not know.
        if (this.#broken && name === 'free') return () => undefined;
        const value: unknown = this.#run(() => Reflect.get(target, name, target));
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => this.#call(target, name, value as Method, given);
      },
      set: (target, name, value) => this.#run(() => Reflect.set(target, name, value, target)) ?? true,
    });
    this.#originals.set(guarded, original);
    return guarded;
  }

  #call(target: object, name: string | symbol, method: Method, given: unknown[]): unknown {
    const own = given.map((each) => (typeof each === 'object' && each !== null ? (this.#originals.get(each) ?? each) : each));
    const result = this.#run(() => method.apply(target, own));
    if (result instanceof Promise) return result.then((value) => this.#returned(value), (thrown) => this.#rethrow(thrown, name === 'start'));
    return this.#returned(result);
  }

  /** Models, states and answers are guarded as well; all else is data. */
  #returned(value: unknown): unknown {
    const isOfEngine = typeof value === 'object' && value !== null && ('free' in value || ('next' in value && typeof value.next === 'function'));
    return isOfEngine ? this.#guarded(value) : value;
  }

  #run<T>(work: () => T): T {
    if (this.#broken) throw this.#fault;
    try {
      return work();
    } catch (thrown) {
      return this.#rethrow(thrown);
    }
  }

  /** An engine that does not start may only be out of reach, and is asked again. */
  #rethrow(thrown: unknown, isStart = false): never {
    if (isStart ? thrown instanceof WebAssembly.RuntimeError : isFault(thrown)) this.break(thrown);
    throw thrown;
  }
}

/** The engine's own errors, and the reasons that callers end a call with, have a code or are an abort; nothing else is expected of it. */
export function isFault(thrown: unknown): boolean {
  const { code, name } = (thrown ?? {}) as { code?: unknown; name?: unknown };
  return typeof code !== 'string' && name !== 'AbortError';
}

/** What was thrown, as a line for a report. */
export function described(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  const { name, message } = thrown as { name?: unknown; message?: unknown };
  return [name, message].filter((each) => typeof each === 'string' && each !== '').join(': ') || 'unknown';
}
