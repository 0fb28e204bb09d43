/** Documents without a browser: what waits, what is called off, what several at once do. */
import { beforeEach, expect, test, vi } from 'vitest';
import { openAppDatabase, type AppDatabase } from '../src/data/app-database';
import { DocumentsController } from '../src/documents/documents-controller';
import { failure, type MambaError } from '../src/base/failure';
import type { ModelLoader } from '../src/models/model-loader';
import { SpeedEstimates } from '../src/models/speed-estimates';
import { Turns } from '../src/base/turns';
import { DocumentStore } from '../src/documents/document-store';
import type { Extract as ExtractFile } from '../src/documents/extract/extractor';
import type { EngineWorker } from '../engine/src/protocol/calls';
import type { AnswerOptions, ChatMessage, GenerateEvent, BatchEvent } from '../engine/src/protocol/protocol';
import { settle } from './browser';

type Ended = Extract<GenerateEvent, { type: 'end' }>;

const END = { type: 'end', text: '', stop: 'eos', seed: 1, promptTokens: 100, prefilledTokens: 90, tokens: 10, prefillTps: 50, decodeTps: 5 } as const;
const PARAGRAPHS = Array.from({ length: 100 }, (_, index) => `Paragraph ${index} of this text says something that the others do not say, and then it ends.`).join('\n\n');

let databases = 0;
let database: AppDatabase;
beforeEach(() => {
  database = openAppDatabase(`documents-${(databases += 1)}`);
});

function setUp(texts: Readonly<Record<string, string>> = {}) {
  const failures: (MambaError | undefined)[] = [];
  let open: (opened: boolean) => void = () => undefined;
  const loader = { opening: new Promise<boolean>((resolve) => (open = resolve)), url: 'm', context: 600, choice: { name: 'Small' }, info: { backend: 'cpu' }, rebuilding: () => undefined };
  const asked: { prompts: ChatMessage[][]; options: AnswerOptions; say: (index: number, event: GenerateEvent) => void; end: () => void }[] = [];
  const ask = (prompts: ChatMessage[][], options: AnswerOptions, say: (index: number, event: GenerateEvent) => void) =>
    new Promise<void>((end) => asked.push({ prompts, options, say, end }));
  const engine = {
    tokenize: vi.fn(async (text: string) => new Uint32Array(Math.ceil(text.length / 4))),
    generate: (prompt: ChatMessage[], options: AnswerOptions, onEvent: (event: GenerateEvent) => void) => ask([prompt], options, (_, event) => onEvent(event)),
    generateBatch: (prompts: ChatMessage[][], options: AnswerOptions, onEvent: (event: BatchEvent) => void) => ask(prompts, options, (index, event) => onEvent({ ...event, index })),
    stop: vi.fn(async () => asked.at(-1)?.end()),
    forgetStates: vi.fn(async () => undefined),
  };
  const turns = new Turns();
  const speeds = new SpeedEstimates(database, () => `${loader.url} ${loader.info.backend}`);
  const extract: ExtractFile = async (file, _kind, onPage, signal) => {
    const name = (file as File).name ?? '';
    if (name === 'slow.txt') {
      await new Promise((_, reject) => signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
        setTimeout(() => onPage(1, 2));
      }));
    }
    if (name === 'locked.pdf') throw failure('password');
    return { text: texts[name] ?? (await file.text()), places: [] };
  };
  const documents = new DocumentsController({
    engine: engine as unknown as EngineWorker, store: new DocumentStore(database), extract, loader: loader as unknown as ModelLoader, turns, speeds,
    changed: () => undefined, failed: (fault) => failures.push(fault), located: () => undefined,
  });
  const add = (...files: [name: string, text: string][]) => documents.addFiles(files.map(([name, text]) => new File([text], name)));
  const answer = (text: string, end: Partial<Ended> = {}) => {
    const call = asked.at(-1);
    call?.prompts.forEach((_, index) => {
      call.say(index, { type: 'token', id: 1, text, milliseconds: 1 });
      call.say(index, { ...END, ...end });
    });
    call?.end();
  };
  return { documents, engine, loader, turns, speeds, failures, asked, add, answer, ready: (opened = true) => open(opened), last: () => failures.at(-1) };
}

test('a summary that is asked for before the model is there waits visibly, once, and can be called off', async () => {
  const { documents, add, asked, ready } = setUp();
  await add(['a.txt', 'A short text.']);
  void documents.summarise('short', '');
  expect(documents.data.running).toMatchObject({ progress: undefined });
  void documents.summarise('short', '');
  void documents.summarise('detailed', '');
  expect(documents.data.open?.summaries).toHaveLength(1);
  documents.pause();
  await settle();
  expect(documents.data.running).toBeUndefined();
  ready();
  await settle();
  expect(asked).toHaveLength(0);
  const [summary] = documents.data.open?.summaries ?? [];
  if (summary) void documents.resume(summary);
  await settle();
  expect(asked).toHaveLength(1);
});

test('without a model, a summary and a question fail with a sentence, and the question goes back to its writer', async () => {
  const { documents, add, ready, last } = setUp();
  await add(['a.txt', 'A short text.']);
  ready(false);
  await documents.summarise('short', '');
  expect(last()?.code).toBe('model-needed');
  expect(documents.data.running).toBeUndefined();
  await documents.ask('What is it?');
  expect(last()?.code).toBe('model-needed');
  expect(documents.data).toMatchObject({ asking: undefined, unanswered: { question: 'What is it?' } });
});

test('leaving a document and coming back shows the summary that runs, as it goes on', async () => {
  const { documents, add, asked, answer, ready } = setUp();
  await add(['a.txt', 'A short text.']);
  ready();
  void documents.summarise('short', '');
  await settle();
  const id = documents.data.open?.record.id ?? '';
  await documents.open(null);
  asked[0]?.say(0, { type: 'token', id: 1, text: 'It', milliseconds: 1 });
  await documents.open(id);
  expect(documents.data.running?.progress?.text).toBe('It');
  answer(' is short.');
  await settle();
  expect(documents.data.open?.summaries).toMatchObject([{ result: 'It is short.', figures: { read: 90, known: 10 } }]);
  expect(documents.data.running).toBeUndefined();
});

test('deleting a document from the list ends what is made of it, and nothing of it comes back', async () => {
  const { documents, engine, add, ready } = setUp();
  await add(['a.txt', 'A short text.']);
  ready();
  void documents.summarise('short', '');
  await settle();
  const id = documents.data.open?.record.id ?? '';
  await documents.open(null);
  await documents.remove(id);
  expect(engine.stop).toHaveBeenCalled();
  expect(engine.forgetStates).toHaveBeenCalledWith(id);
  expect(documents.data).toMatchObject({ list: [], running: undefined });
  expect(await database.getAll('summaries')).toEqual([]);
});

test('a summary counts as paused when the engine has ended, and stored what it read', async () => {
  const { documents, engine, add, asked, ready } = setUp();
  await add(['a.txt', 'A short text.']);
  ready();
  void documents.summarise('short', '');
  await settle();
  engine.stop.mockImplementation(async () => undefined);
  documents.pause();
  await settle();
  expect(engine.stop).toHaveBeenCalled();
  expect(documents.data.running).toBeDefined();
  asked[0]?.end();
  await settle();
  expect(documents.data.running).toBeUndefined();
});

test('a deleted summary does not come back when what it was doing ends', async () => {
  const { documents, add, answer, ready } = setUp();
  await add(['a.txt', PARAGRAPHS]);
  ready();
  void documents.summarise('short', '');
  await settle();
  const [summary] = documents.data.open?.summaries ?? [];
  const removed = summary && documents.removeSummary(summary);
  answer('late');
  await removed;
  await settle();
  expect(documents.data.open?.summaries).toEqual([]);
  expect(await database.getAll('summaries')).toEqual([]);
});

test('between the groups of a long summary a chat has its turn, and a pause while it waits shows at once', async () => {
  const { documents, add, asked, answer, ready, turns } = setUp();
  await add(['a.txt', PARAGRAPHS]);
  ready();
  void documents.summarise('short', '');
  await settle();
  expect(asked[0]?.prompts).toHaveLength(4);
  // Its words would be lost.
  asked[0]?.say(0, { type: 'token', id: 1, text: 'A ', milliseconds: 1 });
  let endChat: () => void = () => undefined;
  const chat = vi.fn(() => new Promise<void>((resolve) => (endChat = resolve)));
  void turns.take('chat', chat);
  await settle();
  expect(chat).not.toHaveBeenCalled();
  answer('Part.');
  await settle();
  expect(chat).toHaveBeenCalled();
  expect(asked).toHaveLength(1);
  documents.pause();
  await settle();
  expect(documents.data.running).toBeUndefined();
  endChat();
  await settle();
  expect(asked).toHaveLength(1);
  // The place in the queue was given up, not lost.
  await turns.take('chat', async () => undefined);
});

test('while a group is read, its turn goes to whoever wants it, and then it is read on', async () => {
  const { documents, engine, add, asked, answer, ready, turns } = setUp();
  await add(['a.txt', PARAGRAPHS]);
  ready();
  void documents.summarise('short', '');
  await settle();
  asked[0]?.say(0, { type: 'prefill', done: 60, total: 100 });
  engine.stop.mockImplementationOnce(async () => {
    // The engine was about to write: what it says before it hears of the stop is said again.
    asked[0]?.say(0, { type: 'token', id: 1, text: 'Lost', milliseconds: 1 });
    asked[0]?.say(0, { ...END, stop: 'cancelled' });
    asked[0]?.end();
  });
  let endChat: () => void = () => undefined;
  void turns.take('chat', () => new Promise<void>((resolve) => (endChat = resolve)));
  const asking = documents.ask('What do the others say?');
  await settle();
  expect([turns.holder, asked.length, documents.data.running?.progress?.read]).toEqual(['chat', 1, 60]);
  endChat();
  await settle();
  // A question about a document comes before the rest of the summary too, and gives its turn to nobody.
  expect(asked[1]?.prompts[0]?.[0]?.content).toContain('What do the others say?');
  answer('Nothing.');
  await asking;
  await settle();
  expect(asked[2]?.prompts).toEqual(asked[0]?.prompts);
  answer('Part.');
  await settle();
  expect(documents.data.open?.summaries[0]?.sections.slice(0, 4).map(({ summary }) => summary)).toEqual(['Part.', 'Part.', 'Part.', 'Part.']);
});

test('what a summary read before it gave its turn back is not said to have been known', async () => {
  const { documents, add, asked, answer, ready, turns } = setUp();
  await add(['a.txt', 'A short text.']);
  ready();
  void documents.summarise('short', '');
  await settle();
  asked[0]?.say(0, { type: 'prefill', done: 60, total: 100 });
  await turns.take('chat', async () => undefined);
  await settle();
  answer('Short.', { prefilledTokens: 40 });
  await settle();
  expect(documents.data.open?.summaries).toMatchObject([{ result: 'Short.', figures: { read: 100, known: 0 } }]);
});

test('another model goes on with a summary by its own sections, and both are named', async () => {
  const { documents, loader, add, asked, answer, ready } = setUp();
  await add(['a.txt', PARAGRAPHS]);
  ready();
  void documents.summarise('short', '');
  await settle();
  answer('Part.');
  await settle();
  documents.pause();
  await settle();
  const [summary] = documents.data.open?.summaries ?? [];
  const before = summary?.sections.length ?? 0;
  Object.assign(loader, { url: 'n', context: 400, choice: { name: 'Tiny' } });
  if (summary) void documents.resume(summary);
  await settle();
  expect(summary?.sections.slice(0, 4).map((section) => [section.summary, section.modelName])).toEqual(Array.from({ length: 4 }, () => ['Part.', 'Small']));
  expect(summary).toMatchObject({ model: 'n', modelName: 'Tiny' });
  expect(summary?.sections.length).toBeGreaterThan(before);
  expect(asked.at(-1)?.prompts).toHaveLength(4);
});

test('every question names what it shares with others, and what its states are of', async () => {
  const { documents, add, asked, answer, ready } = setUp();
  await add(['a.txt', 'A short text.']);
  ready();
  for (const question of ['What is it?', 'How long is it?']) {
    const asking = documents.ask(question);
    await settle();
    answer('Short.', { prefilledTokens: 12 });
    await asking;
  }
  const about = documents.data.open?.record.id;
  expect(asked.map(({ options }) => options)).toMatchObject([{ keepAfter: '"""\nA short text.\n"""', about }, { keepAfter: '"""\nA short text.\n"""', about }]);
  expect(documents.data.open?.questions).toMatchObject([{ figures: { read: 12, known: 88 } }, { figures: { read: 12, known: 88 } }]);
});

test('several bad files are all named, each with its remedy, and the good one is open', async () => {
  const { documents, add, last } = setUp();
  await add(['photo.png', ''], ['locked.pdf', 'x'], ['a.txt', 'A short text.'], ['other.zip', '']);
  expect(last()).toMatchObject({ code: 'several-files' });
  for (const name of ['photo.png', 'locked.pdf', 'other.zip']) expect(last()?.message).toContain(name);
  expect(last()?.remedy).toMatch(/Use a PDF.*without the password/);
  expect(documents.data.open?.record.name).toBe('a.txt');
  await add(['photo.png', '']);
  expect(last()?.code).toBe('file-kind');
});

test('a file that takes long can be left out, and one that is too large is not begun', async () => {
  const { documents, add, last } = setUp();
  const adding = add(['slow.txt', 'x'], ['b.txt', 'Never read.']);
  await settle();
  expect(documents.data.adding?.name).toBe('slow.txt');
  documents.cancelAdding();
  await adding;
  await settle();
  expect(documents.data).toMatchObject({ adding: undefined, list: [] });
  expect(last()).toBeUndefined();
  const large = new File(['x'], 'large.pdf');
  Object.defineProperty(large, 'size', { value: 300e6 });
  await documents.addFiles([large]);
  expect(last()?.message).toContain('300.0 MB');
});

test('an estimate is of the open model, and is there at the next visit', async () => {
  const { documents, add, speeds, loader, answer, ready } = setUp();
  await add(['a.txt', 'A short text.']);
  ready();
  await settle();
  expect(documents.data.estimate('short')).toEqual({ sections: 1, seconds: undefined });
  const asking = documents.ask('What is it?');
  await settle();
  answer('Short.');
  await asking;
  const seconds = 4 / 50 + 150 / 5;
  expect(documents.data.estimate('short')?.seconds).toBeCloseTo(seconds);
  loader.url = 'n';
  expect(documents.data.estimate('short')?.seconds).toBeUndefined();
  await settle();
  const next = new SpeedEstimates(database, () => 'm cpu');
  expect(next.estimate(4, 150)).toBeUndefined();
  await next.read();
  expect(next.estimate(4, 150)).toBeCloseTo(seconds);
  // A prompt that was known says nothing of reading.
  speeds.take({ ...END, prefilledTokens: 1, prefillTps: 0.01 });
  loader.url = 'm';
  expect(speeds.estimate(4, 150)).toBeCloseTo(seconds);
});
