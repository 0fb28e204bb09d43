import { expect, test } from 'vitest';
import type { GenerateEvent, KnownEvent } from '../engine/src/protocol/protocol';
import { CountedText } from '../src/documents/counted-text';
import { passagesFor } from '../src/documents/passages';
import type { DocumentPrompt } from '../src/documents/prompts';
import type { SummaryRecord } from '../src/data/document-records';
import { blocksOf, placeOf, sectionsOf } from '../src/documents/sections';
import { SummaryJob, type SummaryProgress } from '../src/documents/summary-job';
import { CHAPTERS, longChapters, markdown } from './make-documents';

const LONG = markdown(longChapters(30));
const words = (text: string) => text.split(/\s+/).filter(Boolean).length;

test('blocks cover a text without a gap, and end where readers would', () => {
  for (const text of [LONG, 'x'.repeat(5000), '😀'.repeat(2000), 'One. Two! '.repeat(300), 'short', '']) {
    const blocks = [...blocksOf(text)];
    expect(blocks.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
    for (const { start, end } of blocks) {
      expect(end - start).toBeLessThanOrEqual(800);
      expect(encodeURIComponent(text.slice(start, end))).not.toBe('');
    }
  }
  expect([...blocksOf(LONG)].slice(0, -1).every(({ end }) => LONG.slice(end - 2, end) === '\n\n')).toBe(true);
});

test('sections cover a text, keep to their limit, and are about as long as each other', () => {
  const blocks = [...blocksOf(LONG)];
  const tokens = blocks.map(({ start, end }) => words(LONG.slice(start, end)));
  const total = tokens.reduce((sum, each) => sum + each, 0);
  for (const most of [300, 500, 1500, total + Math.max(...tokens)]) {
    const sections = sectionsOf(blocks, tokens, most);
    expect(sections[0]?.start).toBe(0);
    expect(sections.at(-1)?.end).toBe(LONG.length);
    sections.forEach((section, index) => index > 0 && expect(section.start).toBe(sections[index - 1]?.end));
    expect(sections.reduce((sum, section) => sum + section.tokens, 0)).toBe(total);
    expect(Math.max(...sections.map((section) => section.tokens))).toBeLessThanOrEqual(most);
    expect(sections.length).toBeLessThanOrEqual(Math.ceil(total / (most - Math.max(...tokens))) + 1);
  }
});

test('a part is named by its pages or headings', () => {
  const places = [0, 100, 200].map((offset, index) => ({ offset, label: `Page ${index + 1}`, page: index + 1 }));
  expect([placeOf(places, { start: 0, end: 50 }), placeOf(places, { start: 50, end: 250 }), placeOf([], { start: 0, end: 9 })]).toEqual(['Page 1', 'Pages 1–3', '']);
  const chapters = [{ offset: 0, label: 'Sea' }, { offset: 100, label: 'Land' }];
  expect(placeOf(chapters, { start: 10, end: 150 })).toBe('Sea – Land');
  // A chapter's name is not an English word that has a plural.
  const numbered = [{ offset: 0, label: 'Kapitel 1' }, { offset: 100, label: 'Kapitel 2' }];
  expect(placeOf(numbered, { start: 10, end: 150 })).toBe('Kapitel 1 – Kapitel 2');
});

test('a question finds the part that it is about, and the parts keep their order and limit', async () => {
  const text = markdown(CHAPTERS);
  const blocks = CHAPTERS.flatMap(({ paragraphs }) => paragraphs).map((paragraph) => ({ start: text.indexOf(paragraph), end: text.indexOf(paragraph) + paragraph.length }));
  const parts = blocks.map((block) => ({ ...block, tokens: words(text.slice(block.start, block.end)) }));
  const best = async (question: string) => (await passagesFor(question, text, parts, 30)).map(({ start, end }) => text.slice(start, end)).join(' ');
  expect(await best('Who was the first keeper of the lighthouse?')).toContain('Maria Ostrander');
  expect(await best('How much are the tickets?')).toContain('7 euros');
  const several = await passagesFor('harbour railway', text, parts, 80);
  expect(several.length).toBeGreaterThan(1);
  expect(several.map(({ start }) => start)).toEqual(several.map(({ start }) => start).sort((a, b) => a - b));
  expect(several.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThanOrEqual(80);
});

test('a question in a script without spaces finds its part too', async () => {
  const said = ['港は千八百七十四年に建てられた。', '灯台の高さは四十一メートルである。', '鉄道は千九百五十一年に廃止された。'];
  const text = said.join('');
  const parts = said.map((each, index) => ({ start: text.indexOf(each), end: text.indexOf(each) + each.length, tokens: 10 + index }));
  const best = async (question: string) => (await passagesFor(question, text, parts, 12)).map(({ start, end }) => text.slice(start, end));
  expect(await best('灯台はどのくらい高いですか')).toEqual([said[1]]);
  expect(await best('鉄道はいつ廃止されましたか')).toEqual([said[2]]);
});

/** Nobody pauses it. */
const RUNNING = new AbortController().signal;

/** An engine that answers with the number of words that it read, and can be stopped after some answers. */
function engine(stopAfter = Infinity) {
  const seen: DocumentPrompt[] = [];
  let answered = 0;
  const answer = async (prompts: readonly DocumentPrompt[], _most: number, onEvent: (index: number, event: GenerateEvent | KnownEvent) => void) => {
    for (const [index, prompt] of prompts.entries()) {
      const read = words(prompt.messages[0]?.content ?? '');
      onEvent(index, { type: 'prefill', done: read, total: read });
      seen.push(prompt);
      answered += 1;
      const stop = answered > stopAfter ? 'cancelled' : 'eos';
      onEvent(index, { type: 'token', id: 1, text: `read ${read}`, milliseconds: 1 });
      onEvent(index, { type: 'end', text: '', stop, seed: 1, promptTokens: read, prefilledTokens: read, tokens: 1, prefillTps: 1, decodeTps: 1 });
      if (stop === 'cancelled') return;
    }
  };
  return { seen, answer };
}

function summaryOf(context: number): SummaryRecord {
  const blocks = [...blocksOf(LONG)];
  const tokens = blocks.map(({ start, end }) => words(LONG.slice(start, end)));
  const sections = sectionsOf(blocks, tokens, context).map((section) => ({ ...section, summary: null }));
  return { id: 's', documentId: 'd', style: 'short', instruction: '', model: 'm', modelName: 'M', started: 0, sections, result: null };
}

test('a summary in sections is merged, keeps each section as it ends, and reports what is read', async () => {
  const record = summaryOf(400);
  const saved: number[] = [];
  const reports: SummaryProgress[] = [];
  const { seen, answer } = engine();
  const job = new SummaryJob(record, LONG, 600, {
    answer, countTokens: async (text) => words(text), onProgress: (progress) => reports.push(progress),
    save: async ({ sections }) => void saved.push(sections.filter(({ summary }) => summary !== null).length),
  }, RUNNING);
  expect(await job.run()).toBe(true);
  const count = record.sections.length;
  expect(count).toBeGreaterThan(4);
  expect(saved).toHaveLength(count + 1);
  expect(seen).toHaveLength(count + 1);
  record.sections.forEach(({ summary }) => expect(seen.at(-1)?.messages[0]?.content).toContain(summary));
  expect(record.result).toMatch(/^read \d+$/);
  const reads = reports.filter(({ step }) => step === 'sections').map(({ read }) => read);
  expect(reads).toEqual([...reads].sort((a, b) => a - b));
  expect(reads.at(-1)).toBe(reports[0]?.total);
});

test('summaries that are too long together are merged level by level', async () => {
  const record = summaryOf(60);
  const { seen, answer } = engine();
  const wordy: typeof answer = (prompts, most, onEvent) => answer(prompts, most, (index, event) => onEvent(index, event.type === 'token' ? { ...event, text: 'word '.repeat(40) } : event));
  const job = new SummaryJob(record, LONG, 400, { answer: wordy, countTokens: async (text) => words(text), onProgress: () => undefined, save: async () => undefined }, RUNNING);
  expect(await job.run()).toBe(true);
  expect(seen.length).toBeGreaterThan(record.sections.length + 2);
  for (const prompt of seen) expect(words(prompt.messages[0]?.content ?? '')).toBeLessThan(400);
});

test('a paused summary keeps its finished sections and goes on with the others only', async () => {
  const record = summaryOf(400);
  const first = engine(3);
  const parts = { countTokens: async (text: string) => words(text), onProgress: () => undefined, save: async () => undefined };
  expect(await new SummaryJob(record, LONG, 600, { ...parts, answer: first.answer }, RUNNING).run()).toBe(false);
  expect(record.sections.filter(({ summary }) => summary !== null)).toHaveLength(3);
  expect(record.result).toBeNull();
  const second = engine();
  const revived = structuredClone(record);
  expect(await new SummaryJob(revived, LONG, 600, { ...parts, answer: second.answer }, RUNNING).run()).toBe(true);
  expect(second.seen).toHaveLength(record.sections.length - 3 + 1);
  expect(revived.result).not.toBeNull();
});

test('what an earlier run has read counts as read, and not as this one\'s speed', async () => {
  const reports: SummaryProgress[] = [];
  let time = 0;
  const answer: ReturnType<typeof engine>['answer'] = async (_prompts, _most, onEvent) => {
    onEvent(0, { type: 'known', tokens: 300 });
    time = 2000;
    onEvent(0, { type: 'prefill', done: 340, total: 350 });
  };
  const job = new SummaryJob(summaryOf(400), LONG, 600, {
    answer, now: () => time, countTokens: async (text) => words(text), onProgress: (progress) => reports.push(progress), save: async () => undefined,
  }, RUNNING);
  expect(await job.run()).toBe(false);
  expect(reports.at(-1)).toMatchObject({ read: 340, rate: 20 });
});

test('sections come in groups of four, so that others may have the engine between two of them', async () => {
  const record = summaryOf(200);
  const groups: number[] = [];
  const { answer } = engine();
  const job = new SummaryJob(record, LONG, 600, {
    answer: (prompts, most, onEvent) => {
      groups.push(prompts.length);
      return answer(prompts, most, onEvent);
    },
    countTokens: async () => 1, onProgress: () => undefined, save: async () => undefined,
  }, RUNNING);
  expect(await job.run()).toBe(true);
  const count = record.sections.length;
  expect(groups).toEqual([...Array.from({ length: Math.ceil(count / 4) }, (_, index) => Math.min(4, count - 4 * index)), 1]);
});

test('while one text is written, its speed and the time to its full length are said, and before that what is known of the model', async () => {
  const reports: SummaryProgress[] = [];
  let time = 0;
  const answer: ReturnType<typeof engine>['answer'] = async (_prompts, most, onEvent) => {
    onEvent(0, { type: 'prefill', done: 100, total: 340 });
    for (let written = 0; written <= 20; written += 1) {
      time += 100;
      onEvent(0, { type: 'token', id: 1, text: 'word ', milliseconds: 100 });
    }
    expect(most).toBe(150);
  };
  const record: SummaryRecord = { ...summaryOf(400), sections: [{ start: 0, end: 900, tokens: 300, summary: null }] };
  const job = new SummaryJob(record, LONG, 600, {
    answer, now: () => time, countTokens: async (text) => words(text), save: async () => undefined,
    onProgress: (progress) => reports.push(progress), seconds: (read, written) => read / 10 + written,
  }, RUNNING);
  expect(await job.run()).toBe(false);
  expect(reports[0]).toMatchObject({ rate: 0, remaining: 300 / 10 + 150 });
  expect(reports.at(-1)).toMatchObject({ rate: 10, remaining: (150 - 21) / 10, text: 'word '.repeat(21) });
});

test('another model goes on with what is not finished, cut for itself, and leaves what is', () => {
  const blocks = [...blocksOf(LONG)];
  const tokens = blocks.map(({ start, end }) => words(LONG.slice(start, end)));
  const large = new CountedText('large', 1000, blocks, tokens).goOn([], 'short');
  large.forEach((section, index) => (section.summary = index === 1 ? 'done' : null));
  const small = new CountedText('small', 400, blocks, tokens).goOn(large, 'short');
  expect(small.length).toBeGreaterThan(large.length + 2);
  expect(small.filter(({ summary }) => summary !== null)).toEqual([large[1]]);
  expect(small.map(({ start }) => start)).toEqual([0, ...small.slice(0, -1).map(({ end }) => end)]);
  expect(small.at(-1)?.end).toBe(LONG.length);
  small.filter(({ summary }) => summary === null).forEach((section) => expect(section.tokens).toBeLessThanOrEqual(400 - 120 - 80));
});

test('prompts about one text share it; parts of a text share nothing', async () => {
  const { questionPrompt, sectionPrompt, wholePrompt } = await import('../src/documents/prompts');
  const all = [wholePrompt('The sea.', 'short', ''), wholePrompt('The sea.', 'custom', 'Be brief.'), questionPrompt('The sea.', 'What?')];
  expect(new Set(all.map(({ shared }) => shared)).size).toBe(1);
  for (const { messages, shared } of all) expect(shared.length > 0 && messages[0]?.content.startsWith(shared)).toBe(true);
  expect(sectionPrompt('The sea.', 1, 2, 'short', '').shared).toBe('');
});

test('each kind of summary asks for its own, and one of the visitor\'s asks in their words', async () => {
  const { mergePrompt, wholePrompt } = await import('../src/documents/prompts');
  const kinds = [['short', /at most five sentences/], ['detailed', /several paragraphs/], ['bullets', /Markdown list of its main points/], ['facts', /key facts as a Markdown list/], ['custom', /What does it cost\?/]] as const;
  for (const [style, wanted] of kinds) {
    const prompts = [wholePrompt('The sea.', style, ' What does it cost? '), mergePrompt(['The sea.', 'The land.'], style, ' What does it cost? ')];
    for (const { messages } of prompts) {
      expect(messages).toMatchObject([{ role: 'user', content: expect.stringMatching(wanted) as string }]);
      for (const [other, theirs] of kinds) if (other !== style) expect(messages[0]?.content).not.toMatch(theirs);
    }
  }
});

/** An engine of known speeds on a clock of its own, that reads section by section and writes them side by side. */
function timed(readPerSecond: number, writtenPerSecond: number, lengthOf: (index: number) => number) {
  let time = 0;
  let texts = 0;
  const answer: ReturnType<typeof engine>['answer'] = async (prompts, most, onEvent) => {
    // Others may have the engine first.
    time += 3000;
    const reads = prompts.map(({ messages }) => words(messages[0]?.content ?? ''));
    for (const [index, total] of reads.entries()) {
      onEvent(index, { type: 'known', tokens: 0 });
      for (let done = 0; done < total; done = Math.min(total, done + 50)) {
        const next = Math.min(total, done + 50);
        time += ((next - done) / readPerSecond) * 1000;
        onEvent(index, { type: 'prefill', done: next, total });
      }
    }
    const lengths = reads.map(() => Math.min(most, lengthOf((texts += 1))));
    for (let at = 1; at <= Math.max(...lengths); at += 1) {
      const writing = lengths.flatMap((length, index) => (at <= length ? [index] : []));
      // Four tokens side by side take as long as one.
      time += 4000 / writtenPerSecond;
      for (const index of writing) {
        onEvent(index, { type: 'token', id: 1, text: 'word ', milliseconds: 1 });
        if (at === lengths[index]) onEvent(index, { type: 'end', text: '', stop: 'eos', seed: 1, promptTokens: reads[index] ?? 0, prefilledTokens: reads[index] ?? 0, tokens: at, prefillTps: readPerSecond, decodeTps: writtenPerSecond });
      }
    }
  };
  return { answer, now: () => time };
}

test.each([
  ['reading takes longest', 40, 30],
  ['writing takes longest', 2000, 8],
  ['both take as long', 200, 30],
])('time left is within a quarter of what it takes, after the first tenth: %s', async (_, readPerSecond, writtenPerSecond) => {
  const lengths = (index: number) => 50 + ((index * 37) % 21);
  const run = async (usual: Record<string, number>) => {
    const { answer, now } = timed(readPerSecond, writtenPerSecond, lengths);
    const reports: { at: number; progress: SummaryProgress }[] = [];
    const job = new SummaryJob(summaryOf(60), LONG, 600, {
      answer, now, countTokens: async (text) => words(text), save: async () => undefined,
      onProgress: (progress) => reports.push({ at: now(), progress }),
      // One text alone is written as fast as each of four side by side.
      seconds: (read, written) => read / readPerSecond + (4 * written) / writtenPerSecond,
      usualLength: (kind) => usual[kind], onLength: (kind, tokens) => (usual[kind] = tokens),
    }, RUNNING);
    expect(await job.run()).toBe(true);
    return { reports, end: now() };
  };
  const usual: Record<string, number> = {};
  for (const visit of ['first', 'second']) {
    const { reports, end } = await run(usual);
    // The time that others had is not known beforehand: 3 s a call.
    const groups = Math.ceil(summaryOf(60).sections.length / 4) + 2;
    const said = reports.filter(({ at, progress }) => at > end / 10 && progress.step === 'sections' && progress.bound === 'about');
    // At the first visit nobody knows how long texts will be: the most is said.
    if (visit === 'second') expect(said.length).toBeGreaterThan(20);
    const wrong = said.filter(({ at, progress }) => {
      const left = (end - at) / 1000;
      const others = 3 * groups * (1 - at / end);
      return Math.abs((progress.remaining ?? 0) - (left - others)) > 0.25 * left + 1;
    });
    expect(wrong.map(({ at, progress }) => [at, end, progress.remaining]), visit).toEqual([]);
    // What is only said to be a bound, is one.
    for (const { at, progress } of reports.filter(({ progress: { bound, step } }) => bound === 'at-most' && step === 'sections')) expect(progress.remaining ?? Infinity).toBeGreaterThan(((end - at) / 1000) * 0.6);
  }
});
