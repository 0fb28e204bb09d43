/**
 * Hundreds of random fault schedules, each from a printed seed: whatever a server and a line do, a download ends with the
 * exact bytes or with a typed failure that has a remedy, and goes on from what it kept once the faults are over.
 * SEEDS=from-to runs others. Each prints a line: its setting, what was done to it, how it ended, and what came twice.
 */
import { expect, test } from 'vitest';
import { toFailure } from '../src/base/failure';
import { download, type DownloadOptions, type DownloadPlan } from '../engine/src/store/download';
import type { Fault } from '../engine/src/store/fault';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS, listed } from './browser';
import { FaultProxy, FAULTS, seeded, type FaultKind, type FaultPlan } from './fault-proxy';
import { Origin } from './origin';

const [FROM = 1, TO = 220] = (process.env.SEEDS ?? '1-220').split('-').map(Number);
/** Schedules at once: most of their time is waiting. */
const ABREAST = 12;

/** Faults that put wrong bytes where right ones should be. Without a listed hash nobody can tell, so they come only with one. */
const LIES: readonly FaultKind[] = ['flip', 'lying-range'];
/** Where answers do not show which range they are, neither can a shifted one be noticed, nor a whole file without a length that ends early. */
const HIDDEN_LIES: readonly FaultKind[] = ['wrong-range', 'truncate'];
/** What no retry cures: a file that differs from its listing, or changes again and again. */
const LAST_WORDS = new Set(['wrong-bytes', 'changing', 'not-gguf']);
const HIDING = { nothing: [], range: ['content-range'], length: ['content-range', 'content-length'] } as const;

interface Outcome {
  seed: number;
  setting: string;
  faults: FaultKind[];
  ended: string;
  /** Bytes received beyond the file's own, in chunks: of ranges, and of all answers. */
  excess: { ranges: number; all: number };
  /** What `excess.all` may be at most. */
  bound: number;
}

async function run(seed: number): Promise<Outcome> {
  const random = seeded(seed);
  // Pauses draw from a generator of their own, so that the schedule is the seed's alone.
  const jitter = seeded(seed + 0x10000);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const knowledge = pick(['none', 'sha256', 'chunks', 'chunks'] as const);
  const ranges = random() < 0.85;
  const etag = pick(['strong', 'strong', 'weak', 'none'] as const);
  const wholeRate = random() < 0.3 ? 0 : Infinity;
  const length = pick([3 * CHUNK, 9 * CHUNK + 17, 16 * CHUNK, 5 * CHUNK - 1]);
  const bytes = ggufBytes(length, seed);
  const changed = ggufBytes(length, seed + 1);
  const changes = knowledge === 'none' && etag !== 'none' && random() < 0.2;
  const rate = pick([0.1, 0.3, 0.6]);
  const hiding = pick(['nothing', 'nothing', 'nothing', 'range', 'length'] as const);
  const edges = !changes && random() < 0.2;
  // A body without a length that ends early looks complete: only a listing or a range can tell.
  const kinds = FAULTS.filter(
    (kind) => knowledge !== 'none' || (!LIES.includes(kind) && (ranges || kind !== 'truncate') && (hiding === 'nothing' || !HIDDEN_LIES.includes(kind))),
  );
  let faulty = true;
  let requests = 0;
  const received = { ranges: 0, all: 0 };
  const origin = new Origin({ ranges, etag, modified: etag !== 'none' || random() < 0.5 });
  await origin.start();
  origin.files.set('/m.gguf', Buffer.from(bytes));
  const proxy = new FaultProxy(origin.url, (): FaultPlan | undefined => {
    requests += 1;
    if (changes && requests === 4) origin.files.set('/m.gguf', Buffer.from(changed));
    // Drawn for every request, so that one schedule's faults do not depend on the last one's.
    const fault = { kind: pick(kinds), at: random(), bit: random() };
    return faulty && random() < rate ? fault : undefined;
  }, { hidden: HIDING[hiding], ...(edges ? { edge: () => Math.floor(random() * 2) } : {}) });
  await proxy.start();
  const { store, rows } = await emptyStore();
  const url = `${proxy.url}m.gguf`;
  const { chunks, ...whole } = listed(bytes);
  const listing = knowledge === 'none' ? {} : knowledge === 'sha256' ? whole : { ...whole, chunks };
  const plan: DownloadPlan = { url, name: 'm', origin: { kind: 'address', name: 'm', urls: [url] }, parts: [{ name: 'm.gguf', url, ...listing }] };
  let stalls = 0;
  const fetchCounting = async (address: string, init: RequestInit) => {
    init.signal?.addEventListener('abort', () => (stalls += Number((init.signal?.reason as Partial<Fault>).kind === 'stall')));
    const response = await fetch(address, init);
    const reader = response.body?.getReader();
    // A question about the version is no chunk.
    const counts = (init.headers as Record<string, string>).range !== 'bytes=0-3';
    let rest = new Uint8Array();
    // Only what the download reads, in small pieces: of an answer that it discards, it has nothing twice.
    const counted = reader && new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (rest.length === 0) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          rest = value;
        }
        const piece = rest.subarray(0, 512);
        rest = rest.subarray(512);
        if (counts && response.status === 206) received.ranges += piece.length;
        if (counts) received.all += piece.length;
        controller.enqueue(piece);
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
    return new Response(counted ?? null, response);
  };
  const options = (): DownloadOptions => ({
    env: hastyEnvironment({ fetch: fetchCounting, random: jitter, crossOrigin: () => hiding !== 'nothing' }), limits: { ...LIMITS, wholeRate }, signal: new AbortController().signal,
    onProgress: () => undefined, chunkBytes: CHUNK,
  });
  try {
    const right = () => new Uint8Array(origin.files.get('/m.gguf') as Buffer);
    let ended = 'exact';
    const model = await download(store, plan, options()).catch((thrown: unknown) => {
      const { code, message, remedy } = toFailure(thrown);
      expect(code, `${seed}: ${String(thrown)}`).not.toBe('unexpected');
      expect(message.length, `${seed}`).toBeGreaterThan(10);
      expect(remedy.length, `${seed}`).toBeGreaterThan(10);
      ended = code;
      return undefined;
    });
    const faults = [...proxy.done];
    const excess = { ranges: (received.ranges - length) / CHUNK, all: (received.all - length) / CHUNK };
    if (model) {
      expect((await allBytes(store, model))[0], `${seed}: the bytes`).toEqual(right());
    } else {
      expect(await store.find(url), `${seed}: a failed download counts`).toBeUndefined();
      if (LAST_WORDS.has(ended)) expect(knowledge === 'chunks' ? 0 : await rows(), `${seed}: useless rows`).toBe(0);
      // The faults are over: the next visit finishes, whatever the first one left.
      faulty = false;
      const again = await download(store, plan, options()).catch((thrown: unknown) => {
        const { code, detail } = toFailure(thrown);
        throw new Error(`${seed} ${knowledge}, ${ended} after ${faults.join(' ')}: the second visit ended with ${code}, ${detail}`);
      });
      expect((await allBytes(store, again))[0], `${seed}: the bytes of the second visit`).toEqual(right());
    }
    // A busy machine may stall where the schedule does not.
    const slow = Math.max(0, stalls - faults.filter((kind) => ['stall', 'drip'].includes(kind)).length);
    // Where ranges work, versions hold and bad chunks can be told apart, a fault costs one chunk at most.
    const orderly = ranges && !changes && !edges && knowledge !== 'sha256';
    if (orderly) expect(excess.ranges, `${seed}: chunks fetched twice for ${faults.length} faults`).toBeLessThanOrEqual(faults.length + slow);
    const restarts = changes || (edges && knowledge === 'none') ? 1 : 0;
    const bound = boundOf({ chunks: length / CHUNK, faults, slow, knowledge, ranges: ranges && hiding !== 'length', restarts });
    const setting = [knowledge, ranges ? 'ranges' : 'whole', etag, wholeRate === 0 && 'fast whole', changes && 'changes', hiding !== 'nothing' && `hides ${hiding}`, edges && 'edges'];
    const outcome = { seed, setting: setting.filter(Boolean).join(' '), faults, ended, excess, bound };
    expect(excess.all, `chunks fetched twice: ${lineOf(outcome)}`).toBeLessThanOrEqual(bound);
    return outcome;
  } finally {
    await Promise.all([proxy.stop(), origin.stop()]);
  }
}

interface Circumstances {
  chunks: number;
  faults: FaultKind[];
  slow: number;
  knowledge: string;
  ranges: boolean;
  restarts: number;
}

/** How many chunks may come twice, by what the source tells and the server can. */
function boundOf({ chunks, faults, slow, knowledge, ranges, restarts }: Circumstances): number {
  const met = faults.length + slow;
  // A stream that breaks begins again, and a server that sends a whole file in place of a range is read as such a stream.
  const streams = ranges && !faults.some((kind) => ['whole', 'html'].includes(kind)) ? 0 : met;
  // A hash of the whole file does not say which chunk is bad: looking for it costs one more copy.
  const copies = knowledge === 'sha256' && faults.some((kind) => LIES.includes(kind)) ? 1 : 0;
  return met + chunks * (streams + copies + restarts) + 1;
}

function lineOf({ seed, setting, faults, ended, excess, bound }: Outcome): string {
  return `${seed} ${setting}: ${faults.join(' ') || 'no fault'} → ${ended}, ${excess.all.toFixed(1)} of ${bound.toFixed(0)} chunks twice`;
}

test(`schedules ${FROM} to ${TO} end with the exact bytes or a typed failure`, { timeout: 300_000 }, async () => {
  const outcomes: Outcome[] = [];
  let next = FROM;
  await Promise.all(Array.from({ length: ABREAST }, async () => {
    while (next <= TO) outcomes.push(await run(next++));
  }));
  const count = (words: string[]) => Object.entries(words.reduce<Record<string, number>>((sums, word) => ({ ...sums, [word]: (sums[word] ?? 0) + 1 }), {}));
  const faults = outcomes.flatMap((outcome) => outcome.faults);
  console.log(outcomes.sort((a, b) => a.seed - b.seed).map(lineOf).join('\n'));
  console.log(`seeds ${FROM}-${TO}: ${faults.length} faults in ${outcomes.length} schedules`);
  console.log(`faults: ${count(faults).map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
  console.log(`ended: ${count(outcomes.map(({ ended }) => ended)).map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
  expect(outcomes).toHaveLength(TO - FROM + 1);
  // Every kind of fault was met, and faults are survived more often than not: else the schedules test nothing.
  if (TO - FROM >= 199) {
    expect(new Set(faults)).toEqual(new Set(FAULTS));
    expect(outcomes.filter(({ ended, faults }) => ended === 'exact' && faults.length > 0).length).toBeGreaterThan(outcomes.length / 2);
  }
});
