/** What imported conversations add to those that are here: one that is here already adds nothing, however often it comes. */
import { newId } from 'web-mamba';
import type { ConversationRecord } from '../data/conversation-record';

export interface Additions {
  /** That were not here. */
  fresh: ConversationRecord[];
  /** That were here, and have more in the file. */
  grown: ConversationRecord[];
  /** That were here with all that the file has of them. */
  known: number;
}

/** Two are the same conversation where they began at the same moment, and the one holds all that was said in the other. */
export function additionsOf(imported: readonly ConversationRecord[], here: readonly ConversationRecord[]): Additions {
  const said = new SaidIn();
  const byBeginning = new Map<number, { record: ConversationRecord; said: Set<number>; change?: 'fresh' | 'grown' }[]>();
  for (const record of here) beside(byBeginning, record).push({ record, said: said.in(record) });
  let known = 0;
  for (const record of imported) {
    const here = beside(byBeginning, record);
    const held = said.in(record);
    const equal = here.find((other) => isWithin(held, other.said));
    const shorter = here.find((other) => isWithin(other.said, held));
    if (equal) known += 1;
    else if (shorter) {
      const { id, title, updated, revision, pinned } = shorter.record;
      // A tab that is writing in it goes on beside it, by the revision.
      shorter.record = {
        ...record, id, title, updated: Math.max(updated, record.updated), revision: (revision ?? 0) + 1, ...(pinned ? { pinned } : {}),
      };
      shorter.said = held;
      shorter.change ??= 'grown';
    } else here.push({ record: { ...record, id: newId() }, said: held, change: 'fresh' });
  }
  const all = [...byBeginning.values()].flat();
  const changed = (how: 'fresh' | 'grown') => all.filter(({ change }) => change === how).map(({ record }) => record);
  return { fresh: changed('fresh'), grown: changed('grown'), known };
}

function beside<T>(groups: Map<number, T[]>, { created }: ConversationRecord): T[] {
  const group = groups.get(created) ?? [];
  groups.set(created, group);
  return group;
}

function isWithin(part: ReadonlySet<number>, whole: ReadonlySet<number>): boolean {
  return part.size <= whole.size && [...part].every((each) => whole.has(each));
}

/** Numbers for messages: the same for the same words of the same speaker after the same messages, whatever ids they have. */
class SaidIn {
  readonly #numbers = new Map<string, number>();

  in({ messages }: ConversationRecord): Set<number> {
    const numbers = new Map<number | null, number>([[null, -1]]);
    for (const { id, parent, role, text } of messages) {
      const key = `${numbers.get(parent) ?? -1} ${role} ${text}`;
      const number = this.#numbers.get(key) ?? this.#numbers.size;
      this.#numbers.set(key, number);
      numbers.set(id, number);
    }
    numbers.delete(null);
    return new Set(numbers.values());
  }
}
