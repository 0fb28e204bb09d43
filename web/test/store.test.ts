/** The database as browsers treat it: closed behind the page's back, held up by other tabs, aborted. */
import { openDB } from 'idb';
import { expect, test } from 'vitest';
import './browser';
import { openDatabase } from '../engine/src/store/database';
import { IndexedChunkStore } from '../engine/src/store/indexed-chunk-store';
import { newModel } from '../engine/src/store/model-record';
import { ModelStore } from '../engine/src/store/model-store';

let names = 0;
const model = (url: string) => newModel(url, 'm', null, [], 0);

/** A database, and the connection that it uses now. */
async function opened() {
  const name = `store-${(names += 1)}`;
  const database = await openDatabase(name);
  let connection: IDBDatabase | undefined;
  await database.use(async (open) => void (connection = (open as unknown as { transaction: (name: 'models') => { db: IDBDatabase } }).transaction('models').db));
  return { name, store: new ModelStore(new IndexedChunkStore(database)), database, connection: connection as IDBDatabase };
}

test('a connection that the browser closed is opened again by the next use', async () => {
  const { store, connection } = await opened();
  await store.put(model('a'));
  connection.close();
  expect(await store.get('a')).toMatchObject({ url: 'a' });
  connection.close();
  await store.putChunk(['a', 0, 0], new Uint8Array(3), model('a'));
  expect(await store.chunk(['a', 0, 0])).toHaveLength(3);
});

test('a transaction that the browser aborts is a failure of the store, not a wish of the visitor', async () => {
  const { database } = await opened();
  const aborted = database.use(async () => { throw new DOMException('', 'AbortError'); });
  await expect(aborted).rejects.toMatchObject({ code: 'storage', remedy: expect.stringMatching(/\w/) as string });
});

test('a full disk is told as one that models fill, whatever is being stored', async () => {
  const { database } = await opened();
  const full = database.use(async () => { throw new DOMException('full', 'QuotaExceededError'); });
  await expect(full).rejects.toMatchObject({ code: 'no-room-left', message: expect.not.stringContaining('{') as string });
});

test('another tab that does not give way is named', async () => {
  const name = `store-${(names += 1)}`;
  const old = await openDB(name, 2, { upgrade: (older) => ['models', 'chunks'].forEach((each) => older.createObjectStore(each)) });
  await expect(openDatabase(name, 50)).rejects.toMatchObject({ code: 'blocked', remedy: expect.stringContaining('Close') as string });
  old.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await new ModelStore(new IndexedChunkStore(await openDatabase(name, 50))).list()).toEqual([]);
});

test('a page older than the store says so', async () => {
  const { name, store } = await opened();
  const newer = await openDB(name, 99);
  await expect(store.get('a')).rejects.toMatchObject({ code: 'older-page', remedy: expect.stringContaining('Reload') as string });
  newer.close();
});
