/** The messages of one chat. Plain data; the page draws it, the engine answers it. */
import type { ChatMessage, StopReason } from '../engine/protocol';
import type { AnswerStats } from './answer-clock';

export type MessageState =
  /** No word yet. */
  | { kind: 'waiting'; prefill?: { done: number; total: number } }
  | { kind: 'streaming' }
  | { kind: 'done'; stop: StopReason; stats: AnswerStats }
  /** It was written elsewhere, and came with a saved state. */
  | { kind: 'told' };

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
  /** What a model was told before the first message, and nobody is shown. */
  readonly #before: ChatMessage[] = [];
  #nextId = 1;

  /** `told` is a conversation that goes on: what visitor and model said in it is shown. */
  constructor(told: readonly ChatMessage[] = []) {
    for (const { role, content: text } of told) {
      const id = this.#nextId;
      if (role === 'user') this.messages.push({ id, role, text });
      else if (role === 'assistant') this.messages.push({ id, role, text, state: { kind: 'told' } });
      // Templates know no such words between two turns.
      else if (this.messages.length === 0) this.#before.push({ role, content: text });
      this.#nextId += 1;
    }
  }

  /** Everything that was said, as the engine takes it. */
  get said(): ChatMessage[] {
    return this.#prompt(this.messages);
  }

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
    return this.#prompt(this.messages.slice(0, this.messages.indexOf(answer)));
  }

  #prompt(messages: readonly Message[]): ChatMessage[] {
    return [...this.#before, ...messages.filter(({ text }) => text !== '').map(({ role, text }) => ({ role, content: text }))];
  }
}
