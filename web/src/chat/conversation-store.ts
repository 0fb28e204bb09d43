/**
 * Conversations in the browser's database; what it does not take is held in the page until it does. Several tabs may hold the same
 * one: each hears what another has stored, and where two have written at once, both are kept.
 */
import { newId } from 'web-mamba';
import type { AppDatabase } from '../data/app-database';
import type { ConversationRecord } from '../data/conversation-record';
import { mended } from './conversation';

/** A row of the list. */
export interface ConversationHeader {
  id: string;
  title: string;
  updated: number;
  pinned: boolean;
  /** Where the search found something beside the title; empty without a search. */
  excerpt: string;
}

const EXCERPT_BEFORE = 24;
const EXCERPT_AFTER = 56;

/** A conversation as it is here, where the database has not taken it yet. */
interface Held {
  record: ConversationRecord;
  /** Set where it was renamed meanwhile: the name counts, whatever the database has. */
  title?: string;
  /** So with its pin. */
  pinned?: boolean;
}

/** Ids are UUIDs, or as long. What is longer, or no text, comes from something else. */
const MOST_ID_CHARACTERS = 64;

export class ConversationStore {
  readonly #held = new Map<string, Held>();
  /** One after the other, so that each knows the revision that the one before has stored. */
  #storing: Promise<unknown> = Promise.resolve();
  /** Read once for a connection, so that a list without a search reads no conversation. */
  #headers: Map<string, ConversationHeader> | undefined;
  #channel: BroadcastChannel | undefined;
  #listener: ((id?: string) => void) | undefined;

  constructor(private readonly database: AppDatabase) {
    const reread = () => {
      this.#headers = undefined;
      this.#listener?.();
    };
    database.onClosed(reread);
    database.onUnkept(reread);
  }

  /** Calls back with the id of each conversation that another tab has stored or deleted; without one where all of them may have changed. */
  onElsewhere(listener: (id?: string) => void): void {
    this.#listener = listener;
    if (typeof BroadcastChannel === 'undefined') return;
    // Named after the database: whoever shares the one hears the other.
    this.#channel = new BroadcastChannel(`${this.database.name}: conversations`);
    this.#channel.onmessage = async ({ data }: MessageEvent<unknown>) => {
      if (typeof data !== 'string' || data.length > MOST_ID_CHARACTERS) return;
      const record = this.#headers && (await this.find(data).catch(() => undefined));
      const known = this.#headers?.has(data) ?? true;
      if (record) this.#headers?.set(data, header(record));
      else this.#headers?.delete(data);
      // An id that was not here, and is not now, is none of ours.
      if (record || known) listener(data);
    };
  }

  /** Pinned ones first, then the newest; with words to look for, only those that hold them, in any case of letters. */
  async list(query = ''): Promise<ConversationHeader[]> {
    const sought = query.trim().toLowerCase();
    if (sought === '') {
      const headers = this.#headers ?? new Map((await this.all()).map((record) => [record.id, header(record)]));
      // What the page holds alone is not all, once the database opens.
      if (!this.database.unopened) this.#headers = headers;
      return [...headers.values()].sort(pinnedFirst);
    }
    return (await this.all()).flatMap((record) => {
      const excerpt = found(record, sought);
      return excerpt === undefined ? [] : [header(record, excerpt)];
    }).sort(pinnedFirst);
  }

  async all(): Promise<ConversationRecord[]> {
    const stored = await this.#read(() => this.database.getAll('conversations'));
    const held = [...this.#held.values()].map(({ record }) => record);
    const records = [...held, ...(stored ?? []).filter(({ id }) => !this.#held.has(id))];
    return records.map(mended).sort((a, b) => b.updated - a.updated);
  }

  async find(id: string): Promise<ConversationRecord | undefined> {
    const record = this.#held.get(id)?.record ?? (await this.#read(() => this.database.get('conversations', id)));
    return record && mended(record);
  }

  /** Where another tab has stored the same conversation since, this one goes on beside it, under an id of its own. */
  async save(record: ConversationRecord): Promise<void> {
    await this.#hold({ ...this.#held.get(record.id), record });
  }

  /** All or none. */
  async saveAll(records: readonly ConversationRecord[]): Promise<void> {
    try {
      await this.database.transact(['conversations'], (transaction) => {
        const store = transaction.objectStore('conversations');
        // Async, so that one that cannot be copied leaves none of the others unawaited.
        return Promise.all(records.map(async (record) => store.put(record)));
      });
      records.forEach((record) => this.#changed(record.id, record));
    } catch (thrown) {
      if (!this.database.unopened) throw thrown;
      for (const record of records) await this.save(record);
    }
  }

  async rename(id: string, title: string): Promise<void> {
    const held = this.#held.get(id);
    if (held) await this.#hold({ record: Object.assign(held.record, { title }), title });
    else await this.#change(id, (there) => there && { ...there, title });
  }

  /** A pin is none of what is said: it makes no conversation newer. */
  async pin(id: string, pinned: boolean): Promise<void> {
    const held = this.#held.get(id);
    if (held) await this.#hold({ ...held, record: setPin(held.record, pinned), pinned });
    else await this.#change(id, (there) => there && setPin({ ...there }, pinned));
  }

  async remove(id: string): Promise<void> {
    await this.#read(() => this.database.delete('conversations', id));
    this.database.forget(waitingName(id));
    this.#held.delete(id);
    this.#changed(id, undefined);
  }

  /** Until the database has it. */
  async #hold(held: Held): Promise<void> {
    const { id } = held.record;
    this.#held.set(id, held);
    const kept = await this.database.keep(waitingName(id), () => {
      const stored = this.#storing.then(() => this.#store(id));
      this.#storing = stored.catch(() => undefined);
      return stored;
    });
    if (!kept) this.#list(id, held.record);
  }

  async #store(id: string): Promise<void> {
    const held = this.#held.get(id);
    if (!held) return;
    const { record, title, pinned } = held;
    const { revision = 0 } = record;
    // Where it goes on beside another tab's, under its new id.
    const stored = await this.#change(record.id, (there) => {
      const elsewhere = there !== undefined && (there.revision ?? 0) !== revision;
      const next = { ...record, revision: revision + 1 };
      if (elsewhere) return { ...next, id: newId() };
      // The title is whoever's renamed it last, and so is the pin.
      return setPin({ ...next, title: title ?? (there?.title || record.title) }, pinned ?? (there ?? record).pinned ?? false);
    });
    if (stored) setPin(Object.assign(record, { id: stored.id, title: stored.title, revision: stored.revision }), stored.pinned ?? false);
    // It may have been saved again, with more words, while these were written.
    if (this.#held.get(id) === held) this.#held.delete(id);
  }

  /** Reads and writes in one transaction, so that nothing of another tab comes between. */
  async #change(id: string, work: (there: ConversationRecord | undefined) => ConversationRecord | undefined): Promise<ConversationRecord | undefined> {
    const next = await this.database.transact(['conversations'], async (transaction) => {
      const store = transaction.objectStore('conversations');
      const changed = work(await store.get(id));
      if (changed) await store.put(changed);
      return changed;
    });
    if (next) this.#changed(next.id, next);
    return next;
  }

  /** Undefined where the browser gives no database: there is then what the page holds. */
  async #read<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      if (this.database.unopened) return undefined;
      throw thrown;
    }
  }

  #changed(id: string, record: ConversationRecord | undefined): void {
    this.#list(id, record);
    this.#channel?.postMessage(id);
  }

  #list(id: string, record: ConversationRecord | undefined): void {
    if (record) this.#headers?.set(id, header(record));
    else this.#headers?.delete(id);
  }
}

/** Under which a conversation waits for the database. */
function waitingName(id: string): string {
  return `conversation ${id}`;
}

/** One in which nothing was asked yet is called after what is attached to it. */
function header({ id, title, updated, pinned, attachments }: ConversationRecord, excerpt = ''): ConversationHeader {
  return { id, title: title || (attachments?.[0]?.name ?? ''), updated, pinned: pinned ?? false, excerpt };
}

function pinnedFirst(a: ConversationHeader, b: ConversationHeader): number {
  return Number(b.pinned) - Number(a.pinned) || b.updated - a.updated;
}

function setPin(record: ConversationRecord, pinned: boolean): ConversationRecord {
  if (pinned) record.pinned = true;
  else delete record.pinned;
  return record;
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
