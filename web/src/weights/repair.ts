/**
 * Mends a part whose SHA-256 is not the listed one, where nobody lists the hashes of its chunks. Which chunk is bad cannot be
 * told from one copy, so chunks are fetched again one by one and compared with what is stored: those that come differently
 * were damaged once. Ends as soon as the file's hash is right, at the cost of at most one more copy; nothing is stored twice.
 */
import { failure } from '../app/failure';
import { ChunkFetch, ServesWhole } from './chunk-fetch';
import type { DownloadJob } from './download-job';
import { chunkCount, digestOf, storedBytes } from './model-record';
import { equalBytes } from './sha256';

export async function repairPart(job: DownloadJob, partIndex: number, isRight: () => Promise<boolean>): Promise<void> {
  const part = job.part(partIndex);
  // A server without ranges can only send everything again, which is the visitor's choice to make.
  if (part.ranges === false) throw failure('wrong-bytes', { name: part.name });
  const count = chunkCount(part, job.model.chunkBytes);
  for (let index = 0; index < count; index += 1) {
    job.report('repair', true, Math.min(index * job.model.chunkBytes, storedBytes(part, job.model.chunkBytes)));
    const again = await new ChunkFetch(job, part, index, async () => undefined).run().catch((thrown: unknown) => {
      throw thrown instanceof ServesWhole ? failure('wrong-bytes', { name: part.name }) : thrown;
    });
    if (equalBytes(again.digest, digestOf(part.digests, index))) continue;
    await job.save(partIndex, index, again.chunk, again.digest);
    if (await isRight()) return;
  }
  throw failure('wrong-bytes', { name: part.name }, `SHA-256 should be ${part.listedSha256}`);
}
