/** Imports: what is here already is not added again, and what ChatGPT exports comes over with its branches, from its zip too. */
import { zipSync, strToU8 } from 'fflate';
import { expect, test } from 'vitest';
import { Conversation } from '../src/chat/conversation';
import { jsonFile, readConversations } from '../src/chat/conversation-files';
import { additionsOf } from '../src/chat/imported-additions';
import { isZip, zippedConversations } from '../src/chat/zipped-conversations';
import type { ConversationRecord, Message } from '../src/data/conversation-record';

function record(created: number, ...said: string[]): ConversationRecord {
  const messages = said.map((text, index): Message => ({
    id: index + 1, parent: index === 0 ? null : index, text, ...(index % 2 === 0 ? { role: 'user' } : { role: 'assistant', state: { kind: 'imported' } }),
  }) as Message);
  return { id: `id ${created} ${said.length}`, title: said[0] ?? '', created, updated: created, preset: 'assistant', system: '', knowledge: '', messages, leaf: messages.length };
}

const readBack = (...records: ConversationRecord[]) => readConversations(new Blob([jsonFile(records, 'x').text]));

test('one’s own export adds nothing, also where messages have other ids here, or it holds the same twice', async () => {
  const here = [record(1, 'a', 'b'), record(2, 'c', 'd')];
  const file = await readBack(...here, ...here);
  const moved = here.map((each) => ({ ...each, messages: each.messages.map((message) => ({ ...message, id: message.id * 10, parent: message.parent && message.parent * 10 })) }));
  for (const there of [here, moved]) expect(additionsOf(file, there)).toEqual({ fresh: [], grown: [], known: 4 });
  const twice = additionsOf(file, []);
  expect([twice.fresh.length, twice.known]).toEqual([2, 2]);
});

test('an older export adds nothing, a newer one adds what is new, and one that went on otherwise is another conversation', async () => {
  const here = { ...record(1, 'a', 'b', 'c', 'd'), title: 'Mine', pinned: true as const, revision: 4 };
  expect(additionsOf(await readBack(record(1, 'a', 'b')), [here])).toEqual({ fresh: [], grown: [], known: 1 });
  const { fresh, grown } = additionsOf(await readBack({ ...record(1, 'a', 'b', 'c', 'd', 'e', 'f'), updated: 9 }), [here]);
  expect(fresh).toEqual([]);
  expect(grown).toMatchObject([{ id: here.id, title: 'Mine', pinned: true, revision: 5, updated: 9, leaf: 6 }]);
  expect(additionsOf(await readBack(record(1, 'a', 'x')), [here]).fresh).toHaveLength(1);
  // The same words at another time are another conversation.
  expect(additionsOf(await readBack(record(2, 'a', 'b')), [here]).fresh).toHaveLength(1);
});

test('many conversations are compared soon', async () => {
  const many = Array.from({ length: 3000 }, (_, index) => record(index + 1, ...Array.from({ length: 20 }, (_, at) => `${index} ${at}`)));
  const began = performance.now();
  expect(additionsOf(many, many).known).toBe(3000);
  expect(performance.now() - began).toBeLessThan(2000);
});

const node = (id: string, parent: string | null, children: string[], message: object | null = null) => [id, { id, parent, children, message }] as const;
const text = (role: string, ...parts: unknown[]) => ({ author: { role }, content: { content_type: 'text', parts }, recipient: 'all', metadata: {} });

/** As the files look: a root without a message, a hidden instruction, branches, tools, pictures. */
const EXPORT = [{
  title: 'Tides', create_time: 1700000000.5, update_time: 1700000100, current_node: 'a3',
  mapping: Object.fromEntries([
    node('root', null, ['s']),
    node('s', 'root', ['u1'], { ...text('system', ''), metadata: { is_visually_hidden_from_conversation: true } }),
    node('u1', 's', ['t1', 'a1b'], { ...text('user', { content_type: 'image_asset_pointer', asset_pointer: 'file-service://x' }, 'Why tides?'), content: { content_type: 'multimodal_text', parts: [{ content_type: 'image_asset_pointer' }, 'Why tides?'] } }),
    node('t1', 'u1', ['t2'], { ...text('assistant', 'search("tides")'), recipient: 'web.run' }),
    node('t2', 't1', ['a1'], { author: { role: 'tool', name: 'web.run' }, content: { content_type: 'text', parts: ['result'] }, recipient: 'all' }),
    node('a1', 't2', ['a2'], text('assistant', 'The moon \ue200cite\ue202turn0search1\ue201 pulls.')),
    node('a2', 'a1', ['u2'], { author: { role: 'assistant' }, content: { content_type: 'code', language: 'python', text: 'print(1)' }, recipient: 'all' }),
    node('a1b', 'u1', [], text('assistant', 'The sun, too.')),
    node('u2', 'a2', ['a3'], text('user', 'And twice a day?')),
    node('a3', 'u2', [], { author: { role: 'assistant' }, content: { content_type: 'text', parts: ['Two bulges.', { content_type: 'audio_transcription', text: 'So.' }, { content_type: 'video' }] }, recipient: 'all' }),
  ]),
}, { title: 'Empty', create_time: 1, mapping: {} }];

async function tides(): Promise<ConversationRecord> {
  const [first, ...others] = await readConversations(new Blob([JSON.stringify(EXPORT)]));
  expect(others).toEqual([]);
  return first ?? expect.fail('nothing came in');
}

test('ChatGPT’s tree comes over: what was said, its branches, the branch that was shown', async () => {
  const came = await tides();
  expect(came).toMatchObject({ title: 'Tides', created: 1700000000500, updated: 1700000100000, preset: 'assistant', system: '' });
  const conversation = new Conversation(came);
  expect(conversation.messages.map(({ role, text }) => [role, text])).toEqual([
    ['user', '[a picture, which is not here]\n\nWhy tides?'], ['assistant', 'The moon  pulls.\n\n```python\nprint(1)\n```'], ['user', 'And twice a day?'],
    ['assistant', 'Two bulges.\n\nSo.\n\n[a file or a recording, which is not here]'],
  ]);
  const [, answer] = conversation.messages;
  expect(answer && conversation.branches(answer).ids).toHaveLength(2);
  // It is as sound as one of ours: it goes out and comes back.
  expect((await readBack(came))[0]?.messages).toEqual(came.messages);
  expect(additionsOf([await tides()], [came]).known).toBe(1);
});

test('what goes on after a speaker’s first words keeps the branches beside it', async () => {
  const mapping = Object.fromEntries([node('u', null, ['a'], text('user', 'q')), node('a', 'u', ['x', 'b'], text('assistant', 'one')), node('x', 'a', [], text('user', 'other')), node('b', 'a', [], text('assistant', 'two'))]);
  const [came] = await readConversations(new Blob([JSON.stringify([{ mapping, current_node: 'b', create_time: 5 }])]));
  expect(came?.messages.map(({ parent, text }) => [parent, text])).toEqual([[null, 'q'], [1, 'one'], [2, 'other'], [1, 'one\n\ntwo']]);
  expect(came?.leaf).toBe(4);
  expect(came?.title).toBe('q');
});

test('its zip is read, whole or in parts, and nothing else of it', async () => {
  const part = (title: string) => strToU8(JSON.stringify([{ ...EXPORT[0], title }]));
  for (const level of [0, 6] as const) {
    const zip = new Blob([zipSync({ 'user.json': strToU8('{}'), 'export/conversations-000.json': part('one'), 'export/conversations-001.json': part('two'), 'picture.png': new Uint8Array(5000) }, { level })]);
    expect(await isZip(zip)).toBe(true);
    expect((await readConversations(zip)).map(({ title }) => title)).toEqual(['one', 'two']);
  }
});

test.each<[string, () => Blob, string]>([
  ['a zip without conversations', () => new Blob([zipSync({ 'a.txt': strToU8('x') })]), 'import-file'],
  ['a zip that is cut off', () => new Blob([zipSync({ 'conversations.json': strToU8(JSON.stringify(EXPORT)) }).slice(0, 200)]), 'import-file'],
  ['a zip whose file is damaged', () => new Blob([zipSync({ 'conversations.json': strToU8(JSON.stringify(EXPORT)) }).map((byte, at) => (at > 60 && at < 90 ? 255 : byte))]), 'import-file'],
  ['an empty array', () => new Blob(['[]']), 'import-file'],
  ['an array of something else', () => new Blob(['[1, null, {"mapping": 5}, []]']), 'import-file'],
  ['parents in a circle', () => new Blob([JSON.stringify([{ mapping: Object.fromEntries([node('a', 'b', ['b'], text('user', 'x')), node('b', 'a', ['a'], text('user', 'y'))]) }])]), 'import-file'],
])('refused: %s', async (_, file, code) => expect(readConversations(file())).rejects.toMatchObject({ code }));

test('a zip bomb is left once more comes out than was allowed', async () => {
  const bomb = new Blob([zipSync({ 'conversations.json': new Uint8Array(20e6) }, { level: 1 })]);
  expect(bomb.size).toBeLessThan(200_000);
  await expect(zippedConversations(bomb, 1e6, () => new Error('too large'))).rejects.toThrow('too large');
});

test('a tree as deep as it is long, and children that come twice, are walked once', async () => {
  const mapping = Object.fromEntries(Array.from({ length: 12_000 }, (_, at) => node(`${at}`, at === 0 ? null : `${at - 1}`, at < 11_999 ? [`${at + 1}`, `${at + 1}`, '0'] : ['0'], text(at % 2 === 0 ? 'user' : 'assistant', `${at}`))));
  const [came] = await readConversations(new Blob([JSON.stringify([{ title: 'deep', create_time: 1, mapping }])]));
  expect(came?.messages).toHaveLength(10_000);
});
