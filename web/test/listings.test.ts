import { expect, test, vi } from 'vitest';
import { LIMITS } from '../engine/src/store/download-job';
import { browserEnvironment } from '../engine/src/store/environment';
import { listingOf, type Listing } from '../engine/src/store/listing-of';
import { catalogue } from '../src/models/catalogue';
import { Listings } from '../src/models/listings';
import { Origin } from './origin';

test('the hub lists a file with its size, does not list it, or cannot be asked', async () => {
  const hub = new Origin();
  await hub.start();
  const base = hub.url.slice(0, -1);
  const path = '/api/models/maker/model/tree/main';
  const limits = { ...LIMITS, retries: { ...LIMITS.retries, firstTries: 1 } };
  const ask = (file: string, repo = 'maker/model') => listingOf(browserEnvironment, limits, { kind: 'hub', repo, revision: 'main', file }, base);
  hub.files.set(path, Buffer.from(JSON.stringify([{ type: 'file', path: 'a.gguf', size: 7, lfs: { oid: 'f'.repeat(64), size: 381 } }])));
  expect(await ask('a.gguf')).toEqual({ kind: 'listed', bytes: 381 });
  expect(await ask('b.gguf')).toEqual({ kind: 'absent' });
  expect(await ask('a.gguf', 'maker/none')).toEqual({ kind: 'absent' });
  hub.files.set(path, Buffer.from('<html>'));
  expect(await ask('a.gguf')).toEqual({ kind: 'unknown' });
  await hub.stop();
  expect(await ask('a.gguf')).toEqual({ kind: 'unknown' });
  expect(await listingOf(browserEnvironment, limits, { kind: 'address', name: 'x', urls: ['http://x/'] })).toEqual({ kind: 'unknown' });
});

const unconfirmed = catalogue.filter((entry) => entry.unconfirmed);

test('what no listing was seen of is asked for once, and again only where it could not be', async () => {
  expect(unconfirmed.length).toBeGreaterThan(3);
  const answers: Listing[] = unconfirmed.map((_, index) => (index === 0 ? { kind: 'unknown' } : index === 1 ? { kind: 'absent' } : { kind: 'listed', bytes: 1 }));
  const listings = vi.fn(async (sources: readonly unknown[]) => answers.slice(0, sources.length));
  const changed = vi.fn();
  const asked = new Listings({ listings }, 'http://page/', changed);
  const [first, second, third] = unconfirmed as [never, never, never];
  expect(asked.of(first)).toBeUndefined();
  await Promise.all([asked.ask(), asked.ask()]);
  expect([listings.mock.calls.length, changed.mock.calls.length]).toEqual([1, 1]);
  expect([asked.of(first), asked.of(second), asked.of(third)]).toEqual(answers.slice(0, 3));
  await asked.ask();
  expect(listings.mock.calls[1]?.[0]).toHaveLength(1);
});

test('where the engine fails, a listing is unknown', async () => {
  const asked = new Listings({ listings: async () => Promise.reject(new Error('gone')) }, 'http://page/', () => undefined);
  await asked.ask();
  expect(asked.of(unconfirmed[0] ?? expect.fail())).toEqual({ kind: 'unknown' });
});
