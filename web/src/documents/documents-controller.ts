/** The documents: adds and opens them, runs and pauses summaries, answers questions. */
import { newId, type EngineWorker } from 'web-mamba';
import { abortable } from '../base/abortable';
import { toFailure, type Tell } from '../base/failure';
import { shortened } from '../base/shortened';
import type { Turns } from '../base/turns';
import type { DocumentKind, DocumentRecord, DocumentText, Extracted, QuestionRecord, SummaryRecord, SummaryStyle } from '../data/document-records';
import type { ModelLoader } from '../models/model-loader';
import type { SpeedEstimates } from '../models/speed-estimates';
import type { CountedText } from './counted-text';
import { DocumentEngine } from './document-engine';
import { DocumentIntake, type Locked } from './document-intake';
import type { DocumentStore } from './document-store';
import type { Extract } from './extract/extractor';
import { answerTokens, questionPrompt } from './prompts';
import { DocumentReadings } from './readings';
import { SummaryJob, type SummaryProgress } from './summary-job';

export interface OpenDocument {
  record: DocumentRecord;
  text: DocumentText;
  /** By the open model's tokenizer; undefined until they are counted. */
  tokens: number | undefined;
  summaries: readonly SummaryRecord[];
  questions: readonly QuestionRecord[];
}

/** A document that is shown beside a chat. */
export interface ShownBeside {
  record: DocumentRecord;
  text: DocumentText;
  /** What an answer goes back to; undefined where the document itself was asked for. */
  marked: { start: number; end: number } | undefined;
  /** It follows an answer that has ended: the keyboard stays where it is. */
  follows: boolean;
}

export interface DocumentsData {
  list: readonly DocumentRecord[];
  /** A file that is being read. */
  adding: DocumentIntake['adding'];
  /** Files that ask for their passwords. */
  locked: readonly Locked[];
  open: OpenDocument | undefined;
  beside: ShownBeside | undefined;
  /** The summary that runs, or waits for its turn or the model. */
  running: { id: string; progress: SummaryProgress | undefined } | undefined;
  /** The question that is being answered, or waits. */
  asking: QuestionRecord | undefined;
  /** The last question that came to no answer: it goes back to its writer. */
  unanswered: QuestionRecord | undefined;
  /** What a summary in a style would take, in parts and seconds (undefined while the model's speed is unknown). */
  estimate(style: SummaryStyle): { sections: number; seconds: number | undefined } | undefined;
}

export interface DocumentsParts {
  engine: EngineWorker;
  store: DocumentStore;
  extract: Extract;
  loader: ModelLoader;
  turns: Turns;
  speeds: SpeedEstimates;
  changed(): void;
  failed: Tell;
  /** Keeps the document's id in the page's address. */
  located(id: string | null): void;
}

/** Something that the model does for a document, until it is called off. */
interface Task<Item> {
  item: Item;
  stop: AbortController;
  /** Settles when nothing more comes of it; never rejects. */
  ended: Promise<void>;
}

interface Running extends Task<SummaryRecord> {
  progress: SummaryProgress | undefined;
}

export class DocumentsController {
  #list: DocumentRecord[] = [];
  #open: OpenDocument | undefined;
  /** Of the open document, by the open model. */
  #counting: { model: string; counted: Promise<CountedText> } | undefined;
  #counted: CountedText | undefined;
  /** Ends what is counted for a document that is left. */
  #left = new AbortController();
  #running: Running | undefined;
  #asking: Task<QuestionRecord> | undefined;
  #unanswered: QuestionRecord | undefined;
  #beside: ShownBeside | undefined;
  readonly #engine: DocumentEngine;
  readonly #intake: DocumentIntake;
  /** What chats that documents are attached to are answered from. */
  readonly readings: DocumentReadings;

  constructor(private readonly parts: DocumentsParts) {
    const { engine, loader, turns, speeds, changed } = parts;
    this.#engine = new DocumentEngine({ engine, loader, turns, speeds, changed });
    this.#intake = this.intake();
    this.readings = new DocumentReadings({
      text: (id) => this.parts.store.text(id),
      name: (id) => this.#list.find((each) => each.id === id)?.name ?? '',
      count: (text) => this.#engine.count(text, new AbortController().signal),
      model: () => loader.url,
    });
  }

  /** Takes files and texts in beside those that the documents' view takes in. */
  intake(): DocumentIntake {
    const { extract, changed } = this.parts;
    return new DocumentIntake({ extract, changed, add: (name, kind, extracted) => this.#add(name, kind, extracted) });
  }

  get data(): DocumentsData {
    const running = this.#running && { id: this.#running.item.id, progress: this.#running.progress };
    return {
      list: this.#list, adding: this.#intake.adding, locked: this.#intake.locked, open: this.#open, beside: this.#beside, running, asking: this.#asking?.item, unanswered: this.#unanswered,
      estimate: (style) => this.#counted && this.#engine.estimate(this.#counted, style),
    };
  }

  async list(): Promise<void> {
    await this.#guarded('list documents', async () => {
      const [list] = await Promise.all([this.parts.store.list(), this.parts.speeds.read()]);
      this.#list = list;
    });
  }

  /** The first that succeeds is shown. */
  async addFiles(files: readonly File[]): Promise<void> {
    this.parts.failed(undefined);
    const { added, failed } = await this.#intake.take(files);
    const [first] = added;
    if (first !== undefined) await this.open(first);
    if (failed) this.parts.failed(failed, 'add');
  }

  async addText(text: string): Promise<void> {
    if (text.trim() === '') return;
    await this.#guarded('add', async () => this.open(await this.#intake.text(text, nameOf(text))));
  }

  /** Opens a file that asks for its password, and shows it. */
  async unlock(file: File, password: string): Promise<void> {
    await this.#guarded('add', async () => this.open(await this.#intake.unlock(file, password)));
  }

  leaveLocked(file: File): void {
    this.#intake.leave(file);
    this.parts.failed(undefined, 'add');
  }

  cancelAdding(): void {
    this.#intake.cancel();
  }

  async open(id: string | null): Promise<void> {
    await this.#guarded('open a document', async () => {
      const record = this.#list.find((each) => each.id === id);
      const text = id === null ? undefined : await this.parts.store.text(id);
      this.#leave();
      this.parts.located(record && text ? record.id : null);
      if (!record || !text) return;
      const { signal } = this.#left;
      const [summaries, questions] = await Promise.all([this.parts.store.summaries(record.id), this.parts.store.questions(record.id)]);
      if (signal.aborted) return;
      // The one that runs is the one that its writer goes on with, not what was kept of it.
      const running = this.#running?.item.documentId === record.id ? this.#running.item : undefined;
      const others = summaries.filter((each) => each.id !== running?.id);
      this.#open = { record, text, tokens: undefined, summaries: running ? [running, ...others] : others, questions };
      void this.count();
    });
  }

  /** What an answer goes back to is shown where a text is beside the chat already. */
  async follow(id: string, marked: ShownBeside['marked']): Promise<void> {
    if (this.#beside) await this.showBeside(id, marked, true);
  }

  /** Shows a document beside the chat, or none. */
  async showBeside(id: string | null, marked?: ShownBeside['marked'], follows = false): Promise<void> {
    await this.#guarded('open a document', async () => {
      const record = this.#list.find((each) => each.id === id);
      const text = record && (this.#beside?.record === record ? this.#beside.text : await this.parts.store.text(record.id));
      this.#beside = record && text && { record, text, marked, follows };
    });
  }

  async remove(id: string): Promise<void> {
    if (this.#beside?.record.id === id) this.#beside = undefined;
    const tasks = [this.#running, this.#asking].filter((task) => task?.item.documentId === id);
    tasks.forEach((task) => task?.stop.abort());
    if (this.#open?.record.id === id) await this.open(null);
    await this.#guarded(`remove ${id}`, () => this.parts.store.remove(id));
    await this.list();
    // What the engine is still ending for it would leave a state behind.
    await Promise.all(tasks.map((task) => task?.ended));
    await this.#guarded('forget states', () => this.parts.engine.forgetStates(id));
  }

  /** Counts the open document's tokens by the open model's vocabulary, once it is there. */
  async count(): Promise<void> {
    const { signal } = this.#left;
    if (!this.#open || !(await this.parts.loader.opening) || signal.aborted) return;
    await this.#guarded('count', async () => void (await this.#count(this.#open, signal)), signal);
  }

  /** In a style; with an instruction of the visitor's own where that is `custom`. */
  async summarise(style: SummaryStyle, instruction: string): Promise<void> {
    const open = this.#open;
    if (!open || this.#running || (style === 'custom' && instruction.trim() === '')) return;
    const record: SummaryRecord = {
      id: newId(), documentId: open.record.id, style, instruction, model: '', modelName: '', started: Date.now(), sections: [], result: null,
    };
    this.#change({ summaries: [record, ...open.summaries] });
    await this.resume(record);
  }

  /** Goes on with a summary that was paused, or begins it, by whatever model is open. */
  async resume(record: SummaryRecord): Promise<void> {
    const open = this.#open;
    if (!open || this.#running || record.result !== null) return;
    const running: Running = { item: record, progress: undefined, stop: new AbortController(), ended: Promise.resolve() };
    this.#running = running;
    this.parts.failed(undefined);
    running.ended = this.#ended(running, () => this.#summarise(running, open));
    await running.ended;
    this.#running = undefined;
    this.parts.changed();
  }

  /** Keeps the sections that are finished, and of what is read so much that it counts as paused only when the engine has stored it. */
  pause(): void {
    this.#running?.stop.abort();
  }

  async removeSummary(record: SummaryRecord): Promise<void> {
    const running = this.#running?.item.id === record.id ? this.#running : undefined;
    running?.stop.abort();
    if (this.#open) this.#change({ summaries: this.#open.summaries.filter(({ id }) => id !== record.id) });
    // What it still keeps would bring it back.
    await running?.ended;
    await this.#guarded(`remove ${record.id}`, () => this.parts.store.removeSummary(record.id));
  }

  async ask(question: string): Promise<void> {
    const open = this.#open;
    if (!open || this.#asking || question.trim() === '') return;
    const record: QuestionRecord = { id: newId(), documentId: open.record.id, asked: Date.now(), question: question.trim(), answer: '', passages: [] };
    const asking: Task<QuestionRecord> = { item: record, stop: new AbortController(), ended: Promise.resolve() };
    this.#asking = asking;
    this.parts.failed(undefined);
    asking.ended = this.#ended(asking, () => this.#answer(asking, open));
    await asking.ended;
    if (record.answer === '') {
      this.#unanswered = record;
    } else {
      await this.parts.store.saveQuestion(record, open);
      await this.#listAgain(open);
      if (this.#open?.record.id === record.documentId) this.#change({ questions: [...this.#open.questions, record] });
    }
    if (this.#asking === asking) this.#asking = undefined;
    this.parts.changed();
  }

  /** Stops the answer to a question, and keeps what there is of it. */
  stopAnswer(): void {
    this.#asking?.stop.abort();
  }

  async #summarise(running: Running, open: OpenDocument): Promise<void> {
    const { text } = open.text;
    const { item: record, stop: { signal } } = running;
    const { store, changed } = this.parts;
    await store.saveSummary(record, open);
    await this.#listAgain(open);
    await this.#engine.ready(signal);
    const counted = await this.#countFor(record.documentId, text, signal);
    if (record.model !== counted.model) {
      record.sections.forEach((section) => section.summary !== null && (section.modelName ??= record.modelName));
      Object.assign(record, { model: counted.model, modelName: this.#engine.modelName, sections: counted.goOn(record.sections, record.style) });
      await store.saveSummary(record, open);
    }
    const job = new SummaryJob(record, text, counted.context, {
      answer: (prompts, maxTokens, onEvent) => this.#engine.answer({ about: record.documentId, prompts, maxTokens, background: true }, onEvent, signal),
      countTokens: (each) => this.#engine.tokens(each),
      save: (summary) => store.saveSummary(structuredClone(summary), open),
      seconds: (read, written) => this.#engine.seconds(read, written),
      usualLength: (kind) => this.#engine.usualLength(kind),
      onLength: (kind, tokens) => this.#engine.takeLength(kind, tokens),
      onProgress: (progress) => {
        running.progress = progress;
        changed();
      },
    }, signal);
    await job.run();
  }

  async #answer({ item: record, stop: { signal } }: Task<QuestionRecord>, { text: { text } }: OpenDocument): Promise<void> {
    await this.#engine.ready(signal);
    const counted = await this.#countFor(record.documentId, text, signal);
    record.passages = await counted.passages(record.question, text);
    const whole = record.passages.length === 0;
    const parts = record.passages.map(({ start, end }) => text.slice(start, end).trim()).join('\n\n[…]\n\n');
    const prompt = questionPrompt(whole ? text : parts, record.question);
    const prompts = [whole ? prompt : { ...prompt, shared: '' }];
    await this.#engine.answer({ about: record.documentId, prompts, maxTokens: answerTokens(counted.context) }, (_, event) => {
      if (event.type === 'token' || event.type === 'end') record.answer += event.text;
      if (event.type === 'end') record.figures = { read: event.prefilledTokens, known: Math.max(0, event.promptTokens - event.prefilledTokens) };
      this.parts.changed();
    }, signal);
  }

  /** The open document's count is shared, unless it is left meanwhile. */
  async #countFor(id: string, text: string, signal: AbortSignal): Promise<CountedText> {
    const left = this.#left.signal;
    try {
      if (this.#open?.record.id === id) return await abortable(this.#count(this.#open, left), signal);
    } catch (thrown) {
      if (signal.aborted || !left.aborted) throw thrown;
    }
    return this.#engine.count(text, signal);
  }

  #count(open: OpenDocument | undefined, signal: AbortSignal): Promise<CountedText> {
    const model = this.parts.loader.url;
    if (this.#counting?.model === model) return this.#counting.counted;
    const counted = this.#engine.count(open?.text.text ?? '', signal);
    this.#counting = { model, counted };
    counted.then(
      (done) => {
        if (signal.aborted) return;
        this.#counted = done;
        this.#change({ tokens: done.total });
      },
      // Whoever waits for it says so; the next one tries again.
      () => this.#counting?.counted === counted && (this.#counting = undefined),
    );
    return counted;
  }

  #leave(): void {
    this.#left.abort();
    this.#left = new AbortController();
    this.#open = undefined;
    this.#counting = undefined;
    this.#counted = undefined;
  }

  async #add(name: string, kind: DocumentKind, { text, places, notes }: Extracted): Promise<string> {
    const record: DocumentRecord = { id: newId(), name, kind, added: Date.now(), characters: text.length, ...(notes ? { notes } : {}) };
    await this.parts.store.add(record, { id: record.id, text, places });
    this.#list = await this.parts.store.list();
    return record.id;
  }

  /** One that went with the site's data, and was stored again with what was made of it, is in the list again. */
  async #listAgain({ record: { id } }: OpenDocument): Promise<void> {
    if (!this.#list.some((each) => each.id === id)) await this.list();
  }

  #change(change: Partial<OpenDocument>): void {
    if (this.#open) Object.assign(this.#open, change);
    this.parts.changed();
  }

  /** Says what went wrong, unless it was called off. */
  async #ended({ item, stop }: Task<{ id: string }>, work: () => Promise<void>): Promise<void> {
    await this.#guarded(`write ${item.id}`, work, stop.signal);
  }

  async #guarded(about: string, work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    try {
      await work();
      this.parts.failed(undefined, about);
      this.parts.changed();
    } catch (thrown) {
      if (!signal?.aborted) this.parts.failed(toFailure(thrown), about);
    }
  }
}

/** A text without a file is called what its first line says. */
export function nameOf(text: string): string {
  return shortened(text.slice(0, 1000).replace(/^[#\s]+/, ''));
}
