/** The documents: adds files, counts their tokens, runs and pauses summaries, answers questions. */
import { documentKind } from '../documents/kinds';
import type { DocumentStore } from '../documents/document-store';
import type { Extract } from '../documents/extractor';
import { passagesFor } from '../documents/passages';
import { answerTokens, PROMPT_TOKENS, questionPrompt, sectionTokens, summaryTokens } from '../documents/prompts';
import type { DocumentKind, DocumentRecord, DocumentText, Extracted, QuestionRecord, Section, SummaryRecord, SummaryStyle } from '../documents/records';
import { blocksOf, sectionsOf, type Block } from '../documents/sections';
import { SummaryJob, type SummaryProgress } from '../documents/summary-job';
import type { AnswerEvent, ChatMessage, EngineWorker, GenerateEvent, KnownEvent, ManyEvent } from '../engine/protocol';
import { newId, shortened } from './conversation';
import { failure, toFailure, type Failure } from './failure';
import type { ModelLoader } from './model-loader';
import type { Pace } from './pace';
import type { Turns } from './turns';

/** Sections that are read and written at once. */
const PARALLEL = 4;
/** Calls of the tokenizer that are under way at once. */
const COUNTED_AT_ONCE = 64;
/** A passage that answers a question is about so long; then it says where it is, and several fit. */
const PASSAGE_TOKENS = 300;
/** Facts are wanted, not ideas; and the same text twice gives the same summary. */
const FAITHFUL_SAMPLING = { temperature: 0.2, topK: 40, topP: 0.95, repetitionPenalty: 1.05, seed: 1 };
/** Failures of one file, whose sentences name it. */
const ABOUT_A_FILE: ReadonlySet<string> = new Set(['extract', 'password', 'no-text']);

export interface OpenDocument {
  record: DocumentRecord;
  text: DocumentText;
  /** By the open model's tokenizer; undefined until they are counted. */
  tokens: number | undefined;
  summaries: readonly SummaryRecord[];
  questions: readonly QuestionRecord[];
}

export interface DocumentsData {
  list: readonly DocumentRecord[];
  /** A file that is being read. */
  adding: { name: string; done: number; total: number } | undefined;
  open: OpenDocument | undefined;
  /** The summary that runs, or waits for its turn. */
  running: { id: string; progress: SummaryProgress | undefined } | undefined;
  /** The question that is being answered. */
  asking: QuestionRecord | undefined;
  /** What a summary in a style would take, in parts and seconds (undefined while the model's pace is unknown). */
  estimate(style: SummaryStyle): { sections: number; seconds: number | undefined } | undefined;
}

export interface DeskParts {
  engine: EngineWorker;
  store: DocumentStore;
  extract: Extract;
  loader: ModelLoader;
  turns: Turns;
  pace: Pace;
  changed(): void;
  failed(failure: Failure | undefined): void;
  /** Keeps the document's id in the page's address. */
  located(id: string | null): void;
}

interface Counted {
  model: string;
  blocks: Block[];
  tokens: number[];
  total: number;
}

export class DocumentDesk {
  #list: DocumentRecord[] = [];
  #adding: DocumentsData['adding'];
  #open: OpenDocument | undefined;
  #counted: Counted | undefined;
  #job: SummaryJob | undefined;
  #running: DocumentsData['running'];
  #asking: QuestionRecord | undefined;

  constructor(private readonly parts: DeskParts) {}

  get data(): DocumentsData {
    return {
      list: this.#list, adding: this.#adding, open: this.#open, running: this.#running, asking: this.#asking,
      estimate: (style) => this.#estimate(style),
    };
  }

  async list(): Promise<void> {
    await this.#guarded(async () => void (this.#list = await this.parts.store.list()));
  }

  /** One after the other; the first that succeeds is shown. A file that fails leaves the others alone. */
  async addFiles(files: readonly File[]): Promise<void> {
    let first: string | undefined;
    for (const file of files) {
      await this.#guarded(async () => {
        const kind = documentKind(file);
        if (!kind) throw failure('file-kind', { name: file.name });
        this.#adding = { name: file.name, done: 0, total: 0 };
        this.parts.changed();
        const extracted = await this.parts.extract(file, kind, (done, total) => {
          this.#adding = { name: file.name, done, total };
          this.parts.changed();
        });
        const id = await this.#add(file.name, kind, extracted);
        first ??= id;
      }, { name: file.name });
      this.#adding = undefined;
    }
    if (first !== undefined) await this.open(first);
    this.parts.changed();
  }

  async addText(text: string): Promise<void> {
    if (text.trim() === '') return;
    await this.#guarded(async () => {
      const extracted = await this.parts.extract(new Blob([text]), 'markdown', () => undefined);
      await this.open(await this.#add(shortened(text.replace(/^[#\s]+/, '')), 'text', extracted));
    });
  }

  async open(id: string | null): Promise<void> {
    await this.#guarded(async () => {
      const record = this.#list.find((each) => each.id === id);
      const text = id === null ? undefined : await this.parts.store.text(id);
      this.#counted = undefined;
      this.#open = undefined;
      this.parts.located(record && text ? record.id : null);
      if (!record || !text) return;
      const [summaries, questions] = await Promise.all([this.parts.store.summaries(record.id), this.parts.store.questions(record.id)]);
      this.#open = { record, text, tokens: undefined, summaries, questions };
      void this.count();
    });
  }

  async remove(id: string): Promise<void> {
    if (this.#open?.record.id === id) {
      await this.pause();
      await this.open(null);
    }
    await this.#guarded(() => this.parts.store.remove(id));
    await this.list();
  }

  /** Counts the open document's tokens by the open model's vocabulary, once it is there. */
  async count(): Promise<Counted | undefined> {
    const open = this.#open;
    if (!open || !(await this.parts.loader.opening) || this.#open !== open) return undefined;
    const model = this.parts.loader.url;
    if (this.#counted?.model === model) return this.#counted;
    try {
      const blocks = blocksOf(open.text.text);
      const tokens: number[] = [];
      for (let at = 0; at < blocks.length; at += COUNTED_AT_ONCE) {
        const counts = blocks.slice(at, at + COUNTED_AT_ONCE).map(({ start, end }) => this.#tokens(open.text.text.slice(start, end)));
        tokens.push(...(await Promise.all(counts)));
        if (this.#open !== open) return undefined;
      }
      const total = tokens.reduce((sum, each) => sum + each, 0);
      this.#counted = { model, blocks, tokens, total };
      this.#change({ tokens: total });
      return this.#counted;
    } catch (thrown) {
      this.parts.failed(toFailure(thrown));
      return undefined;
    }
  }

  async summarise(style: SummaryStyle, instruction: string): Promise<void> {
    const open = this.#open;
    if (!open || this.#running || (style === 'custom' && instruction.trim() === '')) return;
    const counted = await this.count();
    if (!counted || this.#running || this.#open !== open) return;
    const { context, choice } = this.parts.loader;
    const sections = this.#sections(counted, style, context).map((section) => ({ ...section, summary: null }));
    const record: SummaryRecord = {
      id: newId(), documentId: open.record.id, style, instruction, model: counted.model, modelName: choice?.name ?? '', started: Date.now(), sections, result: null,
    };
    this.#change({ summaries: [record, ...open.summaries] });
    await this.#guarded(() => this.parts.store.saveSummary(record));
    await this.resume(record);
  }

  /** Goes on with a summary that was paused, by whatever model is open. */
  async resume(record: SummaryRecord): Promise<void> {
    const open = this.#open;
    const { loader, turns, store, failed } = this.parts;
    if (!open || this.#running || record.result !== null) return;
    this.#running = { id: record.id, progress: undefined };
    failed(undefined);
    this.parts.changed();
    try {
      if (!(await loader.opening)) return;
      const job = (this.#job = new SummaryJob(record, open.text.text, loader.context, {
        answer: (prompts, maxTokens, onEvent) => this.#answer(prompts, maxTokens, onEvent),
        countTokens: (text) => this.#tokens(text),
        save: (summary) => store.saveSummary(structuredClone(summary)),
        onProgress: (progress) => {
          if (this.#running?.id === record.id) this.#running.progress = progress;
          this.parts.changed();
        },
      }));
      await turns.take('documents', async () => void (this.#job === job && (await job.run())));
    } catch (thrown) {
      failed(toFailure(thrown));
    } finally {
      this.#job = undefined;
      this.#running = undefined;
      this.parts.changed();
    }
  }

  /** Keeps the sections that are finished. */
  async pause(): Promise<void> {
    const job = this.#job;
    this.#job = undefined;
    job?.pause();
    // Without a report it has not had its turn yet: what runs then is something else.
    if (job && this.#running?.progress) await this.parts.engine.stop().catch(() => undefined);
  }

  async removeSummary(record: SummaryRecord): Promise<void> {
    if (this.#running?.id === record.id) await this.pause();
    await this.#guarded(() => this.parts.store.removeSummary(record.id));
    if (this.#open) this.#change({ summaries: this.#open.summaries.filter(({ id }) => id !== record.id) });
  }

  async ask(question: string): Promise<void> {
    const open = this.#open;
    if (!open || this.#asking || question.trim() === '') return;
    const counted = await this.count();
    if (!counted || this.#asking || this.#open !== open) return;
    const { turns, store, failed } = this.parts;
    const passages = this.#passages(question, open.text.text, counted);
    const record: QuestionRecord = { id: newId(), documentId: open.record.id, asked: Date.now(), question: question.trim(), answer: '', passages };
    this.#asking = record;
    failed(undefined);
    this.parts.changed();
    const text = passages.length === 0 ? open.text.text : passages.map(({ start, end }) => open.text.text.slice(start, end).trim()).join('\n\n[…]\n\n');
    try {
      await turns.take('documents', async () => {
        if (this.#asking !== record) return;
        await this.#answer([questionPrompt(text, question)], answerTokens(this.parts.loader.context), (_, event) => {
          if (event.type === 'token' || event.type === 'end') record.answer += event.text;
          this.parts.changed();
        });
      });
      if (record.answer !== '') {
        await store.saveQuestion(record);
        if (this.#open?.record.id === record.documentId) this.#change({ questions: [...this.#open.questions, record] });
      }
    } catch (thrown) {
      failed(toFailure(thrown));
    } finally {
      if (this.#asking === record) this.#asking = undefined;
      this.parts.changed();
    }
  }

  /** Stops the answer to a question. */
  async stopAnswer(): Promise<void> {
    if (!this.#asking) return;
    if (this.parts.turns.holder === 'documents' && !this.#running?.progress) await this.parts.engine.stop().catch(() => undefined);
    this.#asking = undefined;
    this.parts.changed();
  }

  /** One prompt through the engine's single path, which can begin from what it has read before; more of them side by side. */
  async #answer(prompts: ChatMessage[][], maxTokens: number, onEvent: (index: number, event: GenerateEvent | KnownEvent) => void): Promise<void> {
    const { engine, loader, pace } = this.parts;
    const options = { ...FAITHFUL_SAMPLING, maxTokens };
    const take = (event: AnswerEvent | ManyEvent) => {
      if (event.type === 'rebuild' || event.type === 'rebuilt') {
        loader.rebuilding(event.type === 'rebuild');
        this.parts.changed();
      } else {
        if (event.type === 'end' && prompts.length === 1) pace.take(event);
        onEvent('index' in event ? event.index : 0, event);
      }
    };
    const [only] = prompts;
    try {
      if (prompts.length === 1 && only) await engine.generate(only, options, take);
      else await engine.generateMany(prompts, { ...options, sequences: Math.min(PARALLEL, prompts.length) }, take);
    } finally {
      loader.rebuilding(false);
    }
  }

  #passages(question: string, text: string, { blocks, tokens, total }: Counted): Section[] {
    const room = this.parts.loader.context - PROMPT_TOKENS - answerTokens(this.parts.loader.context);
    if (total <= room) return [];
    return passagesFor(question, text, sectionsOf(blocks, tokens, PASSAGE_TOKENS), room);
  }

  #sections({ blocks, tokens, total }: Counted, style: SummaryStyle, context: number): Section[] {
    const whole = context - PROMPT_TOKENS - summaryTokens(style, context);
    if (total <= whole) return [{ start: 0, end: blocks.at(-1)?.end ?? 0, tokens: total }];
    return sectionsOf(blocks, tokens, context - PROMPT_TOKENS - sectionTokens(context));
  }

  #estimate(style: SummaryStyle): ReturnType<DocumentsData['estimate']> {
    const counted = this.#counted;
    if (!counted) return undefined;
    const { context } = this.parts.loader;
    const sections = this.#sections(counted, style, context);
    const count = sections.length;
    const written = count === 1 ? summaryTokens(style, context) : (count * sectionTokens(context)) / Math.min(PARALLEL, count) + summaryTokens(style, context);
    const read = counted.total + (count === 1 ? 0 : count * sectionTokens(context));
    return { sections: count, seconds: this.parts.pace.estimate(read, written) };
  }

  async #tokens(text: string): Promise<number> {
    return (await this.parts.engine.tokenize(text)).length;
  }

  async #add(name: string, kind: DocumentKind, { text, places }: Extracted): Promise<string> {
    const record: DocumentRecord = { id: newId(), name, kind, added: Date.now(), characters: text.length };
    await this.parts.store.add(record, { id: record.id, text, places });
    this.#list = await this.parts.store.list();
    return record.id;
  }

  #change(change: Partial<OpenDocument>): void {
    if (this.#open) Object.assign(this.#open, change);
    this.parts.changed();
  }

  async #guarded(work: () => Promise<void>, data = { name: '' }): Promise<void> {
    try {
      await work();
      this.parts.changed();
    } catch (thrown) {
      const fault = toFailure(thrown);
      this.parts.failed(ABOUT_A_FILE.has(fault.code) ? failure(fault.code as 'extract', data, fault.detail) : fault);
    }
  }
}
