/** What is asked of a place that keeps checkpoints: a small record of each and its state file, which are there together or not at all. */
import type { CheckpointRecord } from '../store/checkpoint-record.ts';

export interface CheckpointStore {
  /** Every record, or those of an owner (`model`), or of a stored model (`url`), in any order. */
  records(of?: { model: string } | { url: string }): Promise<CheckpointRecord[]>;
  /** The state file of a checkpoint, which counts as used at that time. Undefined where it is gone, and then its record is so too. */
  use(record: CheckpointRecord, used: number): Promise<Uint8Array | undefined>;
  /** Keeps a checkpoint, in place of those that `replaced` names among all that there are. Where it rejects, nothing has changed. */
  put(record: CheckpointRecord, state: Uint8Array, replaced: (all: CheckpointRecord[]) => CheckpointRecord[]): Promise<void>;
  remove(records: readonly CheckpointRecord[]): Promise<void>;
}
