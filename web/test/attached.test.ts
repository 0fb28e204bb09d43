/** Chats that are answered from documents: what is read for a question, what an answer goes back to, what is kept. */
import { expect, test } from 'vitest';
import { failure } from '../src/base/failure';
import { Conversation } from '../src/chat/conversation';
import { importedConversations, jsonFile } from '../src/chat/conversation-files';
import { Reader, type ReaderParts } from '../src/chat/reader';
import type { DocumentText } from '../src/data/document-records';
import { CountedText } from '../src/documents/counted-text';
import { DocumentIntake } from '../src/documents/document-intake';
import { DocumentReadings } from '../src/documents/readings';
import { blocksOf } from '../src/documents/sections';
import { bestSentences, sentencesOf } from '../src/documents/sentences';
import { Attaching } from '../src/page/attaching';
import { settle } from './browser';

const HARBOUR = 'The harbour was built in 1881. Its first keeper was Maria Ostrander. She kept two lamps.';
/** Longer than what is read as a whole. */
const RAILWAY = Array.from({ length: 300 }, (_, index) => `In the year ${1900 + index} the railway carried ${index} loads of slate and nothing else that anybody wrote down.`)
  .concat('The engine of the railway was called Blodwen.').join('\n\n');

function readings(texts: Record<string, string>) {
  let counts = 0;
  const made = new DocumentReadings({
    text: async (id) => (texts[id] === undefined ? undefined : { id, text: texts[id], places: [{ offset: 0, label: 'Page 1', page: 1 }] } satisfies DocumentText),
    name: (id) => `${id}.pdf`,
    count: async (text) => {
      counts += 1;
      const blocks = [...blocksOf(text)];
      return new CountedText('m', 4096, blocks, blocks.map(({ start, end }) => Math.ceil((end - start) / 4)));
    },
    model: () => 'm',
  });
  return { made, counts: () => counts };
}

/** A chat over an engine that counts four letters a token. */
function chatOver(texts: Record<string, string>) {
  const { made } = readings(texts);
  const parts = { engine: { tokenize: async (text: string) => new Uint32Array(Math.ceil(text.length / 4)) }, loader: { context: 4096 }, readings: { ...made, arrived: async () => undefined,
    choose: made.choose.bind(made), prompt: made.prompt.bind(made), sources: made.sources.bind(made) } };
  const conversation = new Conversation();
  const reader = new Reader(parts as unknown as ReaderParts);
  const ask = async (question: string, answer: string) => {
    const place = conversation.ask(question);
    await reader.read(conversation, [place]);
    const { messages, shared } = await reader.promptFor(conversation, place);
    Object.assign(place, { text: answer, state: { kind: 'done', stop: 'eos', stats: { tokens: 1, firstToken: 1, rate: 1 } } });
    await reader.cite(conversation, [place]);
    return { place, shared, contents: messages.map(({ content }) => content) };
  };
  return { conversation, ask };
}

test('short documents are read whole, once, and stay before the questions that follow', async () => {
  const { conversation, ask } = chatOver({ a: HARBOUR, b: 'The quay is red.' });
  conversation.attach({ id: 'a', name: 'a.pdf' });
  conversation.attach({ id: 'b', name: 'b.pdf' });
  const first = await ask('Who was the first keeper?', 'Maria Ostrander.');
  expect(first.contents).toHaveLength(1);
  expect(first.contents[0]).toMatch(/^From “a\.pdf”:\n"""\nThe harbour[^]*From “b\.pdf”[^]*Question: Who was the first keeper\?$/);
  expect(first.contents[0]?.startsWith(first.shared ?? '-')).toBe(true);
  expect(first.place.sources).toMatchObject([{ documentId: 'a', name: 'a.pdf', quote: 'Its first keeper was Maria Ostrander.', place: 'Page 1' }]);
  const second = await ask('And how many lamps?', 'Two lamps.');
  expect(second.contents).toEqual([first.contents[0], 'Maria Ostrander.', 'And how many lamps?']);
  expect(second.place.sources?.[0]).toMatchObject({ quote: 'She kept two lamps.' });
});

test('a long document is read in the passages that a question is about, which are not read for the next one', async () => {
  const { conversation, ask } = chatOver({ long: RAILWAY });
  conversation.attach({ id: 'long', name: 'long.txt' });
  const first = await ask('What was the engine called?', 'It was called Blodwen.');
  expect(first.contents[0]).toContain('called Blodwen');
  expect((first.contents[0] ?? '').length).toBeLessThan(RAILWAY.length / 2);
  expect(first.shared).toBe('');
  expect(first.place.sources?.[0]?.quote).toBe('The engine of the railway was called Blodwen.');
  // A follow-up with few words of its own is still about the engine.
  const second = await ask('Why so?', 'Nobody knows.');
  expect(second.contents[0]).toBe('What was the engine called?');
  expect(second.contents[2]).toContain('called Blodwen');
});

test('of several documents the passages come from those that the question is about; each is counted once', async () => {
  const { made, counts } = readings({ long: RAILWAY, a: HARBOUR });
  const parts = await made.choose('Who was Maria Ostrander?', '', ['long', 'a', 'deleted'], 700);
  expect(parts.map(({ documentId }) => documentId)).toContain('a');
  expect(parts.every(({ whole }) => whole !== true)).toBe(true);
  await made.choose('Who?', '', ['long', 'a'], 700);
  expect(counts()).toBe(2);
});

test('of a document that is deleted nothing is read, and questions go on without it', async () => {
  const texts: Record<string, string> = { a: HARBOUR };
  const { conversation, ask } = chatOver(texts);
  conversation.attach({ id: 'a', name: 'a.pdf' });
  await ask('Who?', 'Maria.');
  delete texts.a;
  const { contents, place } = await ask('And when?', 'In 1881.');
  expect(contents.join(' ')).not.toContain('harbour was built');
  expect(place.sources).toEqual([]);
});

test('a chat without documents is asked as it is', async () => {
  const { ask } = chatOver({});
  const { contents, shared, place } = await ask('Hello', 'Good day.');
  expect([contents, shared, place.sources]).toEqual([['Hello'], undefined, undefined]);
});

test('an answer that shares no word of weight with the text has no source', async () => {
  expect(await bestSentences('Who?', 'It is so.', [HARBOUR])).toEqual([]);
  expect(await bestSentences('Who?', 'Elephants dance.', [HARBOUR])).toEqual([]);
});

test('sentences end at points, empty lines and the points of other scripts, not within numbers', () => {
  const said = (text: string) => sentencesOf(text).map(({ start, end }) => text.slice(start, end));
  expect(said('It cost 3.50 euros. “So?” She left.\n\nA heading\n\nThe end')).toEqual(['It cost 3.50 euros.', '“So?”', 'She left.', 'A heading', 'The end']);
  expect(said('灯台は高い。港は古い。')).toEqual(['灯台は高い。', '港は古い。']);
  expect(said('x'.repeat(1000)).map(({ length }) => length)).toEqual([400, 400, 200]);
  expect(said(' \n\n ')).toEqual([]);
});

test('what is attached, read and quoted goes through a file of conversations, and what is none of it does not', () => {
  const conversation = new Conversation();
  conversation.attach({ id: 'a', name: 'a.pdf' });
  const answer = conversation.ask('Who?');
  const source = { documentId: 'a', name: 'a.pdf', start: 1, end: 5, quote: 'harb', place: '' };
  Object.assign(answer, { text: 'x', state: { kind: 'imported' }, sources: [source, { ...source, end: 1 }, { quote: 5 }, null] });
  Object.assign(conversation.messages[0] ?? {}, { read: [{ documentId: 'a', start: 0, end: 9, whole: true, more: 1 }, { documentId: 7, start: 0, end: 1 }] });
  Object.assign(conversation.record, { attachments: [...conversation.attachments, { id: 'x'.repeat(100), name: 'y' }, 'z'] });
  const [record] = importedConversations(jsonFile([conversation.record], 'x').text);
  expect(record?.attachments).toEqual([{ id: 'a', name: 'a.pdf' }]);
  expect(record?.messages).toMatchObject([{ read: [{ documentId: 'a', start: 0, end: 9, whole: true }] }, { sources: [source] }]);
  expect(record?.messages[0]).not.toHaveProperty('read.0.more');
});

test('files on their way into a chat show how far they are, say what is wrong, and can be called off', async () => {
  const attached: string[] = [];
  const report: { progress?: (done: number, total: number) => void; end?: () => void } = {};
  const intake = () => new DocumentIntake({
    changed: () => undefined,
    add: async (name) => `id of ${name}`,
    extract: async (file, _, onProgress, signal, password) => {
      const { name } = file as File;
      if (name === 'locked.pdf' && password !== 'secret') throw failure('password');
      if (password) return { text: 'x', places: [] };
      report.progress = onProgress;
      await new Promise<void>((resolve, reject) => {
        report.end = resolve;
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
      return { text: 'x', places: [] };
    },
  });
  const attaching = new Attaching({ intake, attach: async (chat, { id }) => void attached.push(`${chat}: ${id}`), changed: () => undefined });
  const states = () => attaching.states('c', [], () => true).map(({ name, state }) => [name, state.kind]);
  attaching.addFiles('c', [new File(['x'], 'a.txt'), new File(['x'], 'locked.pdf')]);
  await settle();
  expect(states()).toEqual([['a.txt', 'arriving'], ['locked.pdf', 'failed']]);
  report.progress?.(2, 5);
  expect(attaching.states('c', [], () => true)[0]?.state).toMatchObject({ done: 2, total: 5 });
  let arrived = false;
  void attaching.arrived('c').then(() => (arrived = true));
  await settle();
  expect(arrived).toBe(false);
  report.end?.();
  await settle();
  expect([arrived, attached]).toEqual([true, ['c: id of a.txt']]);
  const [failed] = attaching.states('c', [], () => true);
  expect(failed?.state).toMatchObject({ kind: 'failed', failure: { code: 'password' }, locked: true });
  attaching.unlock(failed?.key ?? '', 'wrong');
  await settle();
  expect(states()).toEqual([['locked.pdf', 'failed']]);
  attaching.unlock(failed?.key ?? '', 'secret');
  await settle();
  expect([states(), attached]).toEqual([[], ['c: id of a.txt', 'c: id of locked.pdf']]);
  attached.pop();
  attaching.addFiles('c', [new File(['x'], 'locked.pdf')]);
  await settle();
  const [again] = attaching.states('c', [], () => true);
  expect(attaching.end(again?.key ?? '')).toBe(true);
  attaching.addFiles('c', [new File(['x'], 'b.txt')]);
  await settle();
  attaching.end(attaching.states('c', [], () => true)[0]?.key ?? '');
  await settle();
  expect([states(), attached.length, attaching.end('id of a.txt')]).toEqual([[], 1, false]);
});
