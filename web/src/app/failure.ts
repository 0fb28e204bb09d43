/** The one error of the page. It travels between worker and page as a plain {@link FailureReport}. */
import { fill } from '../ui/format';
import { failures, type FailureCode } from '../ui/strings';

export interface FailureReport {
  /** Stable, for programs. */
  code: string;
  /** What went wrong, for a person. */
  message: string;
  /** What that person can do. */
  remedy: string;
  /** The technical cause, or empty. */
  detail: string;
}

export class Failure extends Error {
  readonly code: string;
  readonly remedy: string;
  readonly detail: string;

  constructor({ code, message, remedy, detail }: FailureReport) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.remedy = remedy;
    this.detail = detail;
  }

  report(): FailureReport {
    return { code: this.code, message: this.message, remedy: this.remedy, detail: this.detail };
  }
}

/**
 * Tells what went wrong. `about` names what was being done: none, with the same name, takes that failure back once the same thing has
 * been done, and no other. None without a name takes back whatever is said.
 */
export type Tell = (failure: Failure | undefined, about?: string) => void;

/** A failure with the sentence of `code`, its blanks filled from `data`. */
export function failure(code: FailureCode, data: Readonly<Record<string, string | number>> = {}, detail = ''): Failure {
  const { sentence, remedy } = failures[code];
  return new Failure({ code, message: fill(sentence, data).trim(), remedy: fill(remedy, data), detail });
}

/** Whatever was thrown, as a failure: a report that crossed from the worker, an engine error with a code, or anything else. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const { name, code, message, detail } = thrown as Partial<FailureReport> & { name?: string };
  if (typeof code === 'string' && typeof detail === 'string') return new Failure(thrown as FailureReport);
  if (name === 'AbortError') return failure('cancelled');
  if (name === 'QuotaExceededError') return failure('app-room', {}, message);
  if (typeof code === 'string' && code in failures) return failure(code as FailureCode, {}, message);
  return failure('unexpected', {}, thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));
}
