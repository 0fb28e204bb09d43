/**
 * Checkpoints in a folder, a file for each: the length of its record in four bytes, the record as JSON, the state file. It comes into the
 * folder as a whole, under a name that is used once, and its date is when it was used last; so processes need no turns. One that ends
 * between the new file and the end of those that it replaces leaves these to the next.
 */
import { mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointStore } from '../state/checkpoint-store.ts';
import type { CheckpointRecord } from '../store/checkpoint-record.ts';
import { ifMissing, replaceFile, writeFailure } from './whole-file.ts';

const CHECKPOINT = '.checkpoint';
/** Before its record. */
const LENGTH_BYTES = 4;
const MOST_RECORD_BYTES = 1024 * 1024;
/** What a process that ended has left half written. */
const STALE_MILLISECONDS = 60 * 60 * 1000;

type Unused = Omit<CheckpointRecord, 'used'>;

export class FileCheckpointStore implements CheckpointStore {
  /** By names of files, which never change. */
  #known = new Map<string, Unused | undefined>();

  constructor(private readonly folder: string) {}

  async records(of?: { model: string } | { url: string }): Promise<CheckpointRecord[]> {
    const names = (await this.#names()).filter((name) => name.endsWith(CHECKPOINT));
    const known = new Map<string, Unused | undefined>();
    for (const name of names) known.set(name, this.#known.has(name) ? this.#known.get(name) : await this.#record(name));
    this.#known = known;
    const all = await Promise.all([...known].map(async ([name, record]) => record && this.#dated(name, record)));
    return all.filter((record) => record !== undefined && isOf(record, of)) as CheckpointRecord[];
  }

  async use(record: CheckpointRecord, used: number): Promise<Uint8Array | undefined> {
    const file = this.#file(record);
    const bytes = await readFile(file).catch(ifMissing(undefined));
    if (!bytes) return undefined;
    await utimes(file, used / 1000, used / 1000).catch(ifMissing(undefined));
    return new Uint8Array(bytes.subarray(LENGTH_BYTES + bytes.readUInt32LE(0)));
  }

  async put(record: CheckpointRecord, state: Uint8Array, replaced: (all: CheckpointRecord[]) => CheckpointRecord[]): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await this.#tidy();
    const before = replaced(await this.records());
    const { used, ...unused } = record;
    const head = Buffer.from(JSON.stringify(unused));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(head.length);
    const file = this.#file(record);
    await replaceFile(file, [length, head, state]).catch((thrown: unknown) => {
      throw writeFailure(thrown);
    });
    await utimes(file, used / 1000, used / 1000).catch(ifMissing(undefined));
    await this.remove(before);
  }

  async remove(records: readonly CheckpointRecord[]): Promise<void> {
    for (const record of records) await rm(this.#file(record), { force: true });
  }

  #file({ id }: Pick<CheckpointRecord, 'id'>): string {
    return path.join(this.folder, id + CHECKPOINT);
  }

  #names(): Promise<string[]> {
    return readdir(this.folder).catch(ifMissing([]));
  }

  /** Of a file that is no checkpoint, as one that was cut, there is none. */
  async #record(name: string): Promise<Unused | undefined> {
    const handle = await open(path.join(this.folder, name)).catch(ifMissing(undefined));
    if (!handle) return undefined;
    try {
      const { size } = await handle.stat();
      const length = Buffer.alloc(LENGTH_BYTES);
      await handle.read(length, 0, LENGTH_BYTES, 0);
      const head = length.readUInt32LE(0);
      if (head > Math.min(MOST_RECORD_BYTES, size)) return undefined;
      const text = Buffer.alloc(head);
      await handle.read(text, 0, head, LENGTH_BYTES);
      const record = JSON.parse(text.toString()) as Partial<Unused> | null;
      return record && record.id + CHECKPOINT === name && LENGTH_BYTES + head + (record.bytes ?? 0) === size ? (record as Unused) : undefined;
    } catch (thrown) {
      if (thrown instanceof SyntaxError) return undefined;
      throw thrown;
    } finally {
      await handle.close();
    }
  }

  async #dated(name: string, record: Unused): Promise<CheckpointRecord | undefined> {
    const found = await stat(path.join(this.folder, name)).catch(ifMissing(undefined));
    return found && { ...record, used: Math.round(found.mtimeMs) };
  }

  async #tidy(): Promise<void> {
    for (const name of (await this.#names()).filter((name) => !name.endsWith(CHECKPOINT) && name.includes(`${CHECKPOINT}.`))) {
      const file = path.join(this.folder, name);
      const found = await stat(file).catch(ifMissing(undefined));
      if (found && Date.now() - found.mtimeMs > STALE_MILLISECONDS) await rm(file, { force: true });
    }
  }
}

function isOf(record: CheckpointRecord, of: { model: string } | { url: string } | undefined): boolean {
  if (!of) return true;
  return 'model' in of ? record.model === of.model : record.url === of.url;
}
