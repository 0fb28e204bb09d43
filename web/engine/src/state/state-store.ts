/** Checkpoints in IndexedDB: a small record of each, and its state file. Knows no engine. */
import { newId } from '../base/new-id.ts';
import { tokenHash, TokenHashes } from '../base/token-hash.ts';
import type { CheckpointRecord } from '../store/checkpoint-record.ts';
import type { Database } from '../store/database.ts';

/** What all checkpoints may take: a dozen states of a 7B model. */
const BUDGET = 512 * 1024 * 1024;

/** What is to be kept. */
export interface Checkpoint extends Pick<CheckpointRecord, 'model' | 'url' | 'reading' | 'about'> {
  /** Every token that was read. */
  tokens: Uint32Array;
}

export class StateStore {
  constructor(
    private readonly database: Database,
    private readonly budget = BUDGET,
  ) {}

  /** The longest checkpoint of this owner that `tokens` begins with, longer than `known` and without the last token. */
  async longest(model: string, tokens: Uint32Array, known: number): Promise<CheckpointRecord | undefined> {
    const all = await this.database.getAllFromIndex('checkpoints', 'model', model);
    const begins = beginnings(tokens, all);
    return all
      .filter((record) => record.length > known && record.length < tokens.length && begins(record))
      .reduce<CheckpointRecord | undefined>((best, record) => (record.length > (best?.length ?? 0) ? record : best), undefined);
  }

  /** The state file of a checkpoint, which counts as used now. */
  async state(record: CheckpointRecord): Promise<Uint8Array | undefined> {
    return this.database.transact(['checkpoints', 'states'], async (transaction) => {
      const bytes = await transaction.objectStore('states').get(record.id);
      // Where both are gone, with the site's data, a record alone would promise a state that is not there.
      if (bytes) await transaction.objectStore('checkpoints').put({ ...record, used: Date.now() });
      return bytes;
    });
  }

  /** The tuned state that this owner's texts begin from, which has read nothing. */
  async beginning(model: string): Promise<Uint8Array | undefined> {
    const all = await this.database.getAllFromIndex('checkpoints', 'model', model);
    const record = all.find(({ length }) => length === 0);
    return record && this.state(record);
  }

  /**
   * Keeps a checkpoint, in one transaction with its record: in place of one of the same tokens, and of those from the middle of the
   * same prompt. The ones that were not used for longest make room, what the checkpoint began from last.
   */
  async put({ tokens, ...record }: Checkpoint, state: Uint8Array): Promise<void> {
    if (state.length > this.budget) return;
    await this.database.transact(['checkpoints', 'states'], async (transaction) => {
      const [checkpoints, states] = [transaction.objectStore('checkpoints'), transaction.objectStore('states')];
      const drop = ({ id }: CheckpointRecord) => Promise.all([checkpoints.delete(id), states.delete(id)]);
      // Later than any other, one of this very millisecond included.
      const lastUse = ({ model, length, used }: CheckpointRecord) => (model === record.model && length === 0 ? Number.MAX_SAFE_INTEGER : used);
      const all = (await checkpoints.getAll()).sort((a, b) => lastUse(a) - lastUse(b));
      const begins = beginnings(tokens, all);
      const replaced = (old: CheckpointRecord) => old.model === record.model && begins(old) && (old.reading || old.length === tokens.length);
      let room = this.budget - state.length - all.reduce((sum, { bytes }) => sum + bytes, 0);
      for (const old of all) {
        if (!replaced(old) && room >= 0) continue;
        room += old.bytes;
        await drop(old);
      }
      const length = tokens.length;
      const whole: CheckpointRecord = { ...record, length, hash: tokenHash(tokens), id: newId(), bytes: state.length, used: Date.now() };
      await Promise.all([checkpoints.put(whole), states.put(state, whole.id)]);
    });
  }

  async remove({ id }: CheckpointRecord): Promise<void> {
    await this.database.transact(['checkpoints', 'states'], (transaction) =>
      Promise.all([transaction.objectStore('checkpoints').delete(id), transaction.objectStore('states').delete(id)]));
  }

  /** Forgets what was kept to answer this prompt: from its middle, and before its last token. What else it begins with stays. */
  async forgetPrompt(model: string, tokens: Uint32Array): Promise<void> {
    const all = await this.database.getAllFromIndex('checkpoints', 'model', model);
    const begins = beginnings(tokens, all);
    for (const record of all) {
      const only = record.reading || record.length >= tokens.length - 1;
      if (only && begins(record)) await this.remove(record);
    }
  }

  /** Forgets everything that was kept under this name, of any model. */
  async forgetAbout(about: string): Promise<void> {
    for (const record of await this.database.getAll('checkpoints')) if (record.about === about) await this.remove(record);
  }

  /** Forgets everything of the model with this key. */
  async forget(url: string): Promise<void> {
    for (const record of await this.database.getAllFromIndex('checkpoints', 'url', url)) await this.remove(record);
  }
}

/** Which of some checkpoints `tokens` begins with. */
function beginnings(tokens: Uint32Array, records: readonly CheckpointRecord[]): (record: CheckpointRecord) => boolean {
  const hashes = new TokenHashes(tokens, records.map(({ length }) => length));
  return ({ length, hash }) => hashes.get(length) === hash;
}
