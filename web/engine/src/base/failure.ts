/** The one error of the engine: a code with data. It travels between worker and page as a plain {@link FailureReport}. */
import { fill, type Blanks } from './format';
import { messages, type EngineCode, type FailureText } from './messages';

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

export class Failure extends Error {
  readonly code: string;
  readonly remedy: string;
  readonly detail: string;
  readonly data: Blanks;

  constructor({ code, message, remedy, detail, data = {} }: FailureReport) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.remedy = remedy;
    this.detail = detail;
    this.data = data;
  }

  report(): FailureReport {
    return { code: this.code, message: this.message, remedy: this.remedy, detail: this.detail, data: this.data };
  }
}

/** A failure whose blanks are filled from `data`. */
export function failureOf(code: string, { sentence, remedy }: FailureText, data: Blanks = {}, detail = ''): Failure {
  return new Failure({ code, message: fill(sentence, data).trim(), remedy: fill(remedy, data), detail, data });
}

/** A failure of the engine's, with what the messages say of `code`. */
export function failure(code: EngineCode, data: Blanks = {}, detail = ''): Failure {
  return failureOf(code, messages().failures[code], data, detail);
}

/** Whatever was thrown, as a failure: a report that crossed from the worker, an engine error with a code, or anything else. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const { name, code, message, detail } = thrown as Partial<FailureReport> & { name?: string };
  if (typeof code === 'string' && typeof detail === 'string') return new Failure(thrown as FailureReport);
  if (name === 'AbortError') return failure('cancelled');
  if (name === 'QuotaExceededError') return failure('no-room-left', { missing: '' }, message);
  if (isEngineCode(code)) return failure(code, {}, message);
  return failure('unexpected', {}, thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));
}

/** Whether it is one of the engine's own codes. */
export function isEngineCode(code: unknown): code is EngineCode {
  return typeof code === 'string' && Object.hasOwn(messages().failures, code);
}
