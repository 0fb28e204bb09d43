/** One request for a range of a file: says what the answer is, or why it is none. */
import { failure } from '../app/failure';
import type { Environment } from './environment';
import { Changed, Fault } from './fault';
import type { Version } from './model-record';

export interface RangeQuestion {
  url: string;
  /** First byte. */
  start: number;
  /** Byte after the last; null asks for all that follow. */
  end: number | null;
  /** The version that the stored chunks belong to; its ETag is null before the first answer. */
  version: Version;
  /** Length of the whole file as far as it is known. */
  total: number | null;
}

export interface RangeAnswer {
  /** A range as asked for, or the whole file from its first byte. */
  kind: 'range' | 'whole';
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
  const { url, start, end, version } = question;
  const headers: Record<string, string> = { range: `bytes=${start}-${end === null ? '' : end - 1}` };
  // A strong validator only. To other origins the header would cost a preflight that many file servers refuse:
  // there, comparing the answer's own validators below does the same work.
  const strong = version.etag !== null && !version.etag.startsWith('W/') ? version.etag : version.modified;
  if (strong !== null && !env.crossOrigin(url)) headers['if-range'] = strong;
  const response = await request(env, url, headers, signal);
  try {
    return checked(question, response);
  } catch (thrown) {
    discard(response);
    throw thrown;
  }
}

/** The whole file, for servers that show no length in their ranges. */
export async function requestWhole(env: Environment, url: string, signal: AbortSignal): Promise<RangeAnswer> {
  const response = await request(env, url, {}, signal);
  try {
    return checked({ url, start: 0, end: null, version: { etag: null, modified: null }, total: null }, response);
  } catch (thrown) {
    discard(response);
    throw thrown;
  }
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
  const { status } = response;
  const version = { etag: response.headers.get('etag'), modified: response.headers.get('last-modified') };
  if (status === 416) {
    const total = count(/^bytes \*\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]);
    if (total === 0 && question.total === null) throw failure('not-gguf', {}, `${question.url} is empty`);
    if (differs(question.version, version) || (question.total !== null && total !== null && total !== question.total)) {
      throw new Changed(`no such range: the file now has ${total ?? 'another number of'} bytes`);
    }
  }
  if (status !== 200 && status !== 206) throw refusal(response, question.url);
  // 206 speaks of the very file that If-Range names; but servers err, and other origins are asked without it.
  if (differs(question.version, version)) throw new Changed(`${describe(question.version)} became ${describe(version)}`);
  if (status === 200) {
    const announced = count(response.headers.get('content-length'));
    if (question.total !== null && announced !== null && announced !== question.total && version.etag === null) {
      throw new Changed(`${question.total} bytes became ${announced}`);
    }
    return { kind: 'whole', total: announced, version, response };
  }
  const { start, end, total } = rangeOf(response);
  const expectedEnd = question.end === null ? total : Math.min(question.end, total ?? question.total ?? Infinity);
  if ((start !== null && start !== question.start) || (end !== null && expectedEnd !== null && end !== expectedEnd)) {
    throw new Fault('wrong-range', `asked for ${question.start}-${question.end ?? ''}, got ${response.headers.get('content-range')}`);
  }
  const length = count(response.headers.get('content-length'));
  if (length !== null && expectedEnd !== null && Number.isFinite(expectedEnd) && length !== expectedEnd - question.start) {
    throw new Fault('wrong-range', `asked for ${expectedEnd - question.start} bytes, got ${length}`);
  }
  if (question.total !== null && total !== null && total !== question.total) {
    // The same version with another length is a mistake; without a version to go by, it is another file.
    if (version.etag !== null && version.etag === question.version.etag) throw new Fault('wrong-range', `${question.total} bytes became ${total}`);
    throw new Changed(`${question.total} bytes became ${total}`);
  }
  return { kind: 'range', total: total ?? question.total, version, response };
}

function refusal(response: Response, url: string): Error {
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
function differs(known: Version, seen: Version): boolean {
  const plain = (etag: string) => etag.replace(/^W\//, '');
  if (known.etag !== null && seen.etag !== null) return plain(known.etag) !== plain(seen.etag);
  return known.modified !== null && seen.modified !== null && known.modified !== seen.modified;
}

function describe({ etag, modified }: Version): string {
  return etag ?? modified ?? 'an unnamed version';
}
