/** Checkpoints that outlive their page or process: which are found again, and which make room. Knows no engine. */
import { newId } from '../base/new-id.ts';
import { tokenHash, TokenHashes } from '../base/token-hash.ts';
import type { CheckpointRecord } from '../store/checkpoint-record.ts';
import type { CheckpointStore } from './checkpoint-store.ts';

/** What all checkpoints may take: a dozen states of a 7B model. */
const BUDGET = 512 * 1024 * 1024;

/** What is to be kept. */
export interface Checkpoint extends Pick<CheckpointRecord, 'model' | 'url' | 'reading' | 'about'> {
  /** Every token that was read. */
  tokens: Uint32Array;
}

export class StateStore {
  constructor(
    private readonly store: CheckpointStore,
    private readonly budget = BUDGET,
  ) {}

  /** The longest checkpoint of this owner that `tokens` begins with, longer than `known` and without the last token. */
  async longest(model: string, tokens: Uint32Array, known: number): Promise<CheckpointRecord | undefined> {
    const all = await this.store.records({ model });
    const begins = beginnings(tokens, all);
    return all
      .filter((record) => record.length > known && record.length < tokens.length && begins(record))
      .reduce<CheckpointRecord | undefined>((best, record) => (record.length > (best?.length ?? 0) ? record : best), undefined);
  }

  /** The state file of a checkpoint, which counts as used now. */
  async state(record: CheckpointRecord): Promise<Uint8Array | undefined> {
    return this.store.use(record, Date.now());
  }

  /** The tuned state that this owner's texts begin from, which has read nothing. */
  async beginning(model: string): Promise<Uint8Array | undefined> {
    const all = await this.store.records({ model });
    const record = all.find(({ length }) => length === 0);
    return record && this.state(record);
  }

  /**
   * Keeps a checkpoint: in place of one of the same tokens, and of those from the middle of the same prompt. The ones that were not used
   * for longest make room, what the checkpoint began from last.
   */
  async put({ tokens, ...record }: Checkpoint, state: Uint8Array): Promise<void> {
    if (state.length > this.budget) return;
    const length = tokens.length;
    const whole: CheckpointRecord = { ...record, length, hash: tokenHash(tokens), id: newId(), bytes: state.length, used: Date.now() };
    await this.store.put(whole, state, (records) => {
      // Later than any other, one of this very millisecond included.
      const lastUse = ({ model, length, used }: CheckpointRecord) => (model === record.model && length === 0 ? Number.MAX_SAFE_INTEGER : used);
      const all = records.sort((a, b) => lastUse(a) - lastUse(b));
      const begins = beginnings(tokens, all);
      const isReplaced = (old: CheckpointRecord) => old.model === record.model && begins(old) && (old.reading || old.length === length);
      let room = this.budget - state.length - all.reduce((sum, { bytes }) => sum + bytes, 0);
      return all.filter((old) => {
        if (!isReplaced(old) && room >= 0) return false;
        room += old.bytes;
        return true;
      });
    });
  }

  async remove(record: CheckpointRecord): Promise<void> {
    await this.store.remove([record]);
  }

  /** Forgets what was kept to answer this prompt: from its middle, and before its last token. What else it begins with stays. */
  async forgetPrompt(model: string, tokens: Uint32Array): Promise<void> {
    const all = await this.store.records({ model });
    const begins = beginnings(tokens, all);
    await this.store.remove(all.filter((record) => (record.reading || record.length >= tokens.length - 1) && begins(record)));
  }

  /** Forgets everything that was kept under this name, of any model. */
  async forgetAbout(about: string): Promise<void> {
    await this.store.remove((await this.store.records()).filter((record) => record.about === about));
  }

  /** How many states there are, of every model, and their bytes. */
  async total(): Promise<{ count: number; bytes: number }> {
    const all = await this.store.records();
    return { count: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Forgets everything of the model with this key. */
  async forget(url: string): Promise<void> {
    await this.store.remove(await this.store.records({ url }));
  }
}

/** Which of some checkpoints `tokens` begins with. */
function beginnings(tokens: Uint32Array, records: readonly CheckpointRecord[]): (record: CheckpointRecord) => boolean {
  const hashes = new TokenHashes(tokens, records.map(({ length }) => length));
  return ({ length, hash }) => hashes.get(length) === hash;
}
