/** The page's failures: those of the engine, and its own beside them. */
import { failure as engineFailure, failureOf, toFailure as toEngineFailure, type Blanks, type EngineCode, type MambaError } from 'web-mamba';
import { failures, type PageCode } from './failures';

export { MambaError, type FailureReport } from 'web-mamba';

/** A code that has a sentence. */
export type FailureCode = EngineCode | PageCode;

/**
 * Tells what went wrong. `about` names what was being done: none, with the same name, takes that failure back once the same thing has
 * been done, and no other. None without a name takes back whatever is said.
 */
export type Tell = (failure: MambaError | undefined, about?: string) => void;

/** A failure with the sentence of `code`, its blanks filled from `data`. */
export function failure(code: FailureCode, data: Blanks = {}, detail = ''): MambaError {
  return isPageCode(code) ? failureOf(code, failures[code], data, detail) : engineFailure(code, data, detail);
}

/** Whatever was thrown, as a failure. What finds no room in the page is its own: the engine tells of models by itself. */
export function toFailure(thrown: unknown): MambaError {
  const { name, message } = (thrown ?? {}) as Partial<Error>;
  return name === 'QuotaExceededError' ? failure('app-room', {}, message) : toEngineFailure(thrown);
}

function isPageCode(code: FailureCode): code is PageCode {
  return Object.hasOwn(failures, code);
}
