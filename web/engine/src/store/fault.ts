/** What can go wrong with one request, for the code that decides what to do next. People never see these. */
import { failure, type MambaError } from '../base/failure.ts';
import { formatBytes } from '../base/format.ts';
import type { Version } from './model-record.ts';

export type FaultKind =
  /** No connection, or it broke, or the body ended early. */
  | 'connection'
  /** Too few bytes for too long. */
  | 'stall'
  /** The server is busy and asks to be tried later, or has an error of its own. */
  | 'busy'
  /** The answer is not the range that was asked for. */
  | 'wrong-range'
  /** The whole file came where a range was asked for. */
  | 'whole'
  /** The answer speaks of another version of the file, and is not believed. */
  | 'version'
  /** What came is no model: a page about maintenance, a sign-in. */
  | 'foreign'
  /** The bytes are not those that the source lists. */
  | 'hash';

/** One request failed; another may succeed. */
export class Fault extends Error {
  constructor(
    readonly kind: FaultKind,
    readonly detail: string,
    /** What the server asked to wait, in milliseconds. */
    readonly retryAfter = 0,
    /** The status, where there was one. */
    readonly status = 0,
  ) {
    super(`${kind}: ${detail}`);
    this.name = 'Fault';
  }
}

/** One answer says that the file is another one now. `versions.ts` judges whether that is so. */
export class OtherVersion extends Fault {
  constructor(
    detail: string,
    readonly version: Version,
    /** Length of the whole file, as far as the answer shows it. */
    readonly total: number | null,
  ) {
    super('version', detail);
    this.name = 'OtherVersion';
  }
}

/** The server certainly has another version of the file than the one that was begun. */
export class Changed extends Error {
  constructor(readonly detail: string) {
    super(detail);
    this.name = 'Changed';
  }
}

/** The failure that is shown when no further try is made. `kept` are the stored bytes, `reached` whether the server ever answered. */
export function givenUp(fault: Fault, name: string, url: string, kept: number, reached: boolean): MambaError {
  const { host } = new URL(url);
  switch (fault.kind) {
    case 'connection':
    case 'stall':
      if (kept > 0) return failure('interrupted', { name, received: formatBytes(kept) }, fault.detail);
      return failure(reached ? 'interrupted-early' : 'network', { name, host }, fault.detail);
    case 'busy':
      if (fault.status !== 429 && fault.status !== 503) return failure('http-status', { status: fault.status }, fault.detail);
      return failure('server-busy', { host }, fault.detail);
    case 'wrong-range':
    case 'whole':
      return failure('wrong-range', { host }, fault.detail);
    case 'version':
    case 'foreign':
      return failure('other-file', { host, name }, fault.detail);
    case 'hash':
      return failure('wrong-bytes', { name }, fault.detail);
  }
}
