/**
 * Hundreds of random fault schedules, each from a printed seed: whatever a server and a line do, a download ends with the
 * exact bytes or with a typed failure that has a remedy, and goes on from what it kept once the faults are over.
 * SEEDS=from-to runs others; one seed alone prints what happened.
 */
import { expect, test } from 'vitest';
import { toFailure } from '../src/app/failure';
import { download, type DownloadOptions, type DownloadPlan } from '../src/weights/download';
import { allBytes, CHUNK, emptyStore, ggufBytes, hastyEnvironment, LIMITS, listed } from './browser';
import { FaultProxy, FAULTS, seeded, type FaultKind, type FaultPlan } from './fault-proxy';
import { Origin } from './origin';

const [FROM = 1, TO = 220] = (process.env.SEEDS ?? '1-220').split('-').map(Number);
/** Schedules at once: most of their time is waiting. */
const ABREAST = 12;

/** Faults that put wrong bytes where right ones should be. Without a listed hash nobody can tell, so they come only with one. */
const LIES: readonly FaultKind[] = ['flip', 'lying-range'];
/** What no retry cures: a file that differs from its listing, or changes again and again. */
const LAST_WORDS = new Set(['wrong-bytes', 'changing', 'not-gguf']);

interface Outcome {
  seed: number;
  setting: string;
  faults: FaultKind[];
  ended: string;
  /** Bytes received beyond the file's own, in chunks. */
  excess: number;
}

async function run(seed: number): Promise<Outcome> {
  const random = seeded(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const knowledge = pick(['none', 'sha256', 'chunks', 'chunks'] as const);
  const ranges = random() < 0.85;
  const etag = pick(['strong', 'strong', 'weak', 'none'] as const);
  const express = random() < 0.3 ? 0 : Infinity;
  const length = pick([3 * CHUNK, 9 * CHUNK + 17, 16 * CHUNK, 5 * CHUNK - 1]);
  const bytes = ggufBytes(length, seed);
  const changed = ggufBytes(length, seed + 1);
  const changes = knowledge === 'none' && etag !== 'none' && random() < 0.2;
  const rate = pick([0.1, 0.3, 0.6]);
  // A body without a length that ends early looks complete: only a listing or a range can tell.
  const kinds = FAULTS.filter((kind) => (knowledge !== 'none' || !LIES.includes(kind)) && (ranges || knowledge !== 'none' || kind !== 'truncate'));
  let faulty = true;
  let requests = 0;
  let received = 0;
  const origin = new Origin({ ranges, etag, modified: etag !== 'none' || random() < 0.5 });
  await origin.start();
  origin.files.set('/m.gguf', Buffer.from(bytes));
  const proxy = new FaultProxy(origin.url, (): FaultPlan | undefined => {
    requests += 1;
    if (changes && requests === 4) origin.files.set('/m.gguf', Buffer.from(changed));
    // Drawn for every request, so that one schedule's faults do not depend on the last one's.
    const fault = { kind: pick(kinds), at: random(), bit: random() };
    return faulty && random() < rate ? fault : undefined;
  });
  await proxy.start();
  const { store, rows } = await emptyStore();
  const url = `${proxy.url}m.gguf`;
  const { chunks, ...whole } = listed(bytes);
  const listing = knowledge === 'none' ? {} : knowledge === 'sha256' ? whole : { ...whole, chunks };
  const plan: DownloadPlan = { url, name: 'm', origin: { kind: 'address', name: 'm', urls: [url] }, parts: [{ name: 'm.gguf', url, ...listing }] };
  const fetchCounting = async (address: string, init: RequestInit) => {
    const response = await fetch(address, init);
    const counted = response.body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        if (response.status === 206) received += piece.length;
        controller.enqueue(piece);
      },
    }));
    return new Response(counted ?? null, response);
  };
  const options = (): DownloadOptions => ({
    env: hastyEnvironment({ fetch: fetchCounting, random }), limits: { ...LIMITS, express }, signal: new AbortController().signal,
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
    const excess = (received - length) / CHUNK;
    if (model) {
      expect((await allBytes(store, model))[0], `${seed}: the bytes`).toEqual(right());
    } else {
      expect(await store.find(url), `${seed}: a failed download counts`).toBeUndefined();
      if (LAST_WORDS.has(ended)) expect(knowledge === 'chunks' ? 0 : await rows(), `${seed}: useless rows`).toBe(0);
      // The faults are over: the next visit finishes, whatever the first one left.
      faulty = false;
      const again = await download(store, plan, options());
      expect((await allBytes(store, again))[0], `${seed}: the bytes of the second visit`).toEqual(right());
    }
    // Where ranges work, versions hold and bad chunks can be told, a fault costs one chunk at most.
    const orderly = ranges && !changes && knowledge !== 'sha256' && !faults.includes('new-etag');
    if (orderly) expect(excess, `${seed}: chunks fetched twice for ${faults.length} faults`).toBeLessThanOrEqual(faults.length);
    return { seed, setting: `${knowledge} ${ranges ? 'ranges' : 'whole'} ${etag}${express === 0 ? ' express' : ''}${changes ? ' changes' : ''}`, faults, ended, excess };
  } finally {
    await Promise.all([proxy.stop(), origin.stop()]);
  }
}

test(`schedules ${FROM} to ${TO} end with the exact bytes or a typed failure`, { timeout: 300_000 }, async () => {
  const outcomes: Outcome[] = [];
  let next = FROM;
  await Promise.all(Array.from({ length: ABREAST }, async () => {
    while (next <= TO) outcomes.push(await run(next++));
  }));
  const count = (words: string[]) => Object.entries(words.reduce<Record<string, number>>((sums, word) => ({ ...sums, [word]: (sums[word] ?? 0) + 1 }), {}));
  const faults = outcomes.flatMap((outcome) => outcome.faults);
  if (FROM === TO) console.log(outcomes[0]);
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
