/** The one error of the engine: a code with data. It travels between worker and page as a plain {@link FailureReport}. */
import { fill, type Blanks } from './format.ts';
import { messages, type EngineCode, type FailureText } from './messages.ts';

/** A `MambaError` as plain data. */
export interface FailureReport {
  /** Stable, for programs. */
  code: string;
  /** What went wrong, for a person. */
  message: string;
  /** What that person can do. */
  remedy: string;
  /** The technical cause, or empty. */
  detail: string;
  /** What the message and the remedy were filled with. */
  data?: Blanks;
}

/** What every call fails with: a code, a sentence, and what can be done. */
export class MambaError extends Error {
  readonly code: string;
  readonly remedy: string;
  readonly detail: string;
  readonly data: Blanks;

  constructor({ code, message, remedy, detail, data = {} }: FailureReport) {
    // A structured clone of an error keeps its message and cause alone: `MambaError.from` makes the whole error of that again.
    super(message, { cause: { code, message, remedy, detail, data } satisfies FailureReport });
    this.name = 'MambaError';
    this.code = code;
    this.remedy = remedy;
    this.detail = detail;
    this.data = data;
  }

  /** Whatever was thrown as such an error: one that was cloned or sent by `postMessage`, a report, or anything else. */
  static from(thrown: unknown): MambaError {
    return toFailure(thrown);
  }

  /** The same as plain data, which crosses to other workers and pages. */
  report(): FailureReport {
    return { code: this.code, message: this.message, remedy: this.remedy, detail: this.detail, data: this.data };
  }
}

/** A failure whose blanks are filled from `data`. */
export function failureOf(code: string, { sentence, remedy }: FailureText, data: Blanks = {}, detail = ''): MambaError {
  return new MambaError({ code, message: fill(sentence, data).trim(), remedy: fill(remedy, data), detail, data });
}

/** A failure of the engine's, with what the messages say of `code`. */
export function failure(code: EngineCode, data: Blanks = {}, detail = ''): MambaError {
  return failureOf(code, messages().failures[code], data, detail);
}

/** Whatever was thrown, as a failure: a report that crossed from the worker, an engine error with a code, or anything else. */
export function toFailure(thrown: unknown): MambaError {
  if (thrown instanceof MambaError) return thrown;
  const { name, code, message, cause } = (thrown ?? {}) as Partial<FailureReport> & { name?: string; cause?: unknown };
  if (isReport(thrown)) return new MambaError(thrown);
  if (isReport(cause)) return new MambaError(cause);
  if (name === 'AbortError') return failure('cancelled');
  if (name === 'QuotaExceededError') return failure('no-room-left', { missing: '' }, message);
  // Only the sentences that have a place for it show the engine's own words.
  if (isEngineCode(code)) return failure(code, messages().failures[code].sentence.includes('{problem}') ? { problem: message ?? '' } : {}, message);
  return failure('unexpected', {}, thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));
}

function isReport(value: unknown): value is FailureReport {
  const { code, message, remedy, detail } = (value ?? {}) as Partial<FailureReport>;
  return [code, message, remedy, detail].every((each) => typeof each === 'string');
}

/** Whether it is one of the engine's own codes. */
export function isEngineCode(code: unknown): code is EngineCode {
  return typeof code === 'string' && Object.hasOwn(messages().failures, code);
}
