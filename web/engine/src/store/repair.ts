/**
 * Mends a part whose SHA-256 is not the listed one, where nobody lists the hashes of its chunks. Which chunk is bad cannot be
 * found from one copy, so chunks are fetched again one by one and compared with what is stored. Where they differ, either may be the
 * damaged one: what comes twice the same is right. Ends as soon as the file's hash is right, at the cost of at most one more copy and
 * one or two more of each chunk that differed; nothing is stored twice.
 */
import { failure } from '../base/failure.ts';
import { ChunkFetch, ServesWhole, type FetchedChunk } from './chunk-fetch.ts';
import type { DownloadJob } from './download-job.ts';
import { chunkCount, digestOf, storedBytes } from './model-record.ts';
import { equalBytes } from './sha256.ts';

/** A chunk that came in so many forms has no right one. */
const MOST_COPIES = 4;

export async function repairPart(job: DownloadJob, partIndex: number, isRight: () => Promise<boolean>): Promise<void> {
  const part = job.part(partIndex);
  const wrong = (detail = '') => failure('wrong-bytes', { name: part.name }, detail);
  // A server without ranges can only send everything again, which is the visitor's choice to make.
  if (part.ranges === false) throw wrong();
  const fetched = (index: number) => new ChunkFetch(job, part, index, async () => undefined).run().catch((thrown: unknown) => {
    throw thrown instanceof ServesWhole ? wrong() : thrown;
  });
  const count = chunkCount(part, job.model.chunkBytes);
  for (let index = 0; index < count; index += 1) {
    job.report('repair', true, Math.min(index * job.model.chunkBytes, storedBytes(part, job.model.chunkBytes)));
    const stored = digestOf(part.digests, index).slice();
    const again = await agreed(stored, () => fetched(index));
    if (again === 'stored') continue;
    if (!again) throw wrong(`chunk ${index} came in ${MOST_COPIES} forms`);
    await job.save(partIndex, index, again.chunk, again.digest);
    if (await isRight()) return;
  }
  throw wrong(`SHA-256 should be ${part.listedSha256}`);
}

/** The first chunk that comes as another copy of it did, or `stored` where that is the one in the store. */
async function agreed(stored: Uint8Array, fetch: () => Promise<FetchedChunk>): Promise<FetchedChunk | 'stored' | undefined> {
  const seen: Uint8Array[] = [];
  while (seen.length < MOST_COPIES) {
    const copy = await fetch();
    if (equalBytes(copy.digest, stored)) return 'stored';
    if (seen.some((digest) => equalBytes(digest, copy.digest))) return copy;
    seen.push(copy.digest);
  }
  return undefined;
}
