/**
 * Writes a summary: in one pass while the text fits the trained context, beyond that section by section, several at once,
 * and then as one summary of the sections' summaries, level by level where even these are too long together. Each finished
 * section is kept at once, and of those that are not the engine keeps what it has read: a pause or a closed page costs what was
 * being written.
 */
import type { GenerateEvent, KnownEvent } from 'web-mamba';
import type { SummaryRecord } from '../data/document-records';
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
  /** Tokens per second since this run began: of reading the text, or of writing where one text is written; 0 while unknown. */
  rate: number;
  /** Seconds until the summary is there, or, while one text is written, until it has its full length; undefined while unknown. */
  remaining: number | undefined;
  /** What is being written, where it is one text. */
  text: string;
}

type End = Extract<GenerateEvent, { type: 'end' }>;

export interface SummaryParts {
  /** Answers the prompts, several at once; each event says to which of them it belongs. Ends early when it is stopped. */
  answer(prompts: readonly DocumentPrompt[], maxTokens: number, onEvent: (index: number, event: GenerateEvent | KnownEvent) => void): Promise<void>;
  countTokens(text: string): Promise<number>;
  save(record: SummaryRecord): Promise<void>;
  onProgress(progress: SummaryProgress): void;
  /** Seconds that so many tokens take; undefined while unknown. */
  seconds?(read: number, written: number): number | undefined;
  now?(): number;
}

/** Least number of summaries that are merged at once: fewer would never come to an end. */
const LEAST_MERGED = 2;

/** Prompts that are being answered. */
class Answering {
  readonly texts: string[];
  readonly ended: boolean[];
  /** Tokens of the prompts that are still to be read. */
  readonly unread: number[];
  written = 0;
  /** When the first token was there. */
  since = 0;

  constructor(readonly count: number, readonly maxTokens: number) {
    this.texts = Array.from({ length: count }, () => '');
    this.ended = this.texts.map(() => false);
    this.unread = this.texts.map(() => 0);
  }

  get most(): number {
    return this.count * this.maxTokens;
  }
}

export class SummaryJob {
  #read = 0;
  #answering = new Answering(0, 0);
  readonly #reading = new Map<number, number>();
  readonly #began: number;
  /** Tokens that were read in an earlier run. */
  #readBefore: number;
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
    this.#began = this.#now();
    this.#readBefore = this.#readSections();
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
      (_, __, { promptTokens, prefilledTokens: read }) => (this.record.figures = { read, known: Math.max(0, promptTokens - read) }),
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
    let saving: Promise<void> = Promise.resolve();
    const answers = await this.#answers(
      prompts, sectionTokens(this.context), 'sections',
      (index, done) => {
        this.#reading.set(index, Math.min(done, group[index]?.tokens ?? 0));
        this.#read = this.#readingNow();
      },
      (index, answer) => {
        const section = group[index];
        if (!section) return;
        this.#reading.delete(index);
        this.#read = this.#readingNow();
        section.summary = answer;
        saving = saving.then(() => this.parts.save(this.record));
        // Awaited below; until then a failure must not count as unhandled.
        saving.catch(() => undefined);
      },
    );
    await saving;
    return !answers.includes(undefined);
  }

  async #merge(): Promise<boolean> {
    const { style, instruction, sections } = this.record;
    const most = this.context - PROMPT_TOKENS - summaryTokens(style, this.context);
    let summaries = sections.map(({ summary }) => summary ?? '');
    for (;;) {
      const groups = await this.#grouped(summaries, most);
      const last = groups.length === 1;
      const tokens = last ? summaryTokens(style, this.context) : sectionTokens(this.context);
      const prompts = groups.map((group) => mergePrompt(group, last ? style : 'short', instruction));
      const merged: string[] = [];
      for (let first = 0; first < prompts.length; first += PARALLEL) {
        const answers = await this.#answers(prompts.slice(first, first + PARALLEL), tokens, 'merge');
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
    await this.parts.answer(prompts, maxTokens, (index, event) => {
      if (event.type === 'prefill') {
        answering.unread[index] = event.total - event.done;
        onRead(index, event.done);
      } else if (event.type === 'known') {
        const before = this.#read;
        onRead(index, event.tokens);
        this.#readBefore += this.#read - before;
      } else {
        if (answering.written === 0) answering.since = this.#now();
        if (event.type === 'token') answering.written += 1;
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

  #readingSpeed(read: number, total: number): Pick<SummaryProgress, 'rate' | 'remaining'> {
    const seconds = (this.#now() - this.#began) / 1000;
    const rate = seconds > 1 ? (read - this.#readBefore) / seconds : 0;
    const { style, sections } = this.record;
    const inTheEnd = summaryTokens(style, this.context);
    // What is written of sections is in the rate, once it is known.
    if (rate > 0) return { rate, remaining: (total - read) / rate + (this.parts.seconds?.(0, inTheEnd) ?? 0) };
    const waiting = sections.length === 1 ? 0 : sections.filter(({ summary }) => summary === null).length;
    return { rate, remaining: this.parts.seconds?.(total - read, Math.ceil(waiting / PARALLEL) * sectionTokens(this.context) + inTheEnd) };
  }

  #writingSpeed(): Pick<SummaryProgress, 'rate' | 'remaining'> {
    const { unread, written, since, most } = this.#answering;
    const seconds = (this.#now() - since) / 1000;
    // The first token's time belongs to the reading.
    const rate = written > 1 && seconds > 0 ? (written - 1) / seconds : 0;
    const unreadTokens = unread.reduce((sum, each) => sum + each, 0);
    return { rate, remaining: rate > 0 ? (most - written) / rate : this.parts.seconds?.(unreadTokens, most) };
  }
}
