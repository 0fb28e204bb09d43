/** Exceptions as the specifications name them. Each has the `MambaError` that it stands for as its cause, and that one's words. */
import { MambaError, toFailure } from '../base/failure.ts';

export type ExceptionName =
  | 'AbortError' | 'InvalidStateError' | 'NetworkError' | 'NotSupportedError' | 'OperationError' | 'SyntaxError' | 'UnknownError';

/** A download that did not come to its end. */
const NETWORK: ReadonlySet<string> = new Set([
  'http-status', 'cors', 'network', 'interrupted', 'interrupted-early', 'server-busy', 'wrong-range', 'other-file', 'wrong-bytes', 'changing', 'manifest',
  'hub-file', 'paused', 'discarded',
]);
/** A file, or a device, that no other try makes suitable. */
const UNSUITABLE: ReadonlySet<string> = new Set([
  'not-gguf', 'gguf-version', 'truncated', 'malformed-gguf', 'metadata', 'architecture', 'tensor', 'split', 'tokenizer', 'no-gpu', 'gpu', 'gpu-wrong',
  'out-of-memory', 'not-finite',
]);

function caused<Thrown extends Error>(exception: Thrown, cause: MambaError): Thrown {
  Object.defineProperty(exception, 'cause', { value: cause, configurable: true, writable: true });
  return exception;
}

export function exception(name: ExceptionName, cause: MambaError): DOMException {
  return caused(new DOMException(`${cause.message} ${cause.remedy}`.trim(), name), cause);
}

export function typeError(cause: MambaError): TypeError {
  return caused(new TypeError(`${cause.message} ${cause.remedy}`.trim()), cause);
}

export function rangeError(cause: MambaError): RangeError {
  return caused(new RangeError(`${cause.message} ${cause.remedy}`.trim()), cause);
}

/** More than fits, with the numbers of the present class of this error, which not every browser has. */
export function quotaExceeded(cause: MambaError, requested: number, quota: number): DOMException {
  const made = caused(new DOMException(`${cause.message} ${cause.remedy}`.trim(), 'QuotaExceededError'), cause);
  return Object.defineProperties(made, { requested: { value: requested, enumerable: true }, quota: { value: quota, enumerable: true } });
}

export function isUnsuitable(thrown: unknown): boolean {
  return thrown instanceof MambaError && UNSUITABLE.has(thrown.code);
}

/** What went wrong while a model was made ready. */
export function creationException(thrown: unknown): unknown {
  return translated(thrown, ({ code }) => (NETWORK.has(code) ? 'NetworkError' : UNSUITABLE.has(code) ? 'NotSupportedError' : 'OperationError'));
}

/** What went wrong while a model was asked. */
export function promptException(thrown: unknown): unknown {
  return translated(thrown, ({ code }) => (code === 'freed' ? 'InvalidStateError' : code === 'grammar' ? 'NotSupportedError' : 'UnknownError'));
}

/** Other errors are exceptions already, or the reason of a signal. */
function translated(thrown: unknown, nameOf: (failure: MambaError) => ExceptionName): unknown {
  if (!(thrown instanceof MambaError)) return thrown;
  const failure = toFailure(thrown);
  return exception(nameOf(failure), failure);
}
