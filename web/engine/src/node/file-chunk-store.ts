/**
 * Records and chunks in a folder: a file for each chunk, under a name that is used once, and one index that says which belong to what. An
 * index takes the place of the one before as a whole, and with it all changes of a call are made or none. Processes take turns.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { Change, Chunk, ChunkKey, ChunkStore } from '../store/chunk-store.ts';
import type { ModelRecord } from '../store/model-record.ts';
import { ifMissing, replaceFile, writeFailure } from './whole-file.ts';

const INDEX = 'index';
const LOCK = 'lock';
const CHUNK = '.chunk';
/** Between two looks at a folder that another process changes. */
const WAIT_MILLISECONDS = 20;

interface Index {
  records: Map<string, ModelRecord>;
  /** Names of files, by chunk keys as JSON. */
  chunks: Map<string, string>;
}

export class FileChunkStore implements ChunkStore {
  /** Calls of this process that change something take turns. */
  #last: Promise<unknown> = Promise.resolve();
  #isTidy = false;

  constructor(private readonly folder: string) {}

  async records(): Promise<ModelRecord[]> {
    return [...(await this.#index()).records.values()];
  }

  async record(url: string): Promise<ModelRecord | undefined> {
    return (await this.#index()).records.get(url);
  }

  async chunk(key: ChunkKey): Promise<Chunk | undefined> {
    const name = (await this.#index()).chunks.get(JSON.stringify(key));
    if (name === undefined) return undefined;
    // A chunk that was deleted since is as one that never was.
    return readFile(path.join(this.folder, name)).then((bytes) => new Uint8Array(bytes), ifMissing(undefined));
  }

  change(changes: readonly Change[]): Promise<void> {
    return this.#alone((index) => this.#make(index, changes));
  }

  edit(url: string, edit: (record: ModelRecord) => ModelRecord): Promise<void> {
    return this.#alone(async (index) => {
      const record = index.records.get(url);
      if (record) await this.#make(index, [{ put: 'record', record: edit(record) }]);
    });
  }

  async #index(): Promise<Index> {
    const bytes = await readFile(path.join(this.folder, INDEX)).catch(ifMissing(undefined));
    return bytes ? (deserialize(bytes) as Index) : { records: new Map(), chunks: new Map() };
  }

  async #make(index: Index, changes: readonly Change[]): Promise<void> {
    const before = new Set(index.chunks.values());
    const written: string[] = [];
    try {
      for (const change of changes) {
        if ('put' in change && change.put === 'chunk') written.push(await this.#write(index, change.key, change.chunk));
        else apply(index, change);
      }
      await replaceFile(path.join(this.folder, INDEX), serialize(index));
    } catch (thrown) {
      await this.#remove(written);
      throw writeFailure(thrown);
    }
    const after = new Set(index.chunks.values());
    await this.#remove([...before, ...written].filter((name) => !after.has(name)));
  }

  async #write(index: Index, key: ChunkKey, chunk: Chunk): Promise<string> {
    const name = randomUUID() + CHUNK;
    const bytes = chunk instanceof Blob ? new Uint8Array(await chunk.arrayBuffer()) : chunk;
    await writeFile(path.join(this.folder, name), bytes, { flush: true }).catch(async (thrown: unknown) => {
      await this.#remove([name]);
      throw thrown;
    });
    index.chunks.set(JSON.stringify(key), name);
    return name;
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(path.join(this.folder, name), { force: true });
  }

  #alone(work: (index: Index) => Promise<void>): Promise<void> {
    const turn = this.#last.then(async () => {
      await mkdir(this.folder, { recursive: true });
      const unlock = await lock(path.join(this.folder, LOCK));
      try {
        const index = await this.#index();
        if (!this.#isTidy) await this.#tidy(index);
        await work(index);
      } finally {
        await unlock();
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Removes what a process that ended in the middle of a change has left. */
  async #tidy(index: Index): Promise<void> {
    const known = new Set(index.chunks.values());
    const left = (await readdir(this.folder)).filter((name) => (name.endsWith(CHUNK) && !known.has(name)) || name.startsWith(`${INDEX}.`));
    await this.#remove(left);
    this.#isTidy = true;
  }
}

function apply({ records, chunks }: Index, change: Exclude<Change, { put: 'chunk' }>): void {
  if ('put' in change) records.set(change.record.url, change.record);
  else if (change.delete === 'record') records.delete(change.url);
  else for (const key of [...chunks.keys()]) if (isOf(JSON.parse(key) as ChunkKey, change)) chunks.delete(key);
}

function isOf([url, part]: ChunkKey, whole: { url: string; part?: number }): boolean {
  return url === whole.url && (whole.part === undefined || part === whole.part);
}

/** Waits until no other process has the lock, and takes it; one whose process is gone is nobody's. */
async function lock(file: string): Promise<() => Promise<void>> {
  for (;;) {
    const handle = await open(file, 'wx').catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'EEXIST') throw thrown;
    });
    if (handle) {
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(file, { force: true });
    }
    const owner = Number(await readFile(file, 'utf8').catch(() => ''));
    if (owner > 0 && !isRunning(owner)) await rm(file, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, WAIT_MILLISECONDS));
  }
}

function isRunning(process: number): boolean {
  try {
    return globalThis.process.kill(process, 0);
  } catch (thrown) {
    // Of another user it is, and may not be asked.
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
