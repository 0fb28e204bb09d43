/**
 * Writes a summary: in one pass while the text fits the trained context, beyond that section by section, several at once,
 * and then as one summary of the sections' summaries, level by level where even these are too long together. Each finished
 * section is kept at once, and of those that are not the engine keeps what it has read: a pause or a closed page costs what was
 * being written.
 */
import type { ChatMessage, GenerateEvent, KnownEvent } from '../engine/protocol';
import { mergePrompt, PROMPT_TOKENS, sectionPrompt, sectionTokens, summaryTokens, wholePrompt } from './prompts';
import type { SummaryRecord } from './records';

export interface SummaryProgress {
  step: 'sections' | 'merge';
  /** Tokens of the text read so far, of all. */
  read: number;
  total: number;
  sectionsDone: number;
  sections: number;
  /** Tokens read per second since this run began; 0 while unknown. */
  rate: number;
  /** Seconds until the text is read; undefined while unknown. */
  remaining: number | undefined;
  /** What is being written, where it is one text. */
  text: string;
}

export interface SummaryParts {
  /** Answers the prompts, several at once; each event says to which of them it belongs. Ends early when it is stopped. */
  answer(prompts: ChatMessage[][], maxTokens: number, onEvent: (index: number, event: GenerateEvent | KnownEvent) => void): Promise<void>;
  countTokens(text: string): Promise<number>;
  save(record: SummaryRecord): Promise<void>;
  onProgress(progress: SummaryProgress): void;
  now?(): number;
}

/** Least number of summaries that are merged at once: fewer would never come to an end. */
const LEAST_MERGED = 2;

export class SummaryJob {
  #paused = false;
  #read = 0;
  #text = '';
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
  ) {
    this.#now = parts.now ?? (() => performance.now());
    this.#began = this.#now();
    this.#readBefore = this.#readSections();
  }

  /** The engine has to be stopped too: what it was writing is given up. */
  pause(): void {
    this.#paused = true;
  }

  /** Whether the summary is complete; false where it was paused. */
  async run(): Promise<boolean> {
    this.#report('sections');
    const { sections } = this.record;
    if (sections.length === 1) return this.#whole();
    await this.#sections();
    if (this.#paused || sections.some(({ summary }) => summary === null)) return false;
    return this.#merge();
  }

  async #whole(): Promise<boolean> {
    const { style, instruction, sections } = this.record;
    const [answer] = await this.#answers([wholePrompt(this.text, style, instruction)], summaryTokens(style, this.context), 'sections', (_, done) => {
      this.#read = Math.min(done, sections[0]?.tokens ?? 0);
    });
    return this.#end(answer);
  }

  async #sections(): Promise<void> {
    const { style, instruction, sections } = this.record;
    const waiting = sections.filter(({ summary }) => summary === null);
    const prompts = waiting.map((section) =>
      sectionPrompt(this.text.slice(section.start, section.end), sections.indexOf(section) + 1, sections.length, style, instruction));
    let saving: Promise<void> = Promise.resolve();
    await this.#answers(
      prompts, sectionTokens(this.context), 'sections',
      (index, done) => {
        this.#reading.set(index, Math.min(done, waiting[index]?.tokens ?? 0));
        this.#read = this.#readingNow();
      },
      (index, answer) => {
        const section = waiting[index];
        if (!section) return;
        this.#reading.delete(index);
        this.#read = this.#readingNow();
        section.summary = answer;
        saving = saving.then(() => this.parts.save(this.record));
      },
    );
    await saving;
  }

  async #merge(): Promise<boolean> {
    const { style, instruction, sections } = this.record;
    const most = this.context - PROMPT_TOKENS - summaryTokens(style, this.context);
    let summaries = sections.map(({ summary }) => summary ?? '');
    for (;;) {
      const groups = await this.#grouped(summaries, most);
      const last = groups.length === 1;
      const tokens = last ? summaryTokens(style, this.context) : sectionTokens(this.context);
      const merged = await this.#answers(groups.map((group) => mergePrompt(group, last ? style : 'short', instruction)), tokens, 'merge');
      if (this.#paused || merged.some((each) => each === undefined)) return false;
      if (last) return this.#end(merged[0]);
      summaries = merged as string[];
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
    prompts: ChatMessage[][], maxTokens: number, step: SummaryProgress['step'],
    onRead: (index: number, done: number) => void = () => undefined, onEnd: (index: number, answer: string) => void = () => undefined,
  ): Promise<(string | undefined)[]> {
    const texts = prompts.map(() => '');
    const ended = prompts.map(() => false);
    await this.parts.answer(prompts, maxTokens, (index, event) => {
      if (event.type === 'prefill') {
        onRead(index, event.done);
      } else if (event.type === 'known') {
        const before = this.#read;
        onRead(index, event.tokens);
        this.#readBefore += this.#read - before;
      } else {
        texts[index] += event.text;
        ended[index] = event.type === 'end' && event.stop !== 'cancelled';
        if (ended[index]) onEnd(index, texts[index]?.trim() ?? '');
      }
      this.#text = prompts.length === 1 ? (texts[0] ?? '') : '';
      this.#report(step);
    });
    return texts.map((text, index) => (ended[index] ? text.trim() : undefined));
  }

  async #end(answer: string | undefined): Promise<boolean> {
    if (this.#paused || answer === undefined) return false;
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
    const seconds = (this.#now() - this.#began) / 1000;
    const rate = seconds > 1 ? (read - this.#readBefore) / seconds : 0;
    const sectionsDone = sections.filter(({ summary }) => summary !== null).length;
    const remaining = rate > 0 && step === 'sections' ? (total - read) / rate : undefined;
    this.parts.onProgress({ step, read, total, sectionsDone, sections: sections.length, rate, remaining, text: this.#text });
  }
}
