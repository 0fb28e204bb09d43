/** Checkpoints in IndexedDB: what belongs together is one transaction. */
import type { CheckpointRecord } from '../store/checkpoint-record.ts';
import type { Database } from '../store/database.ts';
import type { CheckpointStore } from './checkpoint-store.ts';

export class IndexedCheckpointStore implements CheckpointStore {
  constructor(private readonly database: Database) {}

  records(of?: { model: string } | { url: string }): Promise<CheckpointRecord[]> {
    if (!of) return this.database.getAll('checkpoints');
    return 'model' in of ? this.database.getAllFromIndex('checkpoints', 'model', of.model) : this.database.getAllFromIndex('checkpoints', 'url', of.url);
  }

  use(record: CheckpointRecord, used: number): Promise<Uint8Array | undefined> {
    return this.database.transact(['checkpoints', 'states'], async (transaction) => {
      const bytes = await transaction.objectStore('states').get(record.id);
      // Where both are gone, with the site's data, a record alone would promise a state that is not there.
      if (bytes) await transaction.objectStore('checkpoints').put({ ...record, used });
      return bytes;
    });
  }

  async put(record: CheckpointRecord, state: Uint8Array, replaced: (all: CheckpointRecord[]) => CheckpointRecord[]): Promise<void> {
    await this.database.transact(['checkpoints', 'states'], async (transaction) => {
      const [checkpoints, states] = [transaction.objectStore('checkpoints'), transaction.objectStore('states')];
      for (const { id } of replaced(await checkpoints.getAll())) await Promise.all([checkpoints.delete(id), states.delete(id)]);
      await Promise.all([checkpoints.put(record), states.put(state, record.id)]);
    });
  }

  async remove(records: readonly CheckpointRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.database.transact(['checkpoints', 'states'], (transaction) =>
      Promise.all(records.flatMap(({ id }) => [transaction.objectStore('checkpoints').delete(id), transaction.objectStore('states').delete(id)])));
  }
}
