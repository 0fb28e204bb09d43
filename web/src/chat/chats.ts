/** The conversations: the one that is shown, the list, and the answer in the making, or several to one question. */
import type { AnswerEvent, BatchEvent, EngineWorker, GenerateOptions, OpenedState } from 'web-mamba';
import { failure, toFailure, type Tell } from '../base/failure';
import type { TextFile } from '../base/files';
import type { Turns } from '../base/turns';
import type { AnswerStats, AssistantMessage, Attachment, ConversationRecord, Instructions, Message, Source, UserMessage } from '../data/conversation-record';
import type { ModelLoader } from '../models/model-loader';
import type { SpeedEstimates } from '../models/speed-estimates';
import type { TokenTime } from './answer-clock';
import { AnswerWriter } from './answer-writer';
import { Conversation, type Branches } from './conversation';
import { jsonFile, markdownFile, readConversations } from './conversation-files';
import type { ConversationHeader, ConversationStore } from './conversation-store';
import { additionsOf } from './imported-additions';
import { presets } from './presets';
import { Reader } from './reader';
import type { Readings } from './readings';
import { generateOptions } from './sampling';
import type { SettingsStore } from './settings-store';

/** Words of a running answer are kept this often, for the case that the page is closed. */
const SAVE_MILLISECONDS = 2000;
/** Other answers that are asked for at once. */
export const BATCH_SIZE = 3;

/** Answers to one question that are written side by side. */
export interface BatchProgress {
  count: number;
  finished: number;
}

/** How many conversations a file has added, and how many of it were here already. */
export interface Imported {
  added: number;
  known: number;
}

export interface ChatsData {
  list: readonly ConversationHeader[];
  /** Id of the conversation that is shown. */
  current: string;
  /** Of the conversation that is shown; empty for a new one. */
  title: string;
  query: string;
  /** What has just come in from a file. */
  imported: Imported | undefined;
  instructions: Instructions;
  /** Documents that its questions are answered from. */
  attachments: readonly Attachment[];
  /** Tokens that the conversation takes; 0 while unknown. */
  position: number;
  /** Figures of the last answer that is shown, while it is written too; undefined where there are none. */
  stats: AnswerStats | undefined;
  /** Its tokens, where it was written in this visit. */
  times: readonly TokenTime[];
  /** The branches beside a message; `shut` while an answer is written that showing another would lead away from. */
  branches(message: Message): Branches & { shut: boolean };
  /** Conversations that hold what is sought, whatever the list shows. */
  find(query: string): Promise<readonly ConversationHeader[]>;
  /** Answers that were asked for at once, and of which none has been chosen; undefined for any other message. */
  choice(message: Message): readonly AssistantMessage[] | undefined;
  /** Of an answer that is one of several in the making. */
  batch(message: Message): BatchProgress | undefined;
}

export interface ChatsParts {
  engine: EngineWorker;
  store: ConversationStore;
  settings: SettingsStore;
  loader: ModelLoader;
  turns: Turns;
  speeds: SpeedEstimates;
  readings: Readings;
  /** An answer has ended that goes back to this first of all. */
  cited(source: Source): void;
  /** Redraws after a change. */
  changed(): void;
  failed: Tell;
  /** Gives a question that was not answered back to its writer. */
  restoreDraft(text: string): void;
  /** Keeps the conversation's id in the page's address; null for a new one. */
  located(id: string | null): void;
}

export class Chats {
  #conversation = new Conversation();
  /** What is being written: one answer, or several to the same question. */
  #answering: readonly AssistantMessage[] | undefined;
  /** Answers that were asked for at once, until one of them is chosen. */
  #choice: readonly AssistantMessage[] = [];
  #list: ConversationHeader[] = [];
  #query = '';
  #imported: Imported | undefined;
  /** Of the answers that were written in this visit. */
  readonly #writers = new WeakMap<Message, AnswerWriter>();
  #saved = 0;
  /** Those whose first answer is still to come: they begin from what is open then. */
  readonly #fresh = new WeakSet<Conversation>();
  /** Deleted while their last answer was still ending: they stay deleted. */
  readonly #removed = new Set<string>();

  readonly #reader: Reader;

  constructor(private readonly parts: ChatsParts) {
    this.#reader = new Reader(parts);
    parts.store.onElsewhere((id) => void this.#readAgain(id));
  }

  get messages(): readonly Message[] {
    return this.#conversation.messages;
  }

  get answering(): boolean {
    return this.#answering !== undefined;
  }

  get data(): ChatsData {
    const { record } = this.#conversation;
    const last = this.messages.findLast(({ role }) => role === 'assistant');
    const writer = last && this.#writers.get(last);
    const stats = writer?.stats ?? (last?.role === 'assistant' && last.state.kind === 'done' ? last.state.stats : undefined);
    return {
      list: this.#list, current: record.id, title: record.title, query: this.#query, imported: this.#imported, instructions: record,
      attachments: this.#conversation.attachments,
      position: stats?.position ?? this.#positionBefore(last), stats, times: writer?.times ?? [],
      branches: (message) => ({ ...this.#conversation.branches(message), shut: !this.#mayShow(message.id) }),
      find: (query) => this.parts.store.list(query),
      choice: (message) => (this.#choice.length > 1 && this.#choice.some((each) => each === message) ? this.#choice : undefined),
      batch: (message) => this.#batch(message),
    };
  }

  async list(query = this.#query): Promise<void> {
    if (query !== this.#query) this.#imported = undefined;
    this.#query = query;
    await this.#guarded('list conversations', async () => {
      const list = await this.parts.store.list(query);
      if (query === this.#query) this.#list = list;
    });
  }

  newChat(): void {
    const { preset, system, knowledge } = this.#conversation.record;
    this.#show(new Conversation(undefined, this.messages.length === 0 ? { preset, system, knowledge } : undefined));
    this.parts.located(null);
  }

  /** Goes on with what was said in a saved state, where nothing was said yet but a question that waits for it. */
  begin({ messages: said, beginning }: Pick<OpenedState, 'messages' | 'beginning'>): void {
    const { messages } = this.#conversation.record;
    const waits = messages.length === 2 && this.#answering?.length === 1 && this.#answering[0] === messages[1];
    if (messages.length === 0) this.#show(Conversation.after(said, beginning));
    else if (waits) {
      this.#conversation.beginWith(said, beginning);
      this.#fresh.delete(this.#conversation);
    }
    this.parts.changed();
  }

  /** The state after the conversation, as a file. */
  async state(): Promise<Blob> {
    const { beginning } = this.#conversation.record;
    const { messages } = await this.#reader.prompt(this.#conversation, this.messages);
    return this.parts.engine.saveState(messages, beginning === undefined ? {} : { beginning });
  }

  /** Has a conversation answered from a document; one that nothing is kept of, and that is not shown, is none. */
  async attach(chat: string, attachment: Attachment): Promise<void> {
    await this.#changeAttachments(chat, (conversation) => conversation.attach(attachment));
  }

  async detach(id: string): Promise<void> {
    await this.#changeAttachments(this.#conversation.record.id, (conversation) => conversation.detach(id));
  }

  /** A document is deleted: what the engine keeps of the chats that read it goes too. */
  async forgetDocument(id: string): Promise<void> {
    const readers = [this.#conversation.record, ...(await this.parts.store.all())].filter((record) => hasRead(record, id));
    for (const chat of new Set(readers.map((record) => stateName(record)))) await this.parts.engine.forgetStates(chat);
  }

  async open(id: string): Promise<void> {
    await this.#guarded('open a conversation', async () => {
      const record = await this.parts.store.find(id);
      if (record) {
        const conversation = new Conversation(record);
        // The page was closed before its first answer began.
        if (record.beginning === undefined && isUnanswered(record)) this.#fresh.add(conversation);
        this.#show(conversation);
      }
      this.parts.located(record ? id : null);
    });
  }

  async ask(text: string): Promise<void> {
    if (this.#answering || text.trim() === '') return;
    this.#choice = [];
    if (this.messages.length === 0) this.#fresh.add(this.#conversation);
    await this.#answer([this.#conversation.ask(text.trim())]);
  }

  async askInstead(question: UserMessage, text: string): Promise<void> {
    if (this.#answering || text.trim() === '') return;
    await this.#answer([this.#conversation.askInstead(question, text.trim())]);
  }

  /** Asks for other answers to the same question, which are branches beside this one. */
  async answerAgain(answer: AssistantMessage, count = 1): Promise<void> {
    if (this.#answering) return;
    const answers = this.#conversation.answersAgain(answer, count);
    this.#choice = answers;
    await this.#answer(answers);
  }

  /** Goes on where an answer was stopped, or reached its length. */
  async carryOn(answer: AssistantMessage): Promise<void> {
    if (!this.#answering) await this.#answer([answer]);
  }

  /** Of answers that were asked for at once, this chooses one. */
  showBranch(id: number): void {
    if (!this.#mayShow(id)) return;
    this.#choice = [];
    this.#conversation.show(id);
    void this.#save();
    this.parts.changed();
  }

  /** Stops the answer, or all that are written; one that still waits for its model or its turn is given up at once. */
  stop(): void {
    const answers = this.#answering;
    if (!answers) return;
    if (this.parts.loader.status.kind === 'ready' && this.parts.turns.holder === 'chat') {
      void this.#guarded('stop', () => this.parts.engine.stop());
    } else {
      this.#answering = undefined;
      this.#giveBack(answers, this.#conversation);
      this.parts.changed();
    }
  }

  instruct(instructions: Partial<Instructions>): void {
    Object.assign(this.#conversation.record, instructions);
    if (this.messages.length > 0) void this.#save();
    this.parts.changed();
  }

  async rename(id: string, title: string): Promise<void> {
    if (title.trim() === '') return;
    if (id === this.#conversation.record.id) this.#conversation.record.title = title.trim();
    await this.#guarded('rename', () => this.parts.store.rename(id, title.trim()));
    await this.list();
  }

  async pin(id: string, pinned: boolean): Promise<void> {
    await this.#guarded('pin', () => this.parts.store.pin(id, pinned));
    await this.list();
  }

  async remove(id: string): Promise<void> {
    this.#removed.add(id);
    if (id === this.#conversation.record.id) this.newChat();
    await this.#guarded(`remove ${id}`, () => this.parts.store.remove(id));
    await this.list();
  }

  async exported(id: string, as: 'markdown' | 'json', speakers: Record<Message['role'], string>): Promise<TextFile | undefined> {
    const record = await this.parts.store.find(id);
    if (!record) return undefined;
    return as === 'json' ? jsonFile([record], record.title) : markdownFile(record, new Conversation(record).messages, speakers);
  }

  async exportedAll(name: string): Promise<TextFile> {
    return jsonFile(await this.parts.store.all(), name);
  }

  async import(file: Blob): Promise<void> {
    this.#imported = undefined;
    await this.#guarded('import', async () => {
      const { fresh, grown, known } = additionsOf(await readConversations(file), await this.parts.store.all());
      await this.parts.store.saveAll([...fresh, ...grown]);
      this.#imported = { added: fresh.length + grown.length, known };
      const { id } = this.#conversation.record;
      const shown = grown.find((record) => record.id === id);
      if (shown && !this.#answering) this.#conversation = new Conversation(shown);
    });
    await this.list();
  }

  async #answer(answers: readonly AssistantMessage[]): Promise<void> {
    const conversation = this.#conversation;
    const { loader, turns, failed } = this.parts;
    this.#answering = answers;
    this.#imported = undefined;
    failed(undefined);
    // A database that takes its time holds up no answer.
    void this.#save(conversation);
    try {
      await this.parts.readings.arrived(conversation.record.id);
      const opened = await loader.opening;
      if (opened && this.#answering === answers) await this.#reader.read(conversation, answers);
      if (!opened && this.#answering === answers) {
        // What the question waited for, or met with, is said each time that it is asked.
        if (conversation === this.#conversation) failed(loader.obstacle ?? failure('no-model'));
      } else if (opened) {
        // Given up while it waited for its turn: the next one may begin.
        await turns.take('chat', async () => (this.#answering === answers ? this.#generate(conversation, answers) : undefined));
        await this.#reader.cite(conversation, answers);
        const [source] = answers[0]?.sources ?? [];
        if (source && conversation === this.#conversation) this.parts.cited(source);
      }
    } catch (thrown) {
      if (conversation === this.#conversation) failed(toFailure(thrown));
    }
    // Nothing came: the model could not be opened, or failed, or was stopped before. The question goes back to its writer.
    this.#giveBack(answers.filter(({ state }) => state.kind === 'waiting'), conversation);
    if (this.#answering === answers) this.#answering = undefined;
    conversation.record.updated = Date.now();
    this.parts.changed();
    await this.#save(conversation);
    this.parts.changed();
  }

  #giveBack(answers: readonly AssistantMessage[], conversation: Conversation): void {
    this.#choice = this.#choice.filter((each) => !answers.includes(each));
    for (const answer of answers) {
      const draft = conversation.takeBack(answer);
      if (conversation === this.#conversation) this.parts.restoreDraft(draft);
    }
  }

  /** While answers are written, one may look at each of them, and at those that were there before. */
  #mayShow(id: number): boolean {
    const [first] = this.#answering ?? [];
    return !first || this.#conversation.branches(first).ids.includes(id);
  }

  /** An answer that has not begun is where the one before it ended. */
  #positionBefore(last: Message | undefined): number {
    const before = this.messages.findLast((each) => each !== last && each.role === 'assistant' && each.state.kind === 'done');
    return (before?.role === 'assistant' && before.state.kind === 'done' ? before.state.stats.position : undefined) ?? 0;
  }

  #batch(message: Message): BatchProgress | undefined {
    const answers: readonly Message[] = this.#answering ?? [];
    if (answers.length < 2 || !answers.includes(message)) return undefined;
    return { count: answers.length, finished: this.#answering?.filter(({ state }) => state.kind === 'done').length ?? 0 };
  }

  async #generate(conversation: Conversation, answers: readonly AssistantMessage[]): Promise<void> {
    const { loader, speeds } = this.parts;
    const writers = answers.map((answer) => new AnswerWriter(answer));
    const [first] = writers;
    writers.forEach((writer, index) => this.#writers.set(answers[index] as Message, writer));
    const onEvent = (event: AnswerEvent | BatchEvent) => {
      if (event.type === 'rebuild' || event.type === 'rebuilt') {
        loader.rebuilding(event.type === 'rebuild', event.type === 'rebuilt' ? event.model : undefined);
      } else {
        const writer = 'index' in event ? writers[event.index] : first;
        writer?.take(event);
        if (event.type === 'token') this.#saveNowAndThen(conversation);
        // Of several, one ends while others go on; and their speeds are not what one answer alone would have.
        if (event.type === 'end' && answers.length > 1) writer?.end();
        if (event.type === 'end' && answers.length === 1) speeds.take(event);
      }
      this.parts.changed();
    };
    try {
      await this.#write(conversation, answers, onEvent);
    } catch (thrown) {
      loader.rebuilding(false);
      throw thrown;
    } finally {
      writers.forEach((writer) => writer.end());
    }
  }

  /** One answer, or several with one reading of the prompt and, token by token, of the weights. */
  async #write(conversation: Conversation, answers: readonly AssistantMessage[], onEvent: (event: AnswerEvent | BatchEvent) => void): Promise<void> {
    const { engine, loader, settings } = this.parts;
    const [first] = answers;
    if (!first) return;
    const suited = [loader.choice?.entry?.sampling, presets[conversation.record.preset].sampling];
    const options = { ...generateOptions(settings.sampling, ...suited), ...this.#thinking() };
    const { messages: prompt, shared } = await this.#reader.promptFor(conversation, first);
    if (this.#fresh.delete(conversation)) conversation.beginFrom(loader.tuned?.beginning);
    const { beginning } = conversation.record;
    const about = shared === undefined ? {} : { about: stateName(conversation.record) };
    const begun = { ...options, ...about, ...(beginning === undefined ? {} : { beginning }) };
    if (answers.length === 1) return engine.generate(prompt, { ...begun, ...(shared ? { keepAfter: shared } : {}) }, onEvent);
    // A seed that the visitor chose has given the answers before these: theirs go on from it.
    const seed = (options.seed ?? 0) + conversation.branches(first).index;
    await engine.generateBatch(answers.map(() => prompt), { ...begun, seed, sequences: answers.length }, onEvent);
  }

  /** A model that can think does so where the visitor wants it, else it answers at once; of any other nothing is asked. */
  #thinking(): GenerateOptions {
    const { loader, settings } = this.parts;
    return loader.canThink ? { thinking: settings.thinks ? 'on' : 'skip' } : {};
  }

  #show(conversation: Conversation): void {
    this.stop();
    this.#answering = undefined;
    this.#choice = [];
    this.#conversation = conversation;
    this.#imported = undefined;
    this.parts.failed(undefined);
  }

  async #changeAttachments(chat: string, change: (conversation: Conversation) => void): Promise<void> {
    await this.#guarded('attach', async () => {
      if (chat === this.#conversation.record.id) {
        change(this.#conversation);
        this.parts.changed();
        return this.#save();
      }
      const record = await this.parts.store.find(chat);
      if (!record) return;
      change(new Conversation(record));
      await this.parts.store.save(record);
    });
  }

  #saveNowAndThen(conversation: Conversation): void {
    if (Date.now() - this.#saved > SAVE_MILLISECONDS) void this.#save(conversation);
  }

  /** A conversation without a message is not kept. What the database does not take waits in the store, which says so, and the chat goes on. */
  async #save(conversation = this.#conversation): Promise<void> {
    this.#saved = Date.now();
    const { record } = conversation;
    const before = record.id;
    const kept = (record.messages.length > 0 || conversation.attachments.length > 0) && !this.#removed.has(record.id);
    await this.#guarded('keep', () => (kept ? this.parts.store.save(record) : this.parts.store.remove(record.id)));
    if (conversation === this.#conversation) this.parts.located(kept ? record.id : null);
    const listed = this.#list.find(({ id }) => id === record.id);
    const renamed = this.#query === '' && listed?.title !== record.title;
    if (renamed || before !== record.id || !this.answering) await this.list();
    else this.parts.changed();
  }

  /** Another tab has stored a conversation: the list shows it, and so does this tab, unless an answer is being written here. */
  async #readAgain(id: string | undefined): Promise<void> {
    await this.list();
    if (id === undefined) return;
    await this.#guarded('open a conversation', async () => {
      const record = this.#conversation.record.id === id ? await this.parts.store.find(id) : undefined;
      if (record && !this.#answering && this.#conversation.record.id === id) this.#conversation = new Conversation(record);
    });
  }

  /** What cannot be done is said, and the chat goes on. */
  async #guarded(about: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.parts.failed(undefined, about);
      this.parts.changed();
    } catch (thrown) {
      this.parts.failed(toFailure(thrown), about);
    }
  }
}

/** Under which the engine keeps the states of a chat that read documents. */
function stateName({ id }: ConversationRecord): string {
  return `chat ${id}`;
}

function hasRead({ messages }: ConversationRecord, documentId: string): boolean {
  return messages.some((message) => message.role === 'user' && message.read?.some((part) => part.documentId === documentId));
}

/** Whether no model has said anything in it. */
function isUnanswered({ messages }: ConversationRecord): boolean {
  return messages.every(({ role, text }) => role === 'user' || text === '');
}
