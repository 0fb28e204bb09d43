/**
 * An IndexedDB database whose connection may end at any time: browsers close it when they clear the site's data or run short of room,
 * and other tabs delete or upgrade what is open here. The next use opens it again. Knows no schema.
 */
import {
  deleteDB, openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, type IndexKey, type IndexNames, type StoreKey, type StoreNames,
  type StoreValue,
} from 'idb';
import { MambaError } from './failure.ts';
import { deleteUnlessHeld, openFirst, SILENT } from './opening.ts';

type Upgrading<Schema extends DBSchema> = IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>;

/** A database, and what becomes of its problems. */
export interface DatabaseOptions<Schema extends DBSchema> {
  name: string;
  version: number;
  /** A promise that is refused aborts the upgrade. */
  upgrade(database: IDBPDatabase<Schema>, oldVersion: number, transaction: Upgrading<Schema>): void | Promise<void>;
  /** Milliseconds that another tab has to give way. */
  blockedMilliseconds: number;
  /** What is said of a problem. */
  failure(problem: DatabaseProblem, detail?: string): MambaError;
}

/** The database is closed to the page, gives no answer, is newer than the page, held by another tab, or full. */
export type DatabaseProblem = 'closed' | 'silent' | 'newer' | 'blocked' | 'full';

/** An older tab that does not give way for so long has to be closed by its visitor. */
export const BLOCKED_MILLISECONDS = 10_000;
/** The connection is of no use any more: closed, or its server inside the browser is lost ("UnknownError"). */
const CLOSED: ReadonlySet<string> = new Set(['InvalidStateError', 'UnknownError']);
/** A connection that is closed by force aborts its transactions before it is known to be closed. */
const ABORTED = 'AbortError';
/** Aborted, then found closed, then opened again. */
const MOST_TRIES = 3;

/** A database that opens itself, and opens again. */
export class IndexedDatabase<Schema extends DBSchema> {
  #connection: Promise<IDBPDatabase<Schema>> | undefined;
  #unopened: MambaError | undefined;

  constructor(protected readonly options: DatabaseOptions<Schema>) {}

  get name(): string {
    return this.options.name;
  }

  /** Why it could not be opened the last time, until it can. */
  get unopened(): MambaError | undefined {
    return this.#unopened;
  }

  /**
   * Runs `work`, which may be run again where the connection turns out to be closed, or the browser aborts its transaction. What the
   * database throws becomes a failure of the options'.
   */
  async use<T>(work: (connection: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const connecting = (this.#connection ??= this.#open());
      const connection = await connecting;
      try {
        return await work(connection);
      } catch (thrown) {
        const { name } = thrown as Error;
        if (CLOSED.has(name) && this.#connection === connecting) this.#drop(connection);
        if (tries < MOST_TRIES && (CLOSED.has(name) || (name === ABORTED && tries === 1))) continue;
        throw this.#failureOf(thrown);
      }
    }
  }

  /** All of `work` in one transaction, or, where a part of it fails, nothing of it. */
  async transact<Name extends StoreNames<Schema>, T>(
    names: Name[], work: (transaction: IDBPTransaction<Schema, Name[], 'readwrite'>) => Promise<T>,
  ): Promise<T> {
    return this.use(async (connection) => {
      const transaction = heard(connection.transaction(names, 'readwrite'));
      try {
        const result = await work(transaction);
        await transaction.done;
        return result;
      } catch (thrown) {
        // A request may fail with "aborted" while the transaction knows why.
        const cause = transaction.error ?? thrown;
        // What was asked for before would be written all the same.
        if (!transaction.error) abort(transaction);
        throw cause;
      }
    });
  }

  /** All of `work` on one state of the stores. */
  async read<Name extends StoreNames<Schema>, T>(
    names: Name[], work: (transaction: IDBPTransaction<Schema, Name[], 'readonly'>) => Promise<T>,
  ): Promise<T> {
    return this.use((connection) => work(heard(connection.transaction(names))));
  }

  /** The value of a key. */
  async get<Name extends StoreNames<Schema>>(name: Name, key: StoreKey<Schema, Name>): Promise<StoreValue<Schema, Name> | undefined> {
    return this.read([name], (transaction) => transaction.objectStore(name).get(key));
  }

  /** Every value of a store. */
  async getAll<Name extends StoreNames<Schema>>(name: Name): Promise<StoreValue<Schema, Name>[]> {
    return this.read([name], (transaction) => transaction.objectStore(name).getAll());
  }

  /** Every value with this key in an index. */
  async getAllFromIndex<Name extends StoreNames<Schema>, Index extends IndexNames<Schema, Name>>(
    name: Name, index: Index, key: IndexKey<Schema, Name, Index>,
  ): Promise<StoreValue<Schema, Name>[]> {
    return this.read([name], (transaction) => transaction.objectStore(name).index(index).getAll(key));
  }

  /** Writes one value. */
  async put<Name extends StoreNames<Schema>>(name: Name, value: StoreValue<Schema, Name>, key?: StoreKey<Schema, Name>): Promise<void> {
    await this.transact([name], (transaction) => transaction.objectStore(name).put(value, key));
  }

  /** Deletes one value. */
  async delete<Name extends StoreNames<Schema>>(name: Name, key: StoreKey<Schema, Name>): Promise<void> {
    await this.transact([name], (transaction) => transaction.objectStore(name).delete(key));
  }

  /** The browser, or another tab, has ended the connection: what was read of it may be gone. */
  protected closed(): void {}

  /** The database could not be opened, or can be again. */
  protected openedOrNot(): void {}

  async #open(): Promise<IDBPDatabase<Schema>> {
    try {
      const connection = await this.#connect();
      this.#note(undefined);
      return connection;
    } catch (thrown) {
      this.#connection = undefined;
      const problems: Record<string, DatabaseProblem> = { VersionError: 'newer', [SILENT]: 'silent' };
      const problem = problems[(thrown as Error).name] ?? 'closed';
      const fault = thrown instanceof MambaError ? thrown : this.options.failure(problem, String(thrown));
      this.#note(fault);
      throw fault;
    }
  }

  async #connect(): Promise<IDBPDatabase<Schema>> {
    const connection = await this.#connectOnce();
    if (connection.objectStoreNames.length > 0) return connection;
    // Another page has opened it by its name alone, when there was none. It holds nothing, and is made anew.
    connection.close();
    const { name, blockedMilliseconds } = this.options;
    await deleteUnlessHeld((blocked) => deleteDB(name, { blocked }), blockedMilliseconds, () => this.options.failure('blocked'));
    return this.#connectOnce();
  }

  #connectOnce(): Promise<IDBPDatabase<Schema>> {
    const { name, version, upgrade, blockedMilliseconds } = this.options;
    const request = async (blocked: () => void) => {
      const opening = openDB<Schema>(name, version, {
        upgrade: (database, oldVersion, _, transaction) => {
          const upgraded = upgrade(database, oldVersion, heard(transaction));
          upgraded?.catch(() => abort(transaction));
        },
        blocked,
        // Another tab wants a newer schema, or to delete it: give way at once rather than hold it up.
        blocking: () => void opening.then((open) => {
          open.close();
          return this.#ended(open);
        }),
        terminated: () => void opening.then((open) => this.#ended(open)),
      });
      return opening;
    };
    return openFirst({ request, again: this.#unopened !== undefined, blockedMilliseconds, held: () => this.options.failure('blocked') });
  }

  async #ended(connection: IDBPDatabase<Schema>): Promise<void> {
    if (!this.#connection || (await this.#connection.catch(() => undefined)) !== connection) return;
    this.#connection = undefined;
    this.closed();
  }

  #drop(connection: IDBPDatabase<Schema>): void {
    this.#connection = undefined;
    // Where it is closed already, this does nothing.
    connection.close();
    this.closed();
  }

  #note(fault: MambaError | undefined): void {
    const changed = this.#unopened?.code !== fault?.code;
    this.#unopened = fault;
    if (changed) this.openedOrNot();
  }

  #failureOf(thrown: unknown): unknown {
    const { name } = thrown as Error;
    if (name === 'QuotaExceededError') return this.options.failure('full', String(thrown));
    // A transaction that the browser aborts is no wish of the visitor's.
    return CLOSED.has(name) || name === ABORTED ? this.options.failure('closed', String(thrown)) : thrown;
  }
}

/**
 * A transaction whose end counts as handled: the browser may abort it while only its requests are waited for, and they say so. Without
 * this the page reports an error that nothing has lost by.
 */
function heard<T extends { done: Promise<void> }>(transaction: T): T {
  transaction.done.catch(() => undefined);
  return transaction;
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}
