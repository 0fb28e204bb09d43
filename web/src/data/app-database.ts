/**
 * What the visitor makes here: conversations, documents, settings. A database of its own, apart from the weights. What cannot be
 * written now waits in the page, and is written as soon as the browser lets it; for as long as something waits, `unkept` says why.
 */
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { BLOCKED_MILLISECONDS, IndexedDatabase, newId } from 'web-mamba';
import { MambaError, failure, toFailure } from '../base/failure';
import type { ConversationRecord } from './conversation-record';
import type { DocumentRecord, DocumentText, QuestionRecord, SummaryRecord } from './document-records';

/** Pages of every path of an origin share it, as they share the models that are kept: its name is that of the app alone. */
const NAME = 'web-mamba-app';
const VERSION = 1;
/** Where nothing is asked of the database, it is tried again this often until it takes what waits. */
const RETRY_MILLISECONDS = 10_000;

interface Schema extends DBSchema {
  conversations: { key: string; value: ConversationRecord };
  documents: { key: string; value: DocumentRecord };
  texts: { key: string; value: DocumentText };
  summaries: { key: string; value: SummaryRecord; indexes: { byDocument: string } };
  questions: { key: string; value: QuestionRecord; indexes: { byDocument: string } };
  settings: { key: string; value: unknown };
}

export class AppDatabase extends IndexedDatabase<Schema> {
  /** What waits to be written, by a name of its own: the last write under a name is the one that counts. */
  readonly #waiting = new Map<string, () => Promise<void>>();
  #refusal: MambaError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retrying: Promise<void> | undefined;
  #said: MambaError | undefined;
  readonly #onUnkept: ((unkept: MambaError | undefined) => void)[] = [];
  readonly #onClosed: (() => void)[] = [];

  /** Why what is done here is not kept, for as long as it is so. */
  get unkept(): MambaError | undefined {
    return this.unopened ?? this.#refusal;
  }

  /** Calls back when `unkept` begins, changes and ends. */
  onUnkept(listener: (unkept: MambaError | undefined) => void): void {
    this.#onUnkept.push(listener);
  }

  /** Calls back when the browser has ended the connection: what is kept may be gone, and can be read again at once. */
  onClosed(listener: () => void): void {
    this.#onClosed.push(listener);
  }

  /** Writes now, or as soon as the database lets it. Never rejects; tells whether it is written. */
  async keep(name: string, write: () => Promise<void>): Promise<boolean> {
    const kept = await this.#attempt(name, write);
    if (kept) await this.#retry();
    return kept;
  }

  /** What waits under this name is no longer wanted. */
  forget(name: string): void {
    this.#waiting.delete(name);
    if (this.#waiting.size === 0) this.#refusal = undefined;
    this.#say();
  }

  protected override closed(): void {
    for (const listener of this.#onClosed) listener();
  }

  protected override openedOrNot(): void {
    this.#say();
    if (!this.unopened) void this.#retry();
  }

  async #attempt(name: string, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
    } catch (thrown) {
      this.#waiting.set(name, write);
      const fault = toFailure(thrown);
      this.#refusal = fault.code === 'unexpected' ? failure('app-storage', {}, fault.detail) : fault;
      this.#say();
      return false;
    }
    this.forget(name);
    return true;
  }

  #retry(): Promise<void> {
    this.#retrying ??= this.#attemptAll().finally(() => (this.#retrying = undefined));
    return this.#retrying;
  }

  /** Once one is refused, the others wait on. */
  async #attemptAll(): Promise<void> {
    for (const [name, write] of [...this.#waiting]) {
      if (this.#waiting.get(name) === write && !(await this.#attempt(name, write))) return;
    }
  }

  #say(): void {
    const { unkept } = this;
    if (unkept && this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        void this.#tryAgain();
      }, RETRY_MILLISECONDS);
    }
    if (unkept?.code === this.#said?.code) return;
    this.#said = unkept;
    for (const listener of this.#onUnkept) listener(unkept);
  }

  async #tryAgain(): Promise<void> {
    await this.use(async () => undefined).catch(() => undefined);
    if (!this.unopened) await this.#retry();
    this.#say();
  }
}

const CODES = { closed: 'app-storage', silent: 'app-silent', newer: 'app-newer', blocked: 'app-blocked', full: 'app-room' } as const;

/** Opened by its first use. */
export function openAppDatabase(name = NAME, blockedMilliseconds = BLOCKED_MILLISECONDS): AppDatabase {
  return new AppDatabase({ name, version: VERSION, upgrade, blockedMilliseconds, failure: (problem, detail) => failure(CODES[problem], {}, detail) });
}

/** Where the settings of a database say which one it is: another one has it after the site's data was cleared. */
export const BORN = 'born';

function upgrade(database: IDBPDatabase<Schema>, _: number, transaction: IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>): void {
  database.createObjectStore('conversations', { keyPath: 'id' });
  database.createObjectStore('documents', { keyPath: 'id' });
  database.createObjectStore('texts', { keyPath: 'id' });
  database.createObjectStore('summaries', { keyPath: 'id' }).createIndex('byDocument', 'documentId');
  database.createObjectStore('questions', { keyPath: 'id' }).createIndex('byDocument', 'documentId');
  database.createObjectStore('settings');
  void transaction.objectStore('settings').put(newId(), BORN);
}
