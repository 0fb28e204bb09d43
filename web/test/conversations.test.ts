import { readFileSync } from 'node:fs';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { refuseDatabases } from './browser';
import { openAppDatabase } from '../src/data/app-database';
import { Conversation } from '../src/chat/conversation';
import { importedConversations, jsonFile, markdownFile, readConversations } from '../src/chat/conversation-files';
import { ConversationStore } from '../src/chat/conversation-store';
import { isOwnSystem, languages, presets, systemText, translatorLanguage, translatorSystem } from '../src/chat/presets';
import { GENERATE_DEFAULTS } from 'web-mamba';
import { generateOptions, soundChoice } from '../src/chat/sampling';
import { shortened } from '../src/base/shortened';
import type { ConversationRecord } from '../src/data/conversation-record';

const DONE = { kind: 'done', stop: 'eos', stats: { tokens: 2, firstToken: 0.1, rate: 5 } } as const;
const texts = (conversation: Conversation) => conversation.messages.map(({ text }) => text);

function spoken(...turns: [string, string][]): Conversation {
  const conversation = new Conversation();
  for (const [question, reply] of turns) Object.assign(conversation.ask(question), { text: reply, state: DONE });
  return conversation;
}

test('an edited question is a branch beside the first, and both can be shown', () => {
  const conversation = spoken(['one', 'uno'], ['two', 'due']);
  const [, , second] = conversation.messages;
  if (second?.role !== 'user') throw new Error('a question');
  const answer = conversation.askInstead(second, 'zwei?');
  answer.text = 'drei';
  expect(texts(conversation)).toEqual(['one', 'uno', 'zwei?', 'drei']);
  const edited = conversation.messages[2];
  expect(edited && conversation.branches(edited)).toEqual({ index: 1, ids: [3, 5] });
  conversation.show(3);
  expect(texts(conversation)).toEqual(['one', 'uno', 'two', 'due']);
  expect(conversation.prompt(conversation.upTo(answer)).map(({ content }) => content)).toEqual(['one', 'uno', 'zwei?', 'drei']);
});

test('another answer is a branch too, and giving it up shows the first again', () => {
  const conversation = spoken(['one', 'uno'], ['two', 'due']);
  const first = conversation.messages[1];
  if (first?.role !== 'assistant') throw new Error('an answer');
  const [again] = conversation.answersAgain(first, 1);
  if (!again) throw new Error('a place');
  expect(conversation.branches(again)).toEqual({ index: 1, ids: [2, 5] });
  expect(texts(conversation)).toEqual(['one', '']);
  expect(conversation.takeBack(again)).toBe('');
  expect(texts(conversation)).toEqual(['one', 'uno', 'two', 'due']);
});

test('several other answers are branches; one that is given up leaves the others, and what is shown, alone', () => {
  const conversation = spoken(['one', 'uno']);
  const first = conversation.messages[1];
  if (first?.role !== 'assistant') throw new Error('an answer');
  const several = conversation.answersAgain(first, 3);
  several.forEach((answer, index) => (answer.text = ['eins', 'un', ''][index] ?? ''));
  expect(several.map((answer) => conversation.branches(answer))).toEqual([1, 2, 3].map((index) => ({ index, ids: [2, 3, 4, 5] })));
  expect(texts(conversation)).toEqual(['one', 'eins']);
  const [, , last] = several;
  expect(last && conversation.takeBack(last)).toBe('');
  expect(texts(conversation)).toEqual(['one', 'eins']);
  conversation.show(4);
  expect(conversation.prompt(conversation.upTo(conversation.ask('two'))).map(({ content }) => content)).toEqual(['one', 'un', 'two']);
});

test('the system prompt comes first, knowledge only where the role uses it, and an answer that is carried on comes last', () => {
  const conversation = new Conversation(undefined, { ...presets.service.instructions, knowledge: 'Open at nine.' });
  const answer = conversation.ask('When?');
  answer.text = 'We open';
  const prompt = conversation.prompt(conversation.upTo(answer));
  expect(prompt.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
  expect(prompt[0]?.content).toContain('Knowledge:\nOpen at nine.');
  expect(systemText({ preset: 'writer', system: ' a ', knowledge: 'unused' })).toBe('a');
});

test('titles are the first line, cut at a word', () => {
  expect(shortened('Short\nand more')).toBe('Short');
  expect(shortened(`${'word '.repeat(30)}`)).toMatch(/^(word )+word…$/);
});

let store: ConversationStore;
let databases = 0;
beforeEach(() => (store = new ConversationStore(openAppDatabase(`conversations-${(databases += 1)}`))));

async function save(title: string, updated: number, ...turns: [string, string][]): Promise<ConversationRecord> {
  const { record } = spoken(...turns);
  await store.save(Object.assign(record, { title, updated }));
  return record;
}

test('conversations are listed newest first, found by any word, renamed and deleted', async () => {
  const old = await save('Rain', 1, ['Why is the sky blue?', 'Because of Rayleigh scattering in the air.']);
  await save('Tea', 2, ['How do I make tea?', 'Boil water.']);
  expect((await store.list()).map(({ title }) => title)).toEqual(['Tea', 'Rain']);
  expect(await store.list('RAYLEIGH')).toMatchObject([{ title: 'Rain', excerpt: expect.stringContaining('Rayleigh') as string }]);
  expect((await store.list('tea')).map(({ title }) => title)).toEqual(['Tea']);
  expect(await store.list('zebra')).toEqual([]);
  await store.rename(old.id, 'Weather');
  expect((await store.find(old.id))?.title).toBe('Weather');
  await store.remove(old.id);
  expect(await store.list()).toHaveLength(1);
});

test('where two tabs have written to one conversation, both are kept; a new name is nobody’s loss', async () => {
  const record = await save('Rain', 1, ['one', 'uno']);
  const elsewhere = (await store.find(record.id)) ?? expect.fail();
  await store.rename(record.id, 'Weather');
  await store.save(Object.assign(new Conversation(elsewhere).record, { updated: 3 }));
  expect(elsewhere.title).toBe('Weather');
  new Conversation(record).ask('two');
  const { id } = elsewhere;
  await store.save(record);
  expect(record.id).not.toBe(id);
  expect((await store.all()).map(({ messages }) => messages.length).sort()).toEqual([2, 4]);
  await store.save(record);
  expect(await store.list()).toHaveLength(2);
});

test('another tab hears of what is stored', async () => {
  const other = new ConversationStore(openAppDatabase(`conversations-${databases}`));
  const heard: string[] = [];
  store.onElsewhere(() => undefined);
  other.onElsewhere((id) => heard.push(id ?? ''));
  expect(await other.list()).toEqual([]);
  const { id } = await save('Rain', 1, ['one', 'uno']);
  await expect.poll(() => heard).toEqual([id]);
  expect(await other.list()).toMatchObject([{ title: 'Rain' }]);
});

test('where the browser keeps nothing, conversations are in memory until the page is closed', async () => {
  onTestFinished(refuseDatabases());
  const { id } = await save('Rain', 1, ['one', 'uno']);
  await store.rename(id, 'Weather');
  expect(await store.list('uno')).toMatchObject([{ title: 'Weather' }]);
  expect(await store.find(id)).toMatchObject({ title: 'Weather' });
  await store.remove(id);
  expect(await store.list()).toEqual([]);
});

test('an answer that was being written when the page closed has ended with the words that it had', async () => {
  const { record } = spoken(['one', 'uno']);
  Object.assign(record.messages[1] ?? {}, { text: 'half', state: { kind: 'streaming' } });
  await store.save(record);
  expect((await store.find(record.id))?.messages[1]).toMatchObject({ text: 'half', state: { kind: 'done', stop: 'cancelled' } });
});

test('JSON goes out and comes back with every branch, under new ids', () => {
  const conversation = spoken(['one', 'uno'], ['two', 'due']);
  const [question] = conversation.messages;
  if (question?.role !== 'user') throw new Error('a question');
  Object.assign(conversation.askInstead(question, 'other'), { text: 'altro', state: DONE });
  const [back] = importedConversations(jsonFile([conversation.record], 'x').text);
  expect(back).toEqual({ ...conversation.record, id: expect.any(String) as string });
  expect(back?.id).not.toBe(conversation.record.id);
  expect(texts(new Conversation(back))).toEqual(['one' === question.text ? 'other' : '', 'altro']);
});

test('an imported conversation is built anew: nothing unknown comes in, ids begin at 1, and no time lies in the future', () => {
  const { record } = spoken(['one', 'uno'], ['two', 'due']);
  const hostile = { toLocaleString: 1 };
  const [, first, , second] = record.messages;
  Object.assign(first ?? {}, { state: { ...DONE, stats: { ...DONE.stats, position: hostile, more: hostile }, more: hostile }, more: hostile });
  Object.assign(second ?? {}, { id: Number.MAX_SAFE_INTEGER, state: { kind: 'told', more: hostile } });
  Object.assign(record, { leaf: Number.MAX_SAFE_INTEGER, updated: 8e15, title: 'x'.repeat(5_000), more: hostile });
  const [back] = importedConversations(jsonFile([record], 'x').text);
  expect(JSON.stringify(back)).not.toContain('more');
  expect(back?.messages.map(({ id, parent }) => [id, parent])).toEqual([[1, null], [2, 1], [3, 2], [4, 3]]);
  expect(back?.messages[1]).toEqual({ id: 2, parent: 1, role: 'assistant', text: 'uno', state: DONE });
  expect(back?.updated).toBeLessThanOrEqual(Date.now());
  expect(back?.title).toHaveLength(200);
  // That is what earlier versions called it.
  expect(back?.messages[3]).toEqual({ id: 4, parent: 3, role: 'assistant', text: 'due', state: { kind: 'imported' } });
  const conversation = new Conversation(back);
  conversation.ask('three');
  expect(conversation.messages.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
  conversation.show(1);
  expect(conversation.record.leaf).toBe(6);
});

test('a file that would make the page slow is refused by its size, before it is read', async () => {
  const large = { size: 1e9, slice: () => new Blob(['{"a"']), text: () => expect.fail('it was read') } as unknown as Blob;
  await expect(readConversations(large)).rejects.toMatchObject({ code: 'import-large', message: expect.not.stringMatching(/[{}]/) as string });
  const { record } = spoken(['one', 'uno']);
  const many = jsonFile(Array<ConversationRecord>(20_001).fill(record), 'x').text;
  expect(() => importedConversations(many)).toThrow(expect.objectContaining({ code: 'import-large' }));
  expect(await readConversations(new Blob([jsonFile([record], 'x').text]))).toHaveLength(1);
});

test('a long conversation is walked once, however many of its words are drawn', () => {
  const { record } = spoken(...Array.from({ length: 5_000 }, (_, index): [string, string] => [`${index}`, 'yes']));
  const conversation = new Conversation(record);
  const { messages } = conversation;
  expect(messages).toHaveLength(10_000);
  const began = performance.now();
  for (let token = 0; token < 10_000; token += 1) conversation.branches(conversation.messages[token] ?? expect.fail());
  // Searched anew each time, this took minutes.
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(conversation.messages).toBe(messages);
});

test('Markdown shows the branch that is shown, with the system prompt quoted', () => {
  const conversation = spoken(['one', '**uno**']);
  Object.assign(conversation.record, { title: 'A: b/c?', system: 'Be brief.\nAlways.' });
  const file = markdownFile(conversation.record, conversation.messages, { user: 'You', assistant: 'Model' });
  expect(file).toEqual({ name: 'A-bc.md', type: 'text/markdown', text: '# A: b/c?\n\n> Be brief.\n> Always.\n\n## You\n\none\n\n## Model\n\n**uno**\n' });
});

test.each([
  ['no JSON', 'hello'], ['null', 'null'], ['another format', '{"format":"x","version":1,"conversations":[{}]}'],
  ['nothing in it', JSON.stringify({ format: 'web-mamba-conversations', version: 1, conversations: [] })],
])('a file that is not one of ours is refused: %s', (_, text) => {
  expect(() => importedConversations(text)).toThrow(expect.objectContaining({ code: 'import-file' }));
});

test.each([
  ['a circle of parents', (record: ConversationRecord) => record.messages.forEach((message) => (message.parent = message.id))],
  ['a leaf that is not there', (record: ConversationRecord) => (record.leaf = 99)],
  ['an unknown role', (record: ConversationRecord) => Object.assign(record.messages[0] ?? {}, { role: 'wizard' })],
  ['a text that is none', (record: ConversationRecord) => Object.assign(record.messages[0] ?? {}, { text: 5 })],
  ['an unknown preset', (record: ConversationRecord) => Object.assign(record, { preset: 'x' })],
  ['the same id twice', (record: ConversationRecord) => record.messages.forEach((message) => (message.id = 1))],
])('a spoiled conversation is refused: %s', (_, spoil) => {
  const { record } = spoken(['one', 'uno'], ['two', 'due']);
  spoil(record);
  expect(() => importedConversations(jsonFile([record], 'x').text)).toThrow(expect.objectContaining({ code: 'import-file' }));
});

test('sampling: what the visitor set, else the preset, else the model; a seed of chance unless one is set', () => {
  const options = generateOptions({ temperature: 0.1 }, { topK: 7, temperature: 0.6 }, { topP: 0.5 });
  expect(options).toMatchObject({ temperature: 0.1, topK: 7, topP: 0.5, maxTokens: 1024 });
  expect(options.seed).toBeGreaterThanOrEqual(0);
  expect(generateOptions({ seed: 5 }).seed).toBe(5);
  expect(soundChoice({ temperature: 9, topK: 3, seed: -5, other: 1 })).toEqual({ topK: 3 });
});

test('what nobody sets is as the engine has it', () => {
  const rust = (file: string) => readFileSync(new URL(`../../crate/src/${file}`, import.meta.url), 'utf8');
  for (const [key, value] of Object.entries(GENERATE_DEFAULTS)) {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const text = key === 'maxTokens' ? rust('generate.rs') : rust('sampler.rs');
    const [, found] = new RegExp(`^ {12}${name}: ([\\d.]+),`, 'm').exec(text) ?? [];
    expect([key, Number(found)]).toEqual([key, value]);
  }
  const { maxTokens: _, ...usual } = generateOptions({});
  const { seed: __, ...drawn } = usual;
  expect(GENERATE_DEFAULTS).toMatchObject(drawn);
});

test('the translator translates into the language that is chosen, and a prompt of the visitor’s own is known as such', () => {
  expect(translatorLanguage(presets.translator.instructions.system)).toBe('English');
  for (const language of languages) expect(translatorLanguage(translatorSystem(language))).toBe(language);
  const { instructions } = presets.translator;
  expect(isOwnSystem(instructions)).toBe(false);
  expect(isOwnSystem({ ...instructions, system: translatorSystem('Hindi') })).toBe(false);
  expect(isOwnSystem({ ...instructions, system: 'Translate like a pirate.' })).toBe(true);
  expect(isOwnSystem({ ...presets.assistant.instructions, system: '' })).toBe(false);
});

test('a conversation in a file says what it began from, and nothing else is taken for that', () => {
  const back = (beginning: unknown) => {
    const record = { ...new Conversation().record, title: 'x', beginning } as Conversation['record'];
    return importedConversations(jsonFile([record], 'x').text)[0];
  };
  expect(back('0123456789abcdef'.repeat(2))).toMatchObject({ beginning: '0123456789abcdef'.repeat(2) });
  for (const none of [undefined, null, 5, '', 'A'.repeat(32), 'a'.repeat(33), ['a'.repeat(32)]]) expect(back(none)).not.toHaveProperty('beginning');
});
