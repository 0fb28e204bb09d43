/**
 * One chat as a tree: an edited question or a second answer is a branch beside the first, and nothing that was said is lost.
 * What the page draws, and the engine reads, is the path from the first question to `leaf`.
 */
import { newId, type ChatMessage } from 'web-mamba';
import { shortened } from '../base/shortened';
import { EARLIER_IMPORTED, type AssistantMessage, type Attachment, type ConversationRecord, type Instructions, type Message, type MessageState, type UserMessage } from '../data/conversation-record';
import { MessageIndex } from './message-index';
import { presets, systemText } from './presets';

/** The branches beside a message, itself included. */
export interface Branches {
  /** From 0. */
  index: number;
  ids: readonly number[];
}

export class Conversation {
  readonly record: ConversationRecord;
  /** Where the branch ended before the running answer was asked for. */
  #leafBefore: number | null = null;
  #index: MessageIndex;
  /** The branch that is shown, while nothing but its words changes. */
  #shown: { leaf: number | null; path: Message[] } | undefined;

  constructor(record?: ConversationRecord, instructions: Instructions = presets.assistant.instructions) {
    const now = Date.now();
    this.record = record ?? { id: newId(), title: '', created: now, updated: now, ...instructions, messages: [], leaf: null };
    this.#index = new MessageIndex(this.record.messages);
  }

  /** A conversation that a saved state goes on with. */
  static after(said: readonly ChatMessage[], beginning?: string): Conversation {
    const conversation = new Conversation();
    conversation.beginWith(said, beginning);
    return conversation;
  }

  /** Puts what was said in a saved state first. A question that was asked while the state was still coming follows it. */
  beginWith(said: readonly ChatMessage[], beginning?: string): void {
    const { record } = this;
    this.beginFrom(beginning);
    const asked = record.messages;
    const earlier: Message[] = [];
    for (const { role, content: text } of said) {
      const node = { id: earlier.length + 1, parent: earlier.at(-1)?.id ?? null, text };
      if (role === 'user') earlier.push({ ...node, role });
      else if (role === 'assistant') earlier.push({ ...node, role, state: { kind: 'imported' } });
    }
    const last = earlier.at(-1)?.id ?? null;
    for (const message of asked) {
      message.parent = message.parent === null ? last : message.parent + earlier.length;
      message.id += earlier.length;
    }
    record.system = said.filter(({ role }) => role === 'system').map(({ content }) => content).join('\n\n');
    this.#rearrange([...earlier, ...asked]);
    record.leaf = record.leaf === null ? last : record.leaf + earlier.length;
    this.#leafBefore = last;
    record.title = shortened(record.messages.find(({ role }) => role === 'user')?.text ?? '');
  }

  /** Sets what the conversation begins from, before its first answer: a tuned state, or zeros. */
  beginFrom(beginning: string | undefined): void {
    if (beginning === undefined) delete this.record.beginning;
    else this.record.beginning = beginning;
  }

  get attachments(): readonly Attachment[] {
    return this.record.attachments ?? [];
  }

  attach(attachment: Attachment): void {
    if (this.attachments.some(({ id }) => id === attachment.id)) return;
    this.record.attachments = [...this.attachments, attachment];
  }

  /** What was read of it stays read. */
  detach(id: string): void {
    this.record.attachments = this.attachments.filter((each) => each.id !== id);
    if (this.attachments.length === 0) delete this.record.attachments;
  }

  /** The question that an answer is for, and what was said before it, on its branch. */
  before(answer: AssistantMessage): { question: UserMessage | undefined; earlier: readonly Message[] } {
    const path = this.#index.pathTo(answer.parent);
    const last = path.at(-1);
    return { question: last?.role === 'user' ? last : undefined, earlier: path.slice(0, -1) };
  }

  /** The branch that is shown, from its first question on. */
  get messages(): Message[] {
    const { leaf } = this.record;
    if (this.#shown?.leaf !== leaf) this.#shown = { leaf, path: this.#index.pathTo(leaf) };
    return this.#shown.path;
  }

  /** Adds a question and the place of its answer, which is returned. */
  ask(text: string): AssistantMessage {
    return this.#ask(text, this.record.leaf);
  }

  /** Asks something else in the place of an earlier question, on a branch of its own. */
  askInstead(question: UserMessage, text: string): AssistantMessage {
    return this.#ask(text, question.parent);
  }

  /** Places for so many other answers to the same question; the first of them is shown. */
  answersAgain(answer: AssistantMessage, count: number): AssistantMessage[] {
    this.#leafBefore = this.record.leaf;
    const places = Array.from({ length: count }, () => this.#place(answer.parent));
    this.record.leaf = places[0]?.id ?? this.#leafBefore;
    return places;
  }

  /** Takes back an answer that never began, and a question that was asked for it alone, whose text is returned. */
  takeBack(answer: AssistantMessage): string {
    if (!this.#index.find(answer.id)) return '';
    const question = this.#index.find(answer.parent);
    const only = this.#index.following(answer.parent).length === 1;
    const gone = new Set([answer.id, ...(only && question ? [question.id] : [])]);
    this.#rearrange(this.record.messages.filter(({ id }) => !gone.has(id)));
    if (gone.has(this.record.leaf ?? 0)) this.record.leaf = this.#leafBefore;
    if (this.record.messages.length === 0) this.record.title = '';
    return only ? (question?.text ?? '') : '';
  }

  branches(message: Message): Branches {
    return this.#index.branches(message);
  }

  /** Shows the branch that goes through a message, to its newest end. */
  show(id: number): void {
    let leaf = id;
    for (let next = this.#index.following(leaf).at(-1); next; next = this.#index.following(leaf).at(-1)) leaf = next.id;
    this.record.leaf = leaf;
  }

  /** The branch that leads to an answer, with the answer itself. */
  upTo(answer: AssistantMessage): Message[] {
    return [...this.#index.pathTo(answer.parent), answer];
  }

  /**
   * Messages as the engine takes them. In one path that ends with an answer, that answer is carried on where it has words already.
   * `texts`: of questions that are asked with more than their own words.
   */
  prompt(messages: readonly Message[], texts: ReadonlyMap<Message, string> = new Map()): ChatMessage[] {
    const system = systemText(this.record);
    const said = messages.filter(({ text }) => text !== '').map((message) => ({ role: message.role, content: texts.get(message) ?? message.text }));
    return system ? [{ role: 'system', content: system }, ...said] : said;
  }

  #ask(text: string, parent: number | null): AssistantMessage {
    this.#leafBefore = this.record.leaf;
    const question: UserMessage = { id: this.#index.nextId, parent, role: 'user', text };
    this.#add(question);
    this.record.title ||= shortened(text);
    return this.#place(question.id);
  }

  #place(parent: number | null): AssistantMessage {
    const answer: AssistantMessage = { id: this.#index.nextId, parent, role: 'assistant', text: '', state: { kind: 'waiting' } };
    this.#add(answer);
    this.record.leaf = answer.id;
    return answer;
  }

  #add(message: Message): void {
    this.record.messages.push(message);
    this.#index.add(message);
  }

  #rearrange(messages: Message[]): void {
    this.record.messages = messages;
    this.#index = new MessageIndex(messages);
    this.#shown = undefined;
  }
}

/** An answer that was being written when the page closed has ended where it was. */
export function mended(record: ConversationRecord): ConversationRecord {
  const messages = record.messages.map((message) => (message.role === 'assistant' ? { ...message, state: ended(message.state) } : message));
  return { ...record, messages };
}

function ended(state: MessageState): MessageState {
  if (state.kind === 'done' || state.kind === 'imported') return state;
  if ((state.kind as string) === EARLIER_IMPORTED) return { kind: 'imported' };
  return { kind: 'done', stop: 'cancelled', stats: { tokens: 0, firstToken: 0, rate: 0 } };
}
