import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deleteDB, openDB } from 'idb';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Conversation } from '../src/chat/conversation';
import type { AnswerEvent, CheckpointInfo, GenerateEvent, BatchEvent } from '../engine/src/protocol/protocol';
import { Generation } from '../engine/src/worker/generation';
import { beginFrom } from '../engine/src/worker/session-states';
import type { EngineModel } from '../engine/src/base/wasm-engine';
import { FileCheckpointStore } from '../engine/src/node/file-checkpoint-store';
import { DurableCheckpoints, ownerOf } from '../engine/src/state/durable-checkpoints';
import { pack, unpack } from '../engine/src/state/state-file';
import { IndexedCheckpointStore } from '../engine/src/state/indexed-checkpoint-store';
import { StateStore } from '../engine/src/state/state-store';
import { openDatabase } from '../engine/src/store/database';
import './browser';

let databases = 0;
/** A budget in bytes, and what is kept is in IndexedDB or in a folder of Node's. */
const PLACES: [string, (budget?: number) => Promise<StateStore>][] = [
  ['IndexedDB', (budget) => emptyStates(budget)],
  ['a folder', async (budget) => new StateStore(new FileCheckpointStore(temporaryFolder()), budget)],
];

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'web-mamba-states-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const emptyStates = async (budget?: number) => new StateStore(new IndexedCheckpointStore(await openDatabase(`states-${(databases += 1)}`)), budget);
const ids = (...tokens: number[]) => Uint32Array.from(tokens);
const record = (tokens: Uint32Array, reading = false, model = 'm') => ({ model, url: `https://${model}/`, tokens, reading });

test.each(PLACES)('%s: the longest checkpoint that a prompt begins with is found, of this model and without the last token', async (_, make) => {
  const states = await make();
  await states.put(record(ids(1, 2)), new Uint8Array([2]));
  await states.put(record(ids(1, 2, 3, 4)), new Uint8Array([4]));
  await states.put(record(ids(1, 2, 9)), new Uint8Array([9]));
  await states.put(record(ids(1, 2, 3, 4, 5), false, 'other'), new Uint8Array([5]));
  const longest = async (tokens: Uint32Array, known = 0) => (await states.longest('m', tokens, known))?.length;
  expect(await longest(ids(1, 2, 3, 4, 5, 6))).toBe(4);
  expect(await longest(ids(1, 2, 3, 4))).toBe(2);
  expect(await longest(ids(1, 2, 3, 4, 5), 4)).toBeUndefined();
  expect(await longest(ids(2, 2, 3))).toBeUndefined();
  const found = await states.longest('m', ids(1, 2, 3, 4, 5), 0);
  expect(found && (await states.state(found))).toEqual(new Uint8Array([4]));
  await states.forget('https://m/');
  expect(await longest(ids(1, 2, 3, 4, 5))).toBeUndefined();
  expect(await states.longest('other', ids(1, 2, 3, 4, 5, 6), 0)).toBeDefined();
});

test('a state that went with the site’s data leaves no record behind that promises it', async () => {
  const name = `states-${(databases += 1)}`;
  const states = new StateStore(new IndexedCheckpointStore(await openDatabase(name)));
  await states.put(record(ids(1, 2)), new Uint8Array([2]));
  const found = await states.longest('m', ids(1, 2, 3), 0);
  await deleteDB(name);
  expect(found && (await states.state(found))).toBeUndefined();
  expect(await states.longest('m', ids(1, 2, 3), 0)).toBeUndefined();
  await states.put(record(ids(1, 2)), new Uint8Array([3]));
  expect(await states.longest('m', ids(1, 2, 3), 0)).toBeDefined();
});

test('a page that came over plain http keeps checkpoints too', async () => {
  const missing = vi.spyOn(crypto, 'randomUUID').mockImplementation(() => {
    throw new TypeError('crypto.randomUUID is not a function');
  });
  const states = await emptyStates();
  await states.put(record(ids(1, 2)), new Uint8Array([2]));
  expect(await states.longest('m', ids(1, 2, 3), 0)).toBeDefined();
  missing.mockRestore();
});

test.each(PLACES)('%s: what was kept under a name goes with it, of whichever model', async (_, make) => {
  const states = await make();
  await states.put({ ...record(ids(1, 2)), about: 'document' }, new Uint8Array([2]));
  await states.put({ ...record(ids(1, 2), false, 'other'), about: 'document' }, new Uint8Array([2]));
  await states.put(record(ids(1)), new Uint8Array([1]));
  await states.forgetAbout('document');
  expect((await states.longest('m', ids(1, 2, 3), 0))?.length).toBe(1);
  expect(await states.longest('other', ids(1, 2, 3), 0)).toBeUndefined();
});

test.each(PLACES)('%s: a checkpoint takes the place of those from the middle of its prompt, and the least used make room', async (_, make) => {
  const states = await make(10);
  vi.useFakeTimers({ toFake: ['Date'] });
  const put = async (tokens: Uint32Array, bytes: number, reading = false) => {
    vi.advanceTimersByTime(10);
    await states.put(record(tokens, reading), new Uint8Array(bytes));
  };
  await put(ids(1), 4, true);
  await put(ids(1, 1), 4, true);
  expect(await states.longest('m', ids(1, 2), 0)).toBeUndefined();
  await put(ids(1, 1, 1), 4);
  await put(ids(2), 4);
  expect((await states.longest('m', ids(1, 1, 1, 1), 0))?.length).toBe(3);
  const used = await states.longest('m', ids(1, 1, 1, 1), 0);
  vi.advanceTimersByTime(10);
  if (used) await states.state(used);
  await put(ids(3), 4);
  expect(await states.longest('m', ids(2, 2), 0)).toBeUndefined();
  expect(await states.longest('m', ids(1, 1, 1, 1), 0)).toBeDefined();
  await put(ids(4), 11);
  expect(await states.longest('m', ids(4, 4), 0)).toBeUndefined();
  vi.useRealTimers();
});

test('what one process keeps in a folder another finds, and a file that is cut, foreign or half written is none', async () => {
  const folder = path.join(temporaryFolder(), 'states');
  const first = new StateStore(new FileCheckpointStore(folder));
  expect(await first.longest('m', ids(1, 2, 3), 0)).toBeUndefined();
  await first.put({ ...record(ids(1)), about: 'a', url: 'https://ü/' }, new Uint8Array([1]));
  await first.put(record(ids(1, 2)), new Uint8Array([2, 2, 2]));
  await first.put(record(ids(1, 2, 3)), new Uint8Array([3, 3, 3]));
  const reading = (tokens: Uint32Array) => new StateStore(new FileCheckpointStore(folder)).longest('m', tokens, 0);
  const found = await reading(ids(1, 2, 3, 4));
  expect(found).toMatchObject({ length: 3, bytes: 3, model: 'm', url: 'https://m/' });
  truncateSync(path.join(folder, `${found?.id}.checkpoint`), statSync(path.join(folder, `${found?.id}.checkpoint`)).size - 1);
  for (const [name, text] of [['empty.checkpoint', ''], ['text.checkpoint', '\x02\x00\x00\x00{}'], ['long.checkpoint', '\xff\xff\xff\xff'], ['broken.checkpoint', '\x02\x00\x00\x00{{'], ['a.checkpoint.half', 'half'], ['b.checkpoint.old', 'half']] as const) writeFileSync(path.join(folder, name), text, 'latin1');
  utimesSync(path.join(folder, 'b.checkpoint.old'), 0, 0);
  expect((await reading(ids(1, 2, 3, 4)))?.length).toBe(2);
  const one = await reading(ids(1, 9));
  expect(one).toMatchObject({ length: 1, about: 'a', url: 'https://ü/' });
  const second = new StateStore(new FileCheckpointStore(folder));
  expect(one && (await second.state(one))).toEqual(new Uint8Array([1]));
  // One that is removed meanwhile by another process is gone, and no error.
  if (one) await first.remove(one);
  expect(one && (await second.state(one))).toBeUndefined();
  await second.put(record(ids(5)), new Uint8Array(1));
  expect(readdirSync(folder).filter((name) => name.startsWith('a.') || name.startsWith('b.'))).toEqual(['a.checkpoint.half']);
});

test('where a checkpoint cannot be written, nothing in the folder has changed', async () => {
  const folder = temporaryFolder();
  const states = new StateStore(new FileCheckpointStore(folder), 4);
  await states.put(record(ids(1, 2)), new Uint8Array(4));
  const before = readdirSync(folder);
  await expect(new FileCheckpointStore(folder).put({ ...record(ids(1)), id: 'no/where', length: 1, hash: '', bytes: 1, used: 1 } as never, new Uint8Array(1), (all) => all)).rejects.toThrow('ENOENT');
  expect(readdirSync(folder)).toEqual(before);
  expect(await states.longest('m', ids(1, 2, 3), 0)).toBeDefined();
});

test('a database of the version before keeps its models', async () => {
  const old = await openDB('old', 2, {
    upgrade(database) {
      database.createObjectStore('models', { keyPath: 'url' });
      database.createObjectStore('chunks');
    },
  });
  await old.put('models', { url: 'u', name: 'kept' });
  await old.put('chunks', new Uint8Array([7]), ['u', 0, 0]);
  old.close();
  const database = await openDatabase('old');
  expect(await database.get('models', 'u')).toMatchObject({ name: 'kept' });
  expect(await database.get('chunks', ['u', 0, 0])).toEqual(new Uint8Array([7]));
  await new StateStore(new IndexedCheckpointStore(database)).put(record(ids(1)), new Uint8Array(1));
  expect(await database.getAll('checkpoints')).toHaveLength(1);
});

test('checkpoints of the version before, which held their tokens, are found without them', async () => {
  const old = await openDB('old checkpoints', 3, {
    upgrade(database) {
      database.createObjectStore('models', { keyPath: 'url' });
      for (const name of ['chunks', 'states']) database.createObjectStore(name);
      const checkpoints = database.createObjectStore('checkpoints', { keyPath: 'id' });
      for (const index of ['model', 'url']) checkpoints.createIndex(index, index);
    },
  });
  for (const tokens of [ids(1, 2), ids(), ids(1, 2, 4_294_967_295)]) {
    await old.put('checkpoints', { id: `c${tokens.length}`, model: 'm', url: 'u', tokens, reading: false, bytes: 1, used: 1 });
    await old.put('states', new Uint8Array([tokens.length]), `c${tokens.length}`);
  }
  old.close();
  const database = await openDatabase('old checkpoints');
  const states = new StateStore(new IndexedCheckpointStore(database));
  const found = await states.longest('m', ids(1, 2, 4_294_967_295, 5), 0);
  expect(found && (await states.state(found))).toEqual(new Uint8Array([3]));
  expect((await states.longest('m', ids(1, 2, 4), 0))?.length).toBe(2);
  expect((await database.getAll('checkpoints')).every((record) => !('tokens' in record))).toBe(true);
});

test('a state file is packed and unpacked, and one that unpacks into too much is refused', async () => {
  const bytes = new Uint8Array(100_000).map((_, index) => index % 7);
  const packed = await pack(bytes);
  expect(packed.size).toBeLessThan(5000);
  expect(await unpack(packed, 100_000)).toEqual(bytes);
  expect(await unpack(new Blob([bytes]), 100_000)).toEqual(bytes);
  await expect(unpack(packed, 99_999)).rejects.toMatchObject({ code: 'state-damaged' });
  await expect(unpack(new Blob([bytes]), 99_999)).rejects.toMatchObject({ code: 'state-damaged' });
  await expect(unpack(packed.slice(0, 50), 100_000)).rejects.toMatchObject({ code: 'state-damaged' });
});

test('several answers to one prompt ask the store once; prompts that differ are each read by themselves, group by group', async () => {
  const calls: string[] = [];
  const say = (...args: unknown[]) => void calls.push(args.map((arg) => (arg instanceof Uint32Array ? `[${arg.join()}]` : String(arg))).join(' '));
  async function* nothing() {}
  const model = {
    promptTokens: (tokens: Uint32Array) => tokens,
    knownTokens: () => 0,
    beginning: () => undefined,
    generateBatch: (prompts: Uint32Array[], { seed, maxTokens }: { seed?: number; maxTokens?: number }) =>
      (maxTokens === 0 ? say('read', ...prompts) : say('write', ...prompts, seed), nothing()),
  };
  const checkpoints = {
    prepare: async (tokens: Uint32Array) => say('prepare', tokens), isWorthReading: (tokens: number) => tokens > 1, collect: () => undefined, settle: async () => undefined,
  };
  const many = (...prompts: Uint32Array[]) =>
    new Generation(model as unknown as EngineModel, { checkpoints: checkpoints as unknown as DurableCheckpoints }).run(prompts, { sequences: 2, seed: 5 }, () => undefined);
  await many(ids(1, 2), ids(1, 2), ids(1, 2));
  expect(calls.splice(0)).toEqual(['prepare [1,2]', 'write [1,2] [1,2] [1,2] 5']);
  await many(ids(1, 2), ids(3), ids(4, 5));
  expect(calls).toEqual(['prepare [1,2]', 'read [1,2]', 'prepare [3]', 'write [1,2] [3] 5', 'prepare [4,5]', 'read [4,5]', 'write [4,5] 7']);
});

/** A model whose states are their tokens, of which it knows none; `fresh` is what it has kept lately. */
function stateful(fresh: (CheckpointInfo & { tokens: Uint32Array })[]) {
  const added: number[] = [];
  const all = [...fresh];
  const state = (tokens: Uint32Array) => ({ tokens, position: tokens.length, bytes: () => new Uint8Array(tokens.buffer.slice(0)), free: () => undefined });
  const model = {
    hash: () => 'm',
    promptTokens: (tokens: Uint32Array) => tokens,
    knownTokens: () => 0,
    beginning: () => undefined,
    newCheckpoints: () => fresh.splice(0),
    checkpoint: (id: number) => state(all.find((info) => info.id === id)?.tokens ?? ids()),
    readState: (bytes: Uint8Array) => {
      if (bytes.length % 4 !== 0) throw Object.assign(new Error('damaged'), { code: 'state-damaged' });
      return state(new Uint32Array(bytes.slice().buffer));
    },
    addCheckpoint: ({ position }: { position: number }) => added.push(position),
  };
  return { model: model as unknown as EngineModel, added };
}

test('checkpoints of answers and of long prompts are kept, and given back to a model that does not know them', async () => {
  const states = await emptyStates();
  const long = ids(...Array(300).keys());
  const info = (id: number, tokens: Uint32Array, kind: CheckpointInfo['kind']) => ({ id, tokens, position: tokens.length, kind });
  const { model } = stateful([info(1, long, 'prompt'), info(2, ids(...long, 1, 2), 'prompt'), info(3, ids(...long, 1, 2, 3), 'completion')]);
  const durable = new DurableCheckpoints(model, states, 'u');
  await durable.prepare(long);
  durable.collect();
  await durable.settle();
  const next = stateful([]);
  await new DurableCheckpoints(next.model, states, 'u').prepare(ids(...long, 1, 2, 3, 4));
  await new DurableCheckpoints(next.model, states, 'u').prepare(ids(...long, 1, 2, 9));
  expect(next.added).toEqual([303, 300]);
});

test('turns that are short each, of which only the engine knows the last, are kept once they are worth it together', async () => {
  const states = await emptyStates();
  const kept: number[] = [];
  for (const turn of [1, 2, 3, 4, 5, 6]) {
    const tokens = ids(...Array(100 * turn).keys());
    const { model } = stateful([{ id: turn, tokens, position: tokens.length, kind: 'prompt' }]);
    const durable = new DurableCheckpoints({ ...model, knownTokens: () => 100 * (turn - 1) } as unknown as EngineModel, states, 'u');
    const prompt = ids(...tokens, 1, 2);
    await durable.prepare(prompt);
    durable.collect();
    await durable.settle();
    kept.push((await states.longest('m', prompt, 0))?.length ?? 0);
  }
  expect(kept).toEqual([0, 0, 300, 300, 300, 600]);
});

test('what is kept for a prompt goes when its answer is kept, from its middle too, and nothing of others', async () => {
  const states = await emptyStates();
  const prompt = ids(1, 2, 3, 4, 5);
  for (const [tokens, reading] of [[ids(1, 2, 3, 4), false], [ids(1, 2), true], [ids(1), false], [ids(1, 2, 3, 9), false]] as const) {
    await states.put(record(tokens, reading), new Uint8Array(1));
  }
  const durable = new DurableCheckpoints(stateful([]).model, states, 'u');
  durable.forget(prompt);
  await durable.settle();
  expect((await states.longest('m', prompt, 0))?.length).toBe(1);
  expect(await states.longest('m', ids(1, 2, 3, 9, 9), 0)).toBeDefined();
});

test('a pause keeps the state as it is, unless little was read since the last one', async () => {
  const states = await emptyStates();
  const long = ids(...Array(100).keys());
  const at = (count: number) => {
    const { model } = stateful([]);
    const tokens = long.slice(0, count);
    return new DurableCheckpoints({ ...model, saveState: async () => ({ tokens, position: count, bytes: () => new Uint8Array(1), free: () => undefined }) } as unknown as EngineModel, states, 'u');
  };
  await at(20).keepNow();
  expect(await states.longest('m', long, 0)).toBeUndefined();
  await at(40).keepNow();
  expect((await states.longest('m', long, 0))?.length).toBe(40);
});

test('a checkpoint that the disk has damaged is forgotten, and the prompt is read', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const states = await emptyStates();
  await states.put(record(ids(1, 2)), new Uint8Array(3));
  const { model, added } = stateful([]);
  await new DurableCheckpoints(model, states, 'u').prepare(ids(1, 2, 3));
  expect([added, await states.longest('m', ids(1, 2, 3), 0)]).toEqual([[], undefined]);
  expect(warn).toHaveBeenCalledOnce();
  warn.mockRestore();
});

/** Gives two tokens, and loses its device `losses` times before each. */
function losing(losses: number) {
  let lost = 0;
  let tokens = 0;
  const next = async (): Promise<IteratorResult<GenerateEvent & { index: number }>> => {
    if (lost < losses) throw Object.assign(new Error('gone'), { code: 'device-lost', at: (lost += 1) });
    if (tokens === 2) return { done: true, value: undefined };
    lost = 0;
    return { done: false, value: { index: 0, type: 'token', id: (tokens += 1), text: '', milliseconds: 0 } };
  };
  return { generateBatch: () => ({ next }) } as unknown as EngineModel;
}

test.each(['one answer', 'several'])('a lost device is rebuilt and %s go on, but not for ever', async (what) => {
  const events: string[] = [];
  const note = ({ type }: AnswerEvent | BatchEvent) => void events.push(type);
  const rebuild = vi.fn(async () => undefined);
  const generation = new Generation(losing(1), { rebuild });
  await generation.run(what === 'several' ? [ids(1), ids(2)] : [ids(1)], {}, note);
  expect(events).toEqual(['rebuild', 'rebuilt', 'token', 'rebuild', 'rebuilt', 'token', 'rebuild', 'rebuilt']);
  const hopeless = new Generation(losing(Infinity), { rebuild }).run([ids(1)], {}, () => undefined);
  await expect(hopeless).rejects.toMatchObject({ code: 'device-lost' });
  expect(rebuild).toHaveBeenCalledTimes(6);
});

test('a conversation that came with a state shows what was said, and tells the model all of it', () => {
  const told = [{ role: 'system', content: 'manual' }, { role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }];
  const conversation = Conversation.after(told);
  expect(conversation.messages.map(({ text }) => text)).toEqual(['a', 'b']);
  const answer = conversation.ask('c');
  expect(conversation.prompt(conversation.upTo(answer))).toEqual([...told, { role: 'user', content: 'c' }]);
  answer.text = 'd';
  expect(conversation.prompt(conversation.messages)).toEqual([...told, { role: 'user', content: 'c' }, { role: 'assistant', content: 'd' }]);
});

test('a text goes on only from a checkpoint of its own beginning, which is kept as long as texts are that began there', async () => {
  const states = await emptyStates(100);
  const [plain, tuned] = [undefined, 'a'.repeat(32)];
  expect(ownerOf('m', plain)).toBe('m');
  const owner = ownerOf('m', tuned);
  const from = (beginning: string | undefined) => {
    const { model, added } = stateful([]);
    return { added, durable: new DurableCheckpoints({ ...model, beginning: () => beginning } as unknown as EngineModel, states, 'u') };
  };
  const kept = (beginning: string | undefined, tokens: Uint32Array, bytes: number) =>
    states.put({ ...record(tokens), model: ownerOf('m', beginning) }, new Uint8Array(bytes));
  await kept(tuned, ids(), 40);
  await kept(plain, ids(1, 2), 8);
  await kept(tuned, ids(1, 2, 3), 12);
  for (const [beginning, found] of [[plain, [2]], [tuned, [3]], ['b'.repeat(32), []]] as const) {
    const { added, durable } = from(beginning);
    await durable.prepare(ids(1, 2, 3, 4));
    expect(added).toEqual(found);
    // The clock tells which was used before the other.
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  // The beginning is the oldest, and what began there keeps it.
  await kept(tuned, ids(1, 2, 3, 4), 44);
  expect((await states.beginning(owner))?.length).toBe(40);
  expect(await states.beginning('m')).toBeUndefined();
  expect(await states.longest('m', ids(1, 2, 3), 0)).toBeUndefined();
  // Where nothing else would make room, it goes too.
  await kept(tuned, ids(7), 96);
  expect(await states.beginning(owner)).toBeUndefined();
});

test('a model is taken to what a conversation began from, out of the store where it does not know it', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const states = await emptyStates();
  const calls: unknown[] = [];
  const known = new Set<string | undefined>([undefined, 'known']);
  const { model } = stateful([]);
  const taken = {
    ...model, beginFrom: async (beginning?: string) => (calls.push(beginning), known.has(beginning)),
    restoreState: async ({ position }: { position: number }) => void calls.push(`restored at ${position}`),
  } as unknown as EngineModel;
  await states.put({ ...record(ids()), model: ownerOf('m', 'stored') }, new Uint8Array(0));
  await states.put({ ...record(ids()), model: ownerOf('m', 'damaged') }, new Uint8Array(3));
  for (const beginning of [undefined, 'known', 'stored', 'damaged', 'gone']) await beginFrom(taken, states, beginning);
  await beginFrom(taken, undefined, 'stored');
  expect(calls).toEqual([undefined, 'known', 'stored', 'restored at 0', 'damaged', 'gone', 'stored']);
  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
});
