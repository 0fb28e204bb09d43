/** The messages of one chat. Plain data; the page draws it, the engine answers it. */
import type { ChatMessage, StopReason } from '../engine/protocol';
import type { AnswerStats } from './answer-clock';

export type MessageState =
  /** No word yet. */
  | { kind: 'waiting'; prefill?: { done: number; total: number } }
  | { kind: 'streaming' }
  | { kind: 'done'; stop: StopReason; stats: AnswerStats };

export interface UserMessage {
  id: number;
  role: 'user';
  text: string;
}

export interface AssistantMessage {
  id: number;
  role: 'assistant';
  text: string;
  state: MessageState;
}

export type Message = UserMessage | AssistantMessage;

export class Conversation {
  readonly messages: Message[] = [];
  #nextId = 1;

  /** Adds a question and the place of its answer, which is returned. */
  ask(text: string): AssistantMessage {
    const answer: AssistantMessage = { id: this.#nextId + 1, role: 'assistant', text: '', state: { kind: 'waiting' } };
    this.messages.push({ id: this.#nextId, role: 'user', text }, answer);
    this.#nextId += 2;
    return answer;
  }

  /** Takes back an answer that never began, and its question, whose text is returned. */
  takeBack(answer: AssistantMessage): string {
    const index = this.messages.indexOf(answer);
    const [question] = index > 0 ? this.messages.splice(index - 1, 2) : [];
    return question?.text ?? '';
  }

  /** The conversation as the engine takes it, up to and without `answer`. */
  promptFor(answer: AssistantMessage): ChatMessage[] {
    const before = this.messages.slice(0, this.messages.indexOf(answer));
    return before.filter(({ text }) => text !== '').map(({ role, text }) => ({ role, content: text }));
  }
}
