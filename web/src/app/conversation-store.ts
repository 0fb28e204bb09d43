/**
 * Conversations in the browser's database, or in memory where it gives none. Several tabs may hold the same one: each hears what
 * another has stored, and where two have written at once, both are kept.
 */
import type { AppDatabase } from './app-database';
import { mended, type ConversationRecord } from './conversation';
import { newId } from './new-id';

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
  readonly #database: Promise<AppDatabase | undefined>;
  /** What a browser that keeps nothing holds until the page is closed. */
  readonly #memory = new Map<string, ConversationRecord>();
  /** Read once, so that a list without a search reads no conversation. */
  #headers: Map<string, ConversationHeader> | undefined;
  #channel: BroadcastChannel | undefined;

  constructor(database: Promise<AppDatabase>) {
    this.#database = database.catch(() => undefined);
  }

  /** Calls back with the id of each conversation that another tab has stored or deleted. */
  async onElsewhere(listener: (id: string) => void): Promise<void> {
    const database = await this.#database;
    if (!database || typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(`${database.name}: conversations`);
    this.#channel.onmessage = async ({ data }) => {
      const id = String(data);
      const record = this.#headers && (await this.find(id).catch(() => undefined));
      if (record) this.#headers?.set(id, header(record));
      else this.#headers?.delete(id);
      listener(id);
    };
  }

  /** Newest first; with words to look for, only those that hold them, in any case of letters. */
  async list(query = ''): Promise<ConversationHeader[]> {
    const sought = query.trim().toLowerCase();
    if (sought === '') {
      this.#headers ??= new Map((await this.all()).map((record) => [record.id, header(record)]));
      return [...this.#headers.values()].sort((a, b) => b.updated - a.updated);
    }
    return (await this.all()).flatMap((record) => {
      const excerpt = found(record, sought);
      return excerpt === undefined ? [] : [header(record, excerpt)];
    });
  }

  async all(): Promise<ConversationRecord[]> {
    const database = await this.#database;
    const records = database ? await database.getAll('conversations') : [...this.#memory.values()];
    return records.map(mended).sort((a, b) => b.updated - a.updated);
  }

  async find(id: string): Promise<ConversationRecord | undefined> {
    const database = await this.#database;
    const record = database ? await database.get('conversations', id) : this.#memory.get(id);
    return record && mended(record);
  }

  /** Where another tab has stored the same conversation since, this one goes on beside it, under an id of its own. */
  async save(record: ConversationRecord): Promise<void> {
    const { revision = 0 } = record;
    const stored = await this.#change(record.id, (there) => {
      const elsewhere = there !== undefined && (there.revision ?? 0) !== revision;
      // The title is whoever's renamed it last.
      return { ...record, revision: revision + 1, ...(elsewhere ? { id: newId() } : { title: there?.title || record.title }) };
    });
    if (stored) Object.assign(record, { id: stored.id, title: stored.title, revision: stored.revision });
  }

  /** All or none. */
  async saveAll(records: readonly ConversationRecord[]): Promise<void> {
    const database = await this.#database;
    if (database) {
      const transaction = database.transaction('conversations', 'readwrite');
      await Promise.all([...records.map((record) => transaction.store.put(record)), transaction.done]);
    } else {
      records.forEach((record) => this.#memory.set(record.id, record));
    }
    records.forEach((record) => this.#changed(record.id, record));
  }

  async rename(id: string, title: string): Promise<void> {
    await this.#change(id, (there) => there && { ...there, title });
  }

  async remove(id: string): Promise<void> {
    await (await this.#database)?.delete('conversations', id);
    this.#memory.delete(id);
    this.#changed(id, undefined);
  }

  /** Reads and writes in one transaction, so that nothing of another tab comes between. */
  async #change(id: string, work: (there: ConversationRecord | undefined) => ConversationRecord | undefined): Promise<ConversationRecord | undefined> {
    const database = await this.#database;
    let next: ConversationRecord | undefined;
    if (database) {
      const transaction = database.transaction('conversations', 'readwrite');
      next = work(await transaction.store.get(id));
      if (next) await transaction.store.put(next);
      await transaction.done;
    } else {
      next = work(this.#memory.get(id));
      if (next) this.#memory.set(next.id, next);
    }
    if (next) this.#changed(next.id, next);
    return next;
  }

  #changed(id: string, record: ConversationRecord | undefined): void {
    if (record) this.#headers?.set(id, header(record));
    else this.#headers?.delete(id);
    this.#channel?.postMessage(id);
  }
}

function header({ id, title, updated }: ConversationRecord, excerpt = ''): ConversationHeader {
  return { id, title, updated, excerpt };
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
