/**
 * Writes a summary: in one pass while the text fits the trained context, beyond that section by section, several at once,
 * and then as one summary of the sections' summaries, level by level where even these are too long together. Each finished
 * section is kept at once, and of those that are not the engine keeps what it has read: a pause or a closed page costs what was
 * being written.
 */
import type { GenerateEvent, KnownEvent } from 'web-mamba';
import type { SummaryRecord, SummaryStyle } from '../data/document-records';
import { Pace } from './pace';
import { mergePrompt, PROMPT_TOKENS, sectionPrompt, sectionTokens, summaryTokens, wholePrompt, type DocumentPrompt } from './prompts';

/** Sections that are read and written at once. */
export const PARALLEL = 4;

export interface SummaryProgress {
  step: 'sections' | 'merge';
  /** Tokens of the text read so far, of all. */
  read: number;
  total: number;
  sectionsDone: number;
  sections: number;
  /** Tokens per second in this run: of reading the text, or of writing where one text is written; 0 while unknown. */
  rate: number;
  /** Seconds until the summary is there; undefined while unknown. */
  remaining: number | undefined;
  /** How sure that is: texts of unknown length may end sooner than at their full one, and a writing speed that is unknown is left out. */
  bound: 'about' | 'at-most' | 'at-least';
  /** What is being written, where it is one text. */
  text: string;
}

/** What is written: the summary of a section, the longest of those that are written side by side, or the summary of the whole. */
export type Written = 'section' | 'group' | SummaryStyle;

type End = Extract<GenerateEvent, { type: 'end' }>;

export interface SummaryParts {
  /** Answers the prompts, several at once; each event says to which of them it belongs. Ends early when it is stopped. */
  answer(prompts: readonly DocumentPrompt[], maxTokens: number, onEvent: (index: number, event: GenerateEvent | KnownEvent) => void): Promise<void>;
  countTokens(text: string): Promise<number>;
  save(record: SummaryRecord): Promise<void>;
  onProgress(progress: SummaryProgress): void;
  /** Seconds that so many tokens take; undefined while unknown. */
  seconds?(read: number, written: number): number | undefined;
  /** Tokens that texts of a kind had before; undefined while unknown. */
  usualLength?(kind: Written): number | undefined;
  /** A text came to its end. */
  onLength?(kind: Written, tokens: number): void;
  now?(): number;
}

/** How much of the time left may rest on a length that nobody knows, before it is only said to be the most. */
const MOST_UNSURE = 0.2;
/** Least number of summaries that are merged at once: fewer would never come to an end. */
const LEAST_MERGED = 2;

/** Prompts that are being answered. */
class Answering {
  readonly texts: string[];
  readonly ended: boolean[];
  /** Tokens of the prompts that are still to be read. */
  readonly unread: number[];
  /** Tokens of each text so far. */
  readonly lengths: number[] = [];
  /** Of the longest. */
  steps = 0;
  written = 0;
  /** When the first token was there. */
  since = 0;

  constructor(readonly count: number, readonly maxTokens: number) {
    this.texts = Array.from({ length: count }, () => '');
    this.ended = this.texts.map(() => false);
    this.unread = this.texts.map(() => 0);
  }

  /** Texts that have not ended. */
  get underWay(): number {
    return this.ended.filter((ended) => !ended).length;
  }

  get most(): number {
    return this.count * this.maxTokens;
  }
}

export class SummaryJob {
  #read = 0;
  #answering = new Answering(0, 0);
  readonly #reading = new Map<number, number>();
  /** Tokens of the sections' summaries of this run, and of the longest of each group. */
  readonly #lengths: number[] = [];
  readonly #longest: number[] = [];
  readonly #pace: Pace;
  /** Whether nothing comes after what is written now. */
  #isLast = true;
  readonly #now: () => number;

  constructor(
    private readonly record: SummaryRecord,
    private readonly text: string,
    private readonly context: number,
    private readonly parts: SummaryParts,
    /** Pauses it: what was being written is given up. */
    private readonly signal: AbortSignal,
  ) {
    this.#now = parts.now ?? (() => performance.now());
    this.#pace = new Pace(this.#now);
  }

  /** Whether the summary is complete; false where it was paused. */
  async run(): Promise<boolean> {
    this.#report('sections');
    const { sections } = this.record;
    if (sections.length === 1) return this.#whole();
    await this.#sections();
    if (this.signal.aborted || sections.some(({ summary }) => summary === null)) return false;
    return this.#merge();
  }

  async #whole(): Promise<boolean> {
    const { style, instruction, sections } = this.record;
    const [answer] = await this.#answers(
      [wholePrompt(this.text, style, instruction)], summaryTokens(style, this.context), 'sections',
      (_, done) => (this.#read = Math.min(done, sections[0]?.tokens ?? 0)),
      (_, __, { promptTokens, prefilledTokens: read, tokens }) => {
        this.record.figures = { read, known: Math.max(0, promptTokens - read) };
        this.parts.onLength?.(style, tokens);
      },
    );
    return this.#end(answer);
  }

  /** Group by group: between two of them others may have the engine, as they may while one is read. */
  async #sections(): Promise<void> {
    const { sections } = this.record;
    const waiting = sections.flatMap((section, index) => (section.summary === null ? [index] : []));
    for (let first = 0; first < waiting.length && !this.signal.aborted; first += PARALLEL) {
      if (!(await this.#group(waiting.slice(first, first + PARALLEL)))) return;
    }
  }

  /** Whether all of them came to their end. */
  async #group(numbers: readonly number[]): Promise<boolean> {
    const { style, instruction, sections } = this.record;
    const group = numbers.flatMap((number) => sections[number] ?? []);
    const prompts = group.map(({ start, end }, index) => sectionPrompt(this.text.slice(start, end), (numbers[index] ?? 0) + 1, sections.length, style, instruction));
    const lengths: number[] = [];
    let saving: Promise<void> = Promise.resolve();
    const answers = await this.#answers(
      prompts, sectionTokens(this.context), 'sections',
      (index, done) => {
        this.#reading.set(index, Math.min(done, group[index]?.tokens ?? 0));
        this.#read = this.#readingNow();
      },
      (index, answer, { tokens }) => {
        const section = group[index];
        if (!section) return;
        lengths.push(tokens);
        this.parts.onLength?.('section', tokens);
        this.#reading.delete(index);
        this.#read = this.#readingNow();
        section.summary = answer;
        saving = saving.then(() => this.parts.save(this.record));
        // Awaited below; until then a failure must not count as unhandled.
        saving.catch(() => undefined);
      },
    );
    await saving;
    // Together: of those that are written side by side, the shortest end first.
    this.#lengths.push(...lengths);
    if (lengths.length > 0) {
      this.#longest.push(Math.max(...lengths));
      this.parts.onLength?.('group', Math.max(...lengths));
    }
    return !answers.includes(undefined);
  }

  async #merge(): Promise<boolean> {
    const { style, instruction, sections } = this.record;
    const most = this.context - PROMPT_TOKENS - summaryTokens(style, this.context);
    let summaries = sections.map(({ summary }) => summary ?? '');
    for (;;) {
      const groups = await this.#grouped(summaries, most);
      const last = groups.length === 1;
      this.#isLast = last;
      const tokens = last ? summaryTokens(style, this.context) : sectionTokens(this.context);
      const prompts = groups.map((group) => mergePrompt(group, last ? style : 'short', instruction));
      const merged: string[] = [];
      for (let first = 0; first < prompts.length; first += PARALLEL) {
        const answers = await this.#answers(prompts.slice(first, first + PARALLEL), tokens, 'merge', () => undefined, (_, __, end) => {
          if (last) this.parts.onLength?.(style, end.tokens);
        });
        const whole = answers.filter((each) => each !== undefined);
        if (this.signal.aborted || whole.length < answers.length) return false;
        merged.push(...whole);
      }
      if (last) return this.#end(merged[0]);
      summaries = merged;
    }
  }

  /** Neighbours that fit the context together. */
  async #grouped(summaries: readonly string[], most: number): Promise<string[][]> {
    const groups: string[][] = [];
    let room = 0;
    for (const summary of summaries) {
      const tokens = await this.parts.countTokens(summary);
      const group = groups.at(-1);
      if (group && (tokens <= room || group.length < LEAST_MERGED)) {
        group.push(summary);
        room -= tokens;
      } else {
        groups.push([summary]);
        room = most - tokens;
      }
    }
    return groups;
  }

  /** The answers, with undefined for those that did not come to their end. */
  async #answers(
    prompts: readonly DocumentPrompt[], maxTokens: number, step: SummaryProgress['step'],
    onRead: (index: number, done: number) => void = () => undefined, onEnd: (index: number, answer: string, event: End) => void = () => undefined,
  ): Promise<(string | undefined)[]> {
    const answering = (this.#answering = new Answering(prompts.length, maxTokens));
    this.#report(step);
    this.#pace.begin();
    await this.parts.answer(prompts, maxTokens, (index, event) => {
      if (event.type === 'prefill') {
        const before = this.#read;
        answering.unread[index] = event.total - event.done;
        onRead(index, event.done);
        this.#pace.read(Math.max(0, this.#read - before));
      } else if (event.type === 'known') {
        onRead(index, event.tokens);
        this.#pace.begin();
      } else {
        if (answering.written === 0) answering.since = this.#now();
        if (event.type === 'token') {
          const length = (answering.lengths[index] = (answering.lengths[index] ?? 0) + 1);
          this.#pace.wrote(answering.written === 0, length > answering.steps);
          answering.steps = Math.max(answering.steps, length);
          answering.written += 1;
        }
        answering.texts[index] += event.text;
        const ended = (answering.ended[index] = event.type === 'end' && event.stop !== 'cancelled');
        if (ended) onEnd(index, answering.texts[index]?.trim() ?? '', event);
      }
      this.#report(step);
    });
    return answering.texts.map((text, index) => (answering.ended[index] ? text.trim() : undefined));
  }

  async #end(answer: string | undefined): Promise<boolean> {
    if (this.signal.aborted || answer === undefined) return false;
    const [only] = this.record.sections;
    if (this.record.sections.length === 1 && only) only.summary = answer;
    this.record.result = answer;
    await this.parts.save(this.record);
    return true;
  }

  #readingNow(): number {
    return [...this.#reading.values()].reduce((sum, each) => sum + each, 0);
  }

  #readSections(): number {
    return this.record.sections.reduce((sum, { summary, tokens }) => sum + (summary === null ? 0 : tokens), 0);
  }

  #report(step: SummaryProgress['step']): void {
    const { sections } = this.record;
    const total = sections.reduce((sum, { tokens }) => sum + tokens, 0);
    const read = Math.min(total, this.#readSections() + this.#read);
    const sectionsDone = sections.filter(({ summary }) => summary !== null).length;
    const { count, texts } = this.#answering;
    const text = count === 1 && (step === 'merge' || sections.length === 1) ? (texts[0] ?? '') : '';
    const speed = step === 'merge' || text !== '' ? this.#writingSpeed() : this.#readingSpeed(read, total);
    this.parts.onProgress({ step, read, total, sectionsDone, sections: sections.length, ...speed, text });
  }

  #readingSpeed(read: number, total: number): Pick<SummaryProgress, 'rate' | 'remaining' | 'bound'> {
    const { readingRate: rate, writingRate } = this.#pace;
    const { style, sections } = this.record;
    const { seconds, usualLength } = this.parts;
    const unfinished = sections.length === 1 ? 0 : sections.filter(({ summary }) => summary === null).length;
    const known = this.#lengths.length > 0 ? mean(this.#lengths) : usualLength?.('section');
    const each = known ?? sectionTokens(this.context);
    const longest = this.#longest.length > 0 ? mean(this.#longest) : (usualLength?.('group') ?? each);
    const usualEnd = usualLength?.(style);
    const inTheEnd = usualEnd ?? summaryTokens(style, this.context);
    const merging = mergingOf(sections.length, each, this.context - PROMPT_TOKENS - summaryTokens(style, this.context));
    const underWay = Math.min(unfinished, this.#answering.underWay);
    const ofThese = underWay > 0 ? Math.max(0, longest - this.#answering.steps) : 0;
    const steps = ofThese + (Math.ceil((unfinished - underWay) / PARALLEL) + merging.groups) * longest;
    const unread = total - read + merging.read;
    const reading = rate > 0 ? unread / rate : seconds?.(unread, 0);
    const writing = (tokens: number) => (tokens === 0 ? 0 : writingRate > 0 ? tokens / writingRate : seconds?.(0, tokens));
    const [ofSections, ofEnd] = [writing(steps), seconds?.(0, inTheEnd) ?? writing(inTheEnd)];
    if (reading === undefined || (rate === 0 && (ofSections === undefined || ofEnd === undefined))) return { rate, remaining: undefined, bound: 'about' };
    const remaining = reading + (ofSections ?? 0) + (ofEnd ?? 0);
    const unsure = (known === undefined ? (ofSections ?? 0) : 0) + (usualEnd === undefined ? (ofEnd ?? 0) : 0);
    const isLeast = ofSections === undefined || ofEnd === undefined;
    return { rate, remaining, bound: isLeast ? 'at-least' : unsure > MOST_UNSURE * remaining ? 'at-most' : 'about' };
  }

  /** One text, or those that are put together: until they have their full length. */
  #writingSpeed(): Pick<SummaryProgress, 'rate' | 'remaining' | 'bound'> {
    const { unread, written, since, most } = this.#answering;
    const seconds = (this.#now() - since) / 1000;
    // The first token's time belongs to the reading.
    const rate = written > 1 && seconds > 0 ? (written - 1) / seconds : 0;
    const unreadTokens = unread.reduce((sum, each) => sum + each, 0);
    return { rate, remaining: rate > 0 ? (most - written) / rate : this.parts.seconds?.(unreadTokens, most), bound: this.#isLast ? 'at-most' : 'at-least' };
  }
}

/** Tokens that are read to put so many summaries of sections together, and how often such are written side by side before the last text. */
function mergingOf(count: number, each: number, most: number): { read: number; groups: number } {
  const merging = { read: 0, groups: 0 };
  if (count === 1) return merging;
  let left = count;
  while (left * each > most && left > LEAST_MERGED) {
    merging.read += left * each;
    left = Math.min(Math.ceil((left * each) / most), Math.ceil(left / LEAST_MERGED));
    merging.groups += Math.ceil(left / PARALLEL);
  }
  merging.read += left * each;
  return merging;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
