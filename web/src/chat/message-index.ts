/** Where each message of a conversation stands: found by id, by what it follows, and on its branch, without a search for every token. */
import type { Message } from '../data/conversation-record';
import type { Branches } from './conversation';

export class MessageIndex {
  readonly #byId = new Map<number, Message>();
  readonly #following = new Map<number | null, Message[]>();
  #most = 0;

  constructor(messages: readonly Message[]) {
    messages.forEach((message) => this.add(message));
  }

  add(message: Message): void {
    const { id, parent } = message;
    this.#byId.set(id, message);
    const beside = this.#following.get(parent);
    if (beside) beside.push(message);
    else this.#following.set(parent, [message]);
    this.#most = Math.max(this.#most, id);
  }

  get nextId(): number {
    return this.#most + 1;
  }

  find(id: number | null): Message | undefined {
    return id === null ? undefined : this.#byId.get(id);
  }

  /** What follows a message (null: what begins the conversation), oldest first. */
  following(id: number | null): readonly Message[] {
    return this.#following.get(id) ?? [];
  }

  branches({ id, parent, role }: Message): Branches {
    const ids = this.following(parent).filter((each) => each.role === role).map((each) => each.id);
    return { index: ids.indexOf(id), ids };
  }

  /** From the first question to a message. */
  pathTo(id: number | null): Message[] {
    const path: Message[] = [];
    for (let at = this.find(id); at; at = this.find(at.parent)) path.push(at);
    return path.reverse();
  }
}
