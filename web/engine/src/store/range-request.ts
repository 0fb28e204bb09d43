/** One request for a range of a file: says what the answer is, or why it is none. */
import { failure } from '../base/failure.ts';
import type { Environment } from './environment.ts';
import { Fault, OtherVersion } from './fault.ts';
import type { Version } from './model-record.ts';
import { readBody, watched, type StallLimit } from './watchdog.ts';

/** The version that the stored chunks belong to; its ETag and date are null before the first answer. */
export interface Expected extends Version {
  /** Whether the server is asked to send the whole file where it has another version. */
  ifRange: boolean;
  /** Whether another version is as good. */
  accepts(version: Version): boolean;
}

export interface RangeQuestion {
  url: string;
  /** First byte. */
  start: number;
  /** Byte after the last; null asks for all that follow. */
  end: number | null;
  expected: Expected;
  /** Length of the whole file as far as it is known. */
  total: number | null;
}

export interface RangeAnswer {
  /** A range as asked for, or the whole file from its first byte. */
  kind: 'range' | 'whole';
  /** Byte after the last that it brings, or null where the answer does not show it. Servers may send less than they are asked for. */
  end: number | null;
  /** Length of the whole file, or null where the answer does not show it. */
  total: number | null;
  version: Version;
  response: Response;
}

/** Statuses that another try may change; every other one above 400 is the server's last word. */
const PASSING = new Set([408, 416, 421, 425, 429]);
/** Longer than this nobody waits in front of a progress bar. */
export const LONGEST_WAIT = 120_000;

export async function requestRange(env: Environment, question: RangeQuestion, signal: AbortSignal): Promise<RangeAnswer> {
  const { url, start, end, expected } = question;
  const headers: Record<string, string> = { range: `bytes=${start}-${end === null ? '' : end - 1}` };
  // A strong validator only. To other origins the header would cost a preflight that many file servers refuse:
  // there, comparing the answer's own validators below does the same work.
  const strong = expected.etag !== null && !expected.etag.startsWith('W/') ? expected.etag : expected.modified;
  if (expected.ifRange && strong !== null && !env.crossOrigin(url)) headers['if-range'] = strong;
  const response = await request(env, url, headers, signal);
  try {
    return checked(question, response);
  } catch (thrown) {
    discard(response);
    throw thrown;
  }
}

/** The whole file, for servers without ranges, or that show no length in them. */
export async function requestWhole(env: Environment, url: string, expected: Expected, total: number | null, signal: AbortSignal): Promise<RangeAnswer> {
  const response = await request(env, url, {}, signal);
  try {
    const answer = checked({ url, start: 0, end: null, expected, total }, response);
    if (answer.kind === 'range') throw new Fault('wrong-range', 'a range came in place of the whole file');
    return answer;
  } catch (thrown) {
    discard(response);
    throw thrown;
  }
}

/** What lies at an address now, held to nothing. */
export interface Beginning {
  /** Its first bytes. */
  bytes: Uint8Array;
  version: Version;
  /** Length of the whole file, or null where the answer does not show it. */
  total: number | null;
}

/** Asks for the first `length` bytes, or with `whole` for everything, of which no more are read. */
export async function beginningOf(env: Environment, url: string, length: number, stall: StallLimit, signal: AbortSignal, whole = false): Promise<Beginning> {
  return watched(env, stall, signal, async (inner, came) => {
    const response = await request(env, url, whole ? {} : { range: `bytes=0-${length - 1}` }, inner);
    if (response.status !== 200 && response.status !== 206) {
      discard(response);
      throw refusal(response, url);
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    await readBody(response, inner, (piece) => {
      came(piece.length);
      const taken = piece.subarray(0, length - filled);
      bytes.set(taken, filled);
      filled += taken.length;
      return filled < length;
    });
    const total = response.status === 206 ? rangeOf(response).total : count(response.headers.get('content-length'));
    return { bytes: bytes.subarray(0, filled), version: versionOf(response), total };
  });
}

/** Ends a body that nobody reads. Never awaited: a connection that hangs may also hang in its end. */
export function discard(response: Response): void {
  void response.body?.cancel().catch(() => undefined);
}

async function request(env: Environment, url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  try {
    // The store is the only copy: the browser's own cache would keep the gigabytes a second time.
    return await env.fetch(url, { headers, signal, cache: 'no-store' });
  } catch (thrown) {
    signal.throwIfAborted();
    throw new Fault('connection', String(thrown));
  }
}

function checked(question: RangeQuestion, response: Response): RangeAnswer {
  const { start, expected, total: known } = question;
  const { status } = response;
  const version = versionOf(response);
  const other = differs(expected, version) && !expected.accepts(version);
  if (status === 416) {
    const total = count(/^bytes \*\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]);
    if (total === 0 && known === null) throw failure('not-gguf', {}, `${question.url} is empty`);
    if (other || (known !== null && total !== null && total !== known)) {
      throw new OtherVersion(`no such range: the file now has ${total ?? 'another number of'} bytes`, version, total);
    }
  }
  if (status !== 200 && status !== 206) throw refusal(response, question.url);
  const announced = count(response.headers.get('content-length'));
  const range = rangeOf(response);
  // 206 speaks of the very file that If-Range names; but servers err, and other origins are asked without it.
  if (other) throw new OtherVersion(`${describe(expected)} became ${describe(version)}`, version, status === 200 ? announced : range.total);
  if (status === 200) {
    if (known !== null && announced !== null && announced !== known && version.etag === null) {
      throw new OtherVersion(`${known} bytes became ${announced}`, version, announced);
    }
    return { kind: 'whole', end: null, total: announced, version, response };
  }
  if (known !== null && range.total !== null && range.total !== known) {
    const said = `${known} bytes became ${range.total}`;
    // The same version with another length is a mistake; without a version to go by, it is another file.
    throw version.etag !== null && version.etag === expected.etag ? new Fault('wrong-range', said) : new OtherVersion(said, version, range.total);
  }
  const total = range.total ?? known;
  const last = Math.min(question.end ?? Infinity, total ?? Infinity);
  const end = range.end ?? (announced === null ? null : start + announced);
  const shifted = (range.start ?? start) !== start || (end !== null && (end > last || end <= start));
  const contradicts = range.end !== null && announced !== null && announced !== range.end - start;
  if (shifted || contradicts) {
    throw new Fault('wrong-range', `asked for ${start}-${question.end ?? ''}, got ${response.headers.get('content-range')} with ${announced} bytes`);
  }
  return { kind: 'range', end, total, version, response };
}

function versionOf({ headers }: Response): Version {
  return { etag: headers.get('etag'), modified: headers.get('last-modified') };
}

/** What a status without a body of the file means: another try may help, or it is the server's last word. */
export function refusal(response: Response, url: string): Error {
  const { status } = response;
  if (status < 500 && !PASSING.has(status)) return failure('http-status', { status }, url);
  return new Fault(status === 416 ? 'wrong-range' : 'busy', `the server answered ${status}`, waitOf(response), status);
}

/** `Retry-After` in milliseconds: seconds, or a date. */
function waitOf(response: Response): number {
  const asked = response.headers.get('retry-after');
  if (asked === null) return 0;
  const milliseconds = /^\d+$/.test(asked.trim()) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
}

/** `bytes 0-99/1000`. Servers of other origins may hide it, and `*` stands for an unknown length. `end` is the byte after the last. */
function rangeOf(response: Response): { start: number | null; end: number | null; total: number | null } {
  const [, first, last, whole] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  return { start: count(first), end: last === undefined ? null : Number(last) + 1, total: count(whole) };
}

function count(text: string | null | undefined): number | null {
  return text !== null && text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** Whether two answers certainly speak of different files. Weak and strong forms of one ETag are the same file. */
export function differs(known: Version, seen: Version): boolean {
  const plain = (etag: string) => etag.replace(/^W\//, '');
  if (known.etag !== null && seen.etag !== null) return plain(known.etag) !== plain(seen.etag);
  return known.modified !== null && seen.modified !== null && known.modified !== seen.modified;
}

function describe({ etag, modified }: Version): string {
  return etag ?? modified ?? 'an unnamed version';
}
