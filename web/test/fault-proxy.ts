/** A proxy that spoils answers: forwards every request to a real server and does to the answer what the schedule says. */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { LocalServer } from './local-server';

export type FaultKind =
  | 'refuse' | 'cut' | 'truncate' | 'wrong-range' | 'lying-range' | 'whole' | '416' | '429' | '500' | '503'
  | 'stall' | 'drip' | 'flip' | 'no-length' | 'new-etag'
  /** A page about maintenance, with status 200. */
  | 'html'
  /** Less than was asked for, honestly. */
  | 'capped';

export const FAULTS: readonly FaultKind[] = [
  'refuse', 'cut', 'truncate', 'wrong-range', 'lying-range', 'whole', '416', '429', '500', '503', 'stall', 'drip', 'flip', 'no-length', 'new-etag', 'html',
  'capped',
];

const PAGE = `<!doctype html><title>Maintenance</title>${'<p>Back soon.</p>'.repeat(30)}`;

/** What to do to one answer; `at` and `bit` say where, as shares of the body. */
export interface FaultPlan {
  kind: FaultKind;
  at: number;
  bit: number;
}

/** Chance that can be repeated: a small generator (mulberry32) with a printed seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Habits {
  /** Headers to hide, as servers of other origins do. */
  hidden?: readonly string[];
  /** Tells which of several servers gives an answer: each has an ETag of its own for the same bytes. */
  edge?: () => number;
}

export class FaultProxy extends LocalServer {
  /** Faults that were done so far, in order. */
  readonly done: FaultKind[] = [];
  #requests = 0;

  constructor(
    private readonly origin: string,
    /** Called with the number of each request for a body, from 0. */
    private readonly plan: (request: number, path: string) => FaultPlan | undefined,
    private readonly habits: Habits = {},
  ) {
    super();
  }

  protected override serve(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => undefined);
    this.#forward(request, response, request.method === 'GET' ? this.plan(this.#requests++, request.url ?? '') : undefined);
  }

  #forward(request: IncomingMessage, response: ServerResponse, fault: FaultPlan | undefined): void {
    if (fault) this.done.push(fault.kind);
    const headers = { ...request.headers };
    delete headers.host;
    const edge = this.habits.edge?.();
    const tag = edge === undefined ? undefined : `"edge-${edge}"`;
    if (tag !== undefined) {
      if (headers['if-range'] !== undefined && headers['if-range'] !== tag) delete headers.range;
      delete headers['if-range'];
    }
    switch (fault?.kind) {
      case 'refuse':
        request.socket.destroy();
        return;
      case '416': case '429': case '500': case '503':
        response.writeHead(Number(fault.kind), { 'access-control-allow-origin': '*', ...patienceAsked(fault.kind) }).end('no');
        return;
      case 'html':
        response.writeHead(200, { 'access-control-allow-origin': '*', 'content-type': 'text/html', 'content-length': PAGE.length }).end(PAGE);
        return;
      case 'capped':
        headers.range = shortened(headers.range, fault);
        break;
      case 'whole':
        delete headers.range;
        break;
      case 'wrong-range':
        headers.range = shifted(headers.range, fault);
        break;
    }
    if (headers.range === undefined) delete headers.range;
    const upstream = httpRequest(new URL(request.url ?? '/', this.origin), { method: request.method, headers }, (answer) => {
      const given = { ...answer.headers };
      if (tag !== undefined) given.etag = tag;
      for (const name of this.habits.hidden ?? []) delete given[name];
      if (fault?.kind === 'new-etag') given.etag = `"${Math.floor(fault.at * 1e9)}"`;
      if (fault && ['truncate', 'no-length'].includes(fault.kind)) delete given['content-length'];
      const length = Number(answer.headers['content-length'] ?? 0);
      response.writeHead(answer.statusCode ?? 500, given);
      if (fault && ['cut', 'truncate', 'stall', 'drip', 'flip', 'lying-range'].includes(fault.kind)) spoil(answer, response, fault, length);
      else answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    upstream.end();
  }
}

/** Servers say when to try again in seconds, or until a date. */
function patienceAsked(kind: '416' | '429' | '500' | '503'): Record<string, string> {
  if (kind === '429') return { 'retry-after': '2' };
  return kind === '503' ? { 'retry-after': new Date(Date.now() + 2000).toUTCString() } : {};
}

/** The beginning of a range that has an end. */
function shortened(range: string | undefined, { at }: FaultPlan): string | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  return first === undefined ? range : `bytes=${first}-${Number(first) + Math.floor(at * (Number(last) - Number(first)))}`;
}

/** Another range of the same length, where one fits. */
function shifted(range: string | undefined, { at }: FaultPlan): string | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  if (first === undefined) return range;
  const by = 1 + Math.floor(at * 100);
  return `bytes=${Math.max(0, Number(first) - by) || by}-${last ? Number(last) - 1 : ''}`;
}

function spoil(answer: IncomingMessage, response: ServerResponse, { kind, at, bit }: FaultPlan, length: number): void {
  const stop = Math.floor(at * length);
  let position = 0;
  const dripping: NodeJS.Timeout[] = [];
  response.on('close', () => dripping.forEach(clearInterval));
  answer.on('data', (piece: Buffer) => {
    const within = stop - position;
    const before = position;
    position += piece.length;
    if (kind === 'flip') {
      if (within >= 0 && within < piece.length) piece[within] = (piece[within] ?? 0) ^ (1 << Math.floor(bit * 8));
      response.write(piece);
    } else if (kind === 'lying-range') {
      response.write(Buffer.from(piece).reverse());
    } else if (before < stop || stop === 0) {
      const good = piece.subarray(0, Math.max(0, within));
      if (good.length > 0) response.write(good);
      if (position < stop) return;
      answer.pause();
      if (kind === 'cut') setTimeout(() => response.destroy(), 2);
      if (kind === 'truncate') response.end();
      // The next byte now and then: right, alive, and of no use.
      let next = Math.max(0, within);
      if (kind === 'drip') dripping.push(setInterval(() => next < piece.length && response.write(piece.subarray(next, ++next)), 20));
    }
  });
  // A body of one piece has ended although it is paused.
  answer.on('end', () => (kind === 'flip' || kind === 'lying-range') && response.end());
}
