/** Conversations in the browser's database. */
import type { AppDatabase } from './app-database';
import { mended, type ConversationRecord } from './conversation';

/** A row of the list. */
export interface ConversationHeader {
  id: string;
  title: string;
  updated: number;
  /** Where the search found something beside the title; empty without a search. */
  excerpt: string;
}

const EXCERPT_BEFORE = 24;
const EXCERPT_AFTER = 56;

export class ConversationStore {
  constructor(private readonly database: Promise<AppDatabase>) {}

  /** Newest first; with words to look for, only those that hold them, in any case of letters. */
  async list(query = ''): Promise<ConversationHeader[]> {
    const records = await this.all();
    const sought = query.trim().toLowerCase();
    return records.flatMap((record) => {
      const { id, title, updated } = record;
      const excerpt = sought === '' ? '' : found(record, sought);
      return excerpt === undefined ? [] : [{ id, title, updated, excerpt }];
    });
  }

  async all(): Promise<ConversationRecord[]> {
    const records = await (await this.database).getAll('conversations');
    return records.map(mended).sort((a, b) => b.updated - a.updated);
  }

  async find(id: string): Promise<ConversationRecord | undefined> {
    const record = await (await this.database).get('conversations', id);
    return record && mended(record);
  }

  async save(record: ConversationRecord): Promise<void> {
    await (await this.database).put('conversations', record);
  }

  /** All or none. */
  async saveAll(records: readonly ConversationRecord[]): Promise<void> {
    const transaction = (await this.database).transaction('conversations', 'readwrite');
    await Promise.all([...records.map((record) => transaction.store.put(record)), transaction.done]);
  }

  async rename(id: string, title: string): Promise<void> {
    const database = await this.database;
    const record = await database.get('conversations', id);
    if (record) await database.put('conversations', { ...record, title });
  }

  async remove(id: string): Promise<void> {
    await (await this.database).delete('conversations', id);
  }
}

function found({ title, messages }: ConversationRecord, sought: string): string | undefined {
  for (const { text } of messages) {
    const at = text.toLowerCase().indexOf(sought);
    if (at < 0) continue;
    const from = Math.max(0, at - EXCERPT_BEFORE);
    const to = at + sought.length + EXCERPT_AFTER;
    return `${from > 0 ? '…' : ''}${text.slice(from, to).replace(/\s+/g, ' ')}${to < text.length ? '…' : ''}`;
  }
  return title.toLowerCase().includes(sought) ? '' : undefined;
}
