/** What a visitor makes here, while the browser takes the database away, or does not give it: nothing on screen is lost, and what is not kept is said. */
import { deleteDB, openDB } from 'idb';
import { expect, onTestFinished, test, vi } from 'vitest';
import { fillDisk, refuseDatabases, settle } from './browser';
import { openAppDatabase } from '../src/data/app-database';
import { Conversation } from '../src/chat/conversation';
import { ConversationStore } from '../src/chat/conversation-store';
import { SpeedEstimates } from '../src/models/speed-estimates';
import { SettingsStore } from '../src/chat/settings-store';
import { DocumentStore, type WholeDocument } from '../src/documents/document-store';
import type { QuestionRecord, SummaryRecord } from '../src/data/document-records';
import type { ConversationRecord } from '../src/data/conversation-record';

let names = 0;
const newName = () => `cleared-${(names += 1)}`;

function spoken(title: string, ...turns: string[]): ConversationRecord {
  const conversation = new Conversation();
  for (const turn of turns) conversation.ask(turn).state = { kind: 'imported' };
  return Object.assign(conversation.record, { title });
}

function opened(name = newName()) {
  const database = openAppDatabase(name, 50);
  const said: (string | undefined)[] = [];
  database.onUnkept((unkept) => said.push(unkept?.code));
  return { name, database, store: new ConversationStore(database), said };
}

/** What another page finds. */
const elsewhere = (name: string) => new ConversationStore(openAppDatabase(name)).all();

test('a conversation that is open is stored again whole after the database was deleted, and the list shows what is there', async () => {
  const { name, store, said } = opened();
  const [open, other] = [spoken('Open', 'one'), spoken('Other', 'two')];
  await store.save(open);
  await store.save(other);
  expect(await store.list()).toHaveLength(2);
  const heard: (string | undefined)[] = [];
  store.onElsewhere((id) => heard.push(id));
  await deleteDB(name);
  await expect.poll(() => heard).toEqual([undefined]);
  expect(await store.list()).toEqual([]);
  new Conversation(open).ask('three');
  await store.save(open);
  expect(await store.list()).toMatchObject([{ title: 'Open' }]);
  expect(await elsewhere(name)).toMatchObject([{ id: open.id, title: 'Open', messages: [{ text: 'one' }, {}, { text: 'three' }, {}] }]);
  expect(said).toEqual([]);
});

test('a database that the browser closes, or whose transaction it aborts, is used again at once', async () => {
  const { name, database, store, said } = opened();
  await store.save(spoken('A', 'one'));
  for (const fault of ['InvalidStateError', 'UnknownError', 'AbortError']) {
    let tries = 0;
    const work = database.use(async (connection) => {
      if ((tries += 1) === 1) throw new DOMException('', fault);
      return connection.count('conversations');
    });
    expect([fault, await work, tries]).toEqual([fault, 1, 2]);
  }
  await expect(database.use(async () => { throw new DOMException('', 'UnknownError'); })).rejects.toMatchObject({ code: 'app-storage' });
  expect(await elsewhere(name)).toHaveLength(1);
  expect(said).toEqual([]);
});

test('a read whose transaction the browser aborts is made again, and reports no error of its own', async () => {
  const { database, store } = opened();
  await store.save(spoken('A', 'one'));
  const unhandled: unknown[] = [];
  const hear = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', hear);
  onTestFinished(() => void process.off('unhandledRejection', hear));
  const { transaction } = IDBDatabase.prototype;
  onTestFinished(() => void (IDBDatabase.prototype.transaction = transaction));
  const reads = [() => database.get('settings', 'none'), () => database.getAll('conversations'), () => database.getAllFromIndex('summaries', 'byDocument', 'none'),
    () => new DocumentStore(database).text('none')];
  for (const read of reads) {
    let aborted = 0;
    IDBDatabase.prototype.transaction = function (...args) {
      const begun = transaction.apply(this, args);
      if ((aborted += 1) === 1) queueMicrotask(() => begun.abort());
      return begun;
    };
    await read();
    expect(aborted).toBe(2);
  }
  await settle();
  expect(unhandled).toEqual([]);
});

test.each(['SecurityError', 'InvalidStateError', 'UnknownError'])('while the browser gives no database (%s), it is said, and what waited is kept as soon as it does', async (fault) => {
  const give = refuseDatabases(fault);
  onTestFinished(give);
  const { name, database, store, said } = opened();
  const record = spoken('A', 'one');
  await store.save(record);
  await store.save(spoken('B', 'two'));
  expect((await store.list()).map(({ title }) => title).sort()).toEqual(['A', 'B']);
  expect(await store.find(record.id)).toMatchObject({ title: 'A' });
  await store.rename(record.id, 'C');
  expect([database.unkept?.code, said]).toEqual(['app-storage', ['app-storage']]);
  give();
  await store.save(spoken('D', 'three'));
  expect(said).toEqual(['app-storage', undefined]);
  expect((await elsewhere(name)).map(({ title }) => title).sort()).toEqual(['B', 'C', 'D']);
  expect((await store.list()).map(({ title }) => title).sort()).toEqual(['B', 'C', 'D']);
});

test('a page without the database API keeps what is done in memory', async () => {
  vi.stubGlobal('indexedDB', undefined);
  onTestFinished(() => void vi.unstubAllGlobals());
  const { store, database } = opened();
  const settings = new SettingsStore(database);
  await settings.read();
  await settings.set({ key: 'topK', value: 7 });
  await store.save(spoken('A', 'one'));
  expect([settings.sampling, (await store.list()).length, database.unkept?.code]).toEqual([{ topK: 7 }, 1, 'app-storage']);
  await expect(new SpeedEstimates(database, () => 'm').read()).resolves.toBeUndefined();
  expect(await new DocumentStore(database).list()).toEqual([]);
});

test('on a full disk the notice stands, though other things are written, until the conversation is kept as it is by then', async () => {
  const { name, database, store, said } = opened();
  const record = spoken('A', 'one');
  await store.save(record);
  const free = fillDisk('conversations');
  onTestFinished(free);
  new Conversation(record).ask('two');
  await store.save(record);
  await store.rename(record.id, 'Renamed');
  await new SettingsStore(database).set({ key: 'topK', value: 7 });
  await store.list();
  expect(said).toEqual(['app-room']);
  expect(await elsewhere(name)).toMatchObject([{ title: 'A', messages: [{ text: 'one' }, {}] }]);
  new Conversation(record).ask('three');
  free();
  await new SettingsStore(database).set({ key: 'topK', value: 8 });
  expect(said).toEqual(['app-room', undefined]);
  expect(await elsewhere(name)).toMatchObject([{ title: 'Renamed', revision: 2, messages: [{ text: 'one' }, {}, { text: 'two' }, {}, { text: 'three' }, {}] }]);
});

test('what waits is written without a word of the visitor’s, once the browser lets it; what was deleted meanwhile is not', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const free = fillDisk('conversations');
  onTestFinished(free);
  const { name, store, said } = opened();
  const gone = spoken('Gone', 'two');
  await store.save(spoken('A', 'one'));
  await store.save(gone);
  await store.remove(gone.id);
  await vi.advanceTimersByTimeAsync(10_001);
  free();
  await vi.advanceTimersByTimeAsync(10_001);
  await vi.waitFor(() => expect(said).toEqual(['app-room', undefined]));
  expect(await elsewhere(name)).toMatchObject([{ title: 'A' }]);
});

test('a newer version’s database, and one that another tab holds, are said as what they are', async () => {
  const name = newName();
  const newer = await openDB(name, 99, { upgrade: (database) => void database.createObjectStore('later') });
  const { store, said } = opened(name);
  await store.save(spoken('A', 'one'));
  expect(said).toEqual(['app-newer']);
  expect(await store.list()).toHaveLength(1);
  newer.close();
  const held = newName();
  const older = await openDB(held);
  const { said: second, store: waiting } = opened(held);
  await waiting.save(spoken('A', 'one'));
  expect(second).toEqual(['app-blocked']);
  older.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await waiting.save(spoken('B', 'two'));
  expect(await elsewhere(held)).toHaveLength(2);
});

test('a database that another page has opened by its name alone holds nothing, and is made anew', async () => {
  const name = newName();
  (await openDB(name)).close();
  const { store, said } = opened(name);
  await store.save(spoken('A', 'one'));
  expect([await elsewhere(name), said]).toMatchObject([[{ title: 'A' }], []]);
});

test('an import that fails in its middle brings nothing in', async () => {
  const { name, store } = opened();
  const bad = Object.assign(spoken('Bad', 'two'), { title: (() => undefined) as unknown as string });
  await expect(store.saveAll([spoken('A', 'one'), bad])).rejects.toThrow();
  expect(await elsewhere(name)).toEqual([]);
});

test('two stores of one conversation at a time are one after the other, and no second conversation comes of them', async () => {
  const { name, store } = opened();
  const conversation = new Conversation(spoken('A', 'one'));
  await Promise.all(Array.from({ length: 20 }, async (_, turn) => {
    for (let waited = 0; waited < turn; waited += 1) await new Promise((resolve) => setImmediate(resolve));
    conversation.ask(`${turn}`);
    await store.save(conversation.record);
  }));
  const [only, ...others] = await elsewhere(name);
  expect([others, only?.messages.length]).toEqual([[], 42]);
});

test('broadcasts that are none of the page’s change nothing', async () => {
  const { name, store } = opened();
  const heard: unknown[] = [];
  store.onElsewhere((id) => heard.push(id));
  await store.save(spoken('A', 'one'));
  await store.list();
  const channel = new BroadcastChannel(`${name}: conversations`);
  const deep = (count: number): unknown => (count === 0 ? [] : [deep(count - 1)]);
  for (const odd of [null, undefined, 0, NaN, true, '', 'null', 'x'.repeat(1e6), [], {}, { id: 'a' }, ['a'], new Map(), new Date(NaN), new Uint8Array(3), 7n, deep(500)]) channel.postMessage(odd);
  await settle();
  expect(heard).toEqual([]);
  expect(await store.list()).toMatchObject([{ title: 'A' }]);
  channel.close();
});

async function openDocument(store: DocumentStore): Promise<WholeDocument> {
  const record = { id: 'd', name: 'a.txt', kind: 'text', added: 1, characters: 4 } as const;
  await store.add(record, { id: 'd', text: 'Text', places: [] });
  const text = await store.text('d');
  return { record, text: text ?? expect.fail(), summaries: [], questions: [] };
}

const summary = (id: string): SummaryRecord => ({ id, documentId: 'd', style: 'short', instruction: '', model: 'm', modelName: 'M', started: 1, sections: [], result: 'Short.' });
const question = (id: string): QuestionRecord => ({ id, documentId: 'd', asked: 1, question: 'What?', answer: 'That.', passages: [] });

test('a document that is open when the site’s data is cleared is stored again with what is made of it; one that was deleted is not', async () => {
  const { name, database } = opened();
  const store = new DocumentStore(database);
  const document = await openDocument(store);
  const [first] = document.summaries = [summary('s1')];
  if (first) await store.saveSummary(first, document);
  await deleteDB(name);
  await store.saveQuestion(question('q'), document);
  expect((await store.list()).map(({ id }) => id)).toEqual(['d']);
  expect([await store.text('d'), (await store.summaries('d')).length, (await store.questions('d')).length]).toMatchObject([{ text: 'Text' }, 1, 1]);
  // Another tab deletes it.
  await new DocumentStore(openAppDatabase(name)).remove('d');
  await store.saveSummary(summary('s2'), document);
  expect([await store.list(), await store.summaries('d')]).toEqual([[], []]);
});

test('a summary that the disk has no room for goes on, and is kept later', async () => {
  const { database, said } = opened();
  const store = new DocumentStore(database);
  const document = await openDocument(store);
  const free = fillDisk('summaries');
  onTestFinished(free);
  await store.saveSummary(summary('s'), document);
  expect([said, await store.summaries('d')]).toEqual([['app-room'], []]);
  free();
  await store.saveQuestion(question('q'), document);
  expect([said, (await store.summaries('d')).length]).toEqual([['app-room', undefined], 1]);
});
