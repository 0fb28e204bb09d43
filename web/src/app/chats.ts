/** The conversations: the one that is shown, the list, and the answer in the making. */
import type { AnswerEvent, ChatMessage, EngineWorker, StopReason } from '../engine/protocol';
import { AnswerClock, type TokenTime } from './answer-clock';
import { Conversation, type AssistantMessage, type Branches, type Instructions, type Message, type UserMessage } from './conversation';
import { importedConversations, jsonFile, markdownFile, type TextFile } from './conversation-files';
import type { ConversationHeader, ConversationStore } from './conversation-store';
import { toFailure, type Failure } from './failure';
import type { ModelLoader } from './model-loader';
import type { Pace } from './pace';
import { presets } from './presets';
import { generateOptions } from './sampling';
import type { SettingsStore } from './settings-store';
import type { Turns } from './turns';

/** Words of a running answer are kept this often, for the case that the page is closed. */
const SAVE_MILLISECONDS = 2000;
/** The plot shows no more tokens than this. */
const MOST_TIMES = 4096;

export interface ChatsData {
  list: readonly ConversationHeader[];
  /** Id of the conversation that is shown. */
  current: string;
  query: string;
  instructions: Instructions;
  /** Tokens that the conversation takes; 0 while unknown. */
  position: number;
  times: readonly TokenTime[];
  /** The branches beside a message. */
  branches(message: Message): Branches;
}

export interface ChatsParts {
  engine: EngineWorker;
  store: ConversationStore;
  settings: SettingsStore;
  loader: ModelLoader;
  turns: Turns;
  pace: Pace;
  /** Redraws after a change. */
  changed(): void;
  failed(failure: Failure | undefined): void;
  /** Gives a question that was not answered back to its writer. */
  restoreDraft(text: string): void;
  /** Keeps the conversation's id in the page's address; null for a new one. */
  located(id: string | null): void;
}

export class Chats {
  #conversation = new Conversation();
  #answering: AssistantMessage | undefined;
  #list: ConversationHeader[] = [];
  #query = '';
  #times: TokenTime[] = [];
  #saved = 0;
  /** Deleted while their last answer was still ending: they stay deleted. */
  readonly #removed = new Set<string>();

  constructor(private readonly parts: ChatsParts) {}

  get messages(): readonly Message[] {
    return this.#conversation.messages;
  }

  get answering(): boolean {
    return this.#answering !== undefined;
  }

  get data(): ChatsData {
    const { record } = this.#conversation;
    const answers = this.messages.filter((message): message is AssistantMessage => message.role === 'assistant');
    const last = answers.findLast(({ state }) => state.kind === 'done');
    const position = this.#times.at(-1)?.position ?? (last?.state.kind === 'done' ? last.state.stats.position : undefined) ?? 0;
    const branches = (message: Message) => this.#conversation.branches(message);
    return { list: this.#list, current: record.id, query: this.#query, instructions: record, position, times: this.#times, branches };
  }

  async list(query = this.#query): Promise<void> {
    this.#query = query;
    await this.#guarded(async () => {
      const list = await this.parts.store.list(query);
      if (query === this.#query) this.#list = list;
    });
  }

  newChat(): void {
    this.#show(new Conversation(undefined, this.#conversation.record.messages.length === 0 ? this.#conversation.record : undefined));
    this.parts.located(null);
  }

  /** Goes on with what was said in a saved state, where no conversation is shown yet. */
  begin(said: readonly ChatMessage[]): void {
    if (!this.#answering && this.messages.length === 0) this.#show(Conversation.told(said));
  }

  /** The state after the conversation, as a file. */
  state(): Promise<Blob> {
    return this.parts.engine.saveState(this.#conversation.said, {});
  }

  async open(id: string): Promise<void> {
    await this.#guarded(async () => {
      const record = await this.parts.store.find(id);
      if (record) this.#show(new Conversation(record));
      this.parts.located(record ? id : null);
    });
  }

  async ask(text: string): Promise<void> {
    if (this.#answering || text.trim() === '') return;
    await this.#answer(this.#conversation.ask(text.trim()));
  }

  async askInstead(question: UserMessage, text: string): Promise<void> {
    if (this.#answering || text.trim() === '') return;
    await this.#answer(this.#conversation.askInstead(question, text.trim()));
  }

  async answerAgain(answer: AssistantMessage): Promise<void> {
    if (!this.#answering) await this.#answer(this.#conversation.answerAgain(answer));
  }

  /** Goes on where an answer was stopped, or reached its length. */
  async carryOn(answer: AssistantMessage): Promise<void> {
    if (!this.#answering) await this.#answer(answer);
  }

  showBranch(id: number): void {
    if (this.#answering) return;
    this.#conversation.show(id);
    void this.#save();
    this.parts.changed();
  }

  /** Stops the answer; one that still waits for its model or its turn is given up at once. */
  stop(): void {
    const answer = this.#answering;
    if (!answer) return;
    if (this.parts.loader.status.kind === 'ready' && this.parts.turns.holder === 'chat') {
      void this.parts.engine.stop();
    } else {
      this.#answering = undefined;
      this.#giveBack(answer, this.#conversation);
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
    await this.#guarded(() => this.parts.store.rename(id, title.trim()));
    await this.list();
  }

  async remove(id: string): Promise<void> {
    this.#removed.add(id);
    if (id === this.#conversation.record.id) this.newChat();
    await this.#guarded(() => this.parts.store.remove(id));
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

  async import(text: string): Promise<void> {
    await this.#guarded(() => this.parts.store.saveAll(importedConversations(text)));
    await this.list();
  }

  async #answer(answer: AssistantMessage): Promise<void> {
    const conversation = this.#conversation;
    const { loader, turns, failed } = this.parts;
    this.#answering = answer;
    failed(undefined);
    await this.#save(conversation);
    try {
      const opened = await loader.opening;
      if (opened) {
        // Given up while it waited for its turn: the next one may begin.
        await turns.take('chat', async () => (this.#answering === answer ? this.#generate(conversation, answer) : undefined));
      }
    } catch (thrown) {
      if (conversation === this.#conversation) failed(toFailure(thrown));
    }
    // Nothing came: the model could not be opened, or failed, or was stopped before. The question goes back to its writer.
    if (answer.state.kind === 'waiting') this.#giveBack(answer, conversation);
    if (this.#answering === answer) this.#answering = undefined;
    conversation.record.updated = Date.now();
    await this.#save(conversation);
    this.parts.changed();
  }

  #giveBack(answer: AssistantMessage, conversation: Conversation): void {
    const draft = conversation.takeBack(answer);
    if (conversation === this.#conversation) this.parts.restoreDraft(draft);
  }

  async #generate(conversation: Conversation, answer: AssistantMessage): Promise<void> {
    const { engine, loader, pace, settings } = this.parts;
    const { entry } = loader.choice ?? {};
    const clock = new AnswerClock();
    const times: TokenTime[] = (this.#times = []);
    let stop: StopReason = 'cancelled';
    const carried = answer.text !== '';
    const onEvent = (event: AnswerEvent) => {
      if (event.type === 'prefill') {
        clock.prompt = event.total;
        if (answer.text === '') answer.state = { kind: 'waiting', prefill: event };
      } else if (event.type === 'token') {
        clock.token();
        answer.text += event.text;
        answer.state = { kind: 'streaming' };
        times.push({ position: clock.stats().position ?? 0, milliseconds: event.milliseconds });
        if (times.length > MOST_TIMES) times.shift();
        this.#saveNowAndThen(conversation);
      } else if (event.type === 'rebuild' || event.type === 'rebuilt') {
        loader.rebuilding(event.type === 'rebuild');
      } else if (event.type === 'end') {
        answer.text += event.text;
        stop = event.stop;
        clock.prompt = event.promptTokens;
        pace.take(event);
      }
      this.parts.changed();
    };
    const suited = [entry?.sampling, presets[conversation.record.preset].sampling];
    const options = generateOptions(settings.sampling, ...suited);
    const prompt = conversation.promptFor(answer);
    answer.state = carried ? { kind: 'streaming' } : answer.state;
    try {
      await engine.generate(prompt, options, onEvent);
    } catch (thrown) {
      if (answer.text !== '') answer.state = { kind: 'done', stop: 'cancelled', stats: clock.stats() };
      loader.rebuilding(false);
      throw thrown;
    }
    // Stopped before the first word: it stays waiting, and the question is taken back.
    if (answer.text !== '' || stop !== 'cancelled') answer.state = { kind: 'done', stop, stats: clock.stats() };
  }

  #show(conversation: Conversation): void {
    this.stop();
    this.#answering = undefined;
    this.#conversation = conversation;
    this.#times = [];
    this.parts.failed(undefined);
  }

  #saveNowAndThen(conversation: Conversation): void {
    if (Date.now() - this.#saved > SAVE_MILLISECONDS) void this.#save(conversation);
  }

  /** A conversation without a message is not kept. */
  async #save(conversation = this.#conversation): Promise<void> {
    this.#saved = Date.now();
    const { record } = conversation;
    const kept = record.messages.length > 0 && !this.#removed.has(record.id);
    await this.#guarded(() => (kept ? this.parts.store.save(record) : this.parts.store.remove(record.id)));
    if (conversation === this.#conversation) this.parts.located(kept ? record.id : null);
    if (this.#list.find(({ id }) => id === record.id)?.title !== record.title || !this.answering) await this.list();
  }

  /** What cannot be kept is said, and the chat goes on. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.parts.changed();
    } catch (thrown) {
      this.parts.failed(toFailure(thrown));
    }
  }
}
