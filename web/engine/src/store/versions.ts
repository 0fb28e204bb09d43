/**
 * Which version of a file its answers speak of, and when a change is believed. One wrong answer (a page about maintenance, one server
 * of many that is behind) must cost nothing that is kept, and the bytes of two versions must never mix.
 */
import type { DownloadJob } from './download-job.ts';
import { Changed, Fault, OtherVersion } from './fault.ts';
import { isMagic, MAGIC_BYTES } from './gguf-magic.ts';
import { storedBytes, type PartRecord, type Version } from './model-record.ts';
import { beginningOf, differs, type Expected } from './range-request.ts';

/** A change is believed when so many more answers, each after a pause, are of a model and not of the version that was begun. */
const CONFIRMATIONS = 2;
/** Any answer will do: the listed hashes of chunks judge the bytes. */
const ANY: Expected = { etag: null, modified: null, ifRange: false, accepts: () => true };

export class Versions {
  /** Versions of listed files whose listing was read again and had not changed. */
  readonly #accepted = new Set<string>();
  /** Several requests meet a change at once; it is looked into once. */
  readonly #asking = new Map<string, Promise<Fault>>();

  constructor(
    private readonly job: DownloadJob,
    /**
     * Versions on both sides of a restart, and those that came side by side with the one that is fetched. To see one again tells that
     * a host's servers disagree, not that the file has changed, so it is never believed again in this visit.
     */
    private readonly doubted: Set<string>,
  ) {}

  /** What answers about this part are held to. */
  expected(part: PartRecord): Expected {
    if (part.listedChunks) return ANY;
    const { etag, modified, listedSha256 } = part;
    return { etag, modified, ifRange: !listedSha256, accepts: (version) => this.#accepted.has(keyOf(part, version, null)) };
  }

  /** Throws `Changed` where the answer spoke the truth; else gives the fault to go on with. */
  async judge(part: PartRecord, said: OtherVersion): Promise<Fault> {
    const key = keyOf(part, said.version, said.total);
    const judging = this.#asking.get(key) ?? this.#judge(part, said, key).finally(() => this.#asking.delete(key));
    this.#asking.set(key, judging);
    return judging;
  }

  async #judge(part: PartRecord, said: OtherVersion, key: string): Promise<Fault> {
    if (part.listedChunks || part.listedSha256) {
      if (await this.#relisted()) throw this.#changed(part, said);
      // The same listing: another name for the same bytes, which will be compared with it.
      if (said.total === null || said.total === part.length) this.#accepted.add(keyOf(part, said.version, null));
      return said;
    }
    if (this.doubted.has(key)) return said;
    for (let asked = 0; asked < CONFIRMATIONS; asked += 1) {
      await this.job.retries.pause(asked + 1, this.job.signal);
      const again = await beginningOf(this.job.env, part.url, MAGIC_BYTES, this.job.limits.stall, this.job.signal).catch((thrown: unknown) => {
        if (thrown instanceof Fault) return thrown;
        throw thrown;
      });
      if (again instanceof Fault) return again;
      if (!isMagic(again.bytes)) return new Fault('foreign', `${said.detail}, but what comes is no model`);
      const known = !differs(part, again.version) && (again.total === null || again.total === part.length);
      if (!known) continue;
      this.doubted.add(key);
      return said;
    }
    throw this.#changed(part, said);
  }

  /** A listing that cannot be read now proves nothing. */
  async #relisted(): Promise<boolean> {
    return this.job.relist().catch(() => (this.job.signal.throwIfAborted(), false));
  }

  #changed(part: PartRecord, { detail, version, total }: OtherVersion): Changed {
    // The fresh download takes whichever answers first, and the other proves nothing against it.
    for (const key of [keyOf(part, part, part.length), keyOf(part, version, total)]) this.doubted.add(key);
    return new Changed(`${detail}; ${storedBytes(part, this.job.model.chunkBytes)} bytes of it were kept`);
  }
}

/** One name for a version of a file: its ETag, else its date, else its length. */
function keyOf({ url }: PartRecord, { etag, modified }: Version, total: number | null): string {
  return `${url} ${etag?.replace(/^W\//, '') ?? modified ?? `${total} bytes`}`;
}
