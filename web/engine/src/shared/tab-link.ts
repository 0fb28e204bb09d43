/** What the tabs that share a model say to each other: plain data over a `BroadcastChannel`, each message to one tab or to all others. */
import type { FailureReport } from '../base/failure.ts';
import type { CallName } from '../protocol/calls.ts';
import type { OpenModel, OpenProgress } from '../protocol/protocol.ts';

/** Names one sharer: a page may load the same model twice. */
export type TabId = string;

export type TabMessage =
  /** Asks who holds the model. */
  | { kind: 'join' }
  /** The sender has become the holder, and opens the model. */
  | { kind: 'opening'; progress?: OpenProgress }
  /** The sender holds the model, and takes calls. */
  | { kind: 'held'; model: OpenModel }
  | { kind: 'call'; call: number; name: CallName; given: readonly unknown[] }
  /** Ends a call; its result comes all the same. */
  | { kind: 'abort'; call: number }
  | { kind: 'event'; call: number; event: unknown }
  | { kind: 'done'; call: number; value: unknown }
  | { kind: 'failed'; call: number; report: FailureReport };

type Listener = (message: TabMessage, from: TabId) => void;

interface Envelope {
  from: TabId;
  /** Every other tab without it. */
  to?: TabId;
  message: TabMessage;
}

/** The lock that a tab holds as long as it lives. */
export const tabLock = (tab: TabId): string => `web-mamba tab ${tab}`;

export class TabLink {
  readonly #channel: BroadcastChannel;
  readonly #listeners: Listener[] = [];
  #isClosed = false;

  constructor(name: string, readonly tab: TabId) {
    this.#channel = new BroadcastChannel(name);
    this.#channel.addEventListener('message', ({ data }: MessageEvent<Envelope>) => {
      if (data.to === undefined || data.to === tab) this.#hear(data.message, data.from);
    });
  }

  listen(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** A message to one tab, which may be this one. */
  post(to: TabId, message: TabMessage): void {
    if (this.#isClosed) return;
    if (to === this.tab) queueMicrotask(() => this.#hear(message, to));
    else this.#channel.postMessage({ from: this.tab, to, message } satisfies Envelope);
  }

  /** A message to all tabs, this one included. */
  tell(message: TabMessage): void {
    if (this.#isClosed) return;
    this.#channel.postMessage({ from: this.tab, message } satisfies Envelope);
    queueMicrotask(() => this.#hear(message, this.tab));
  }

  /** What was posted before still arrives. */
  close(): void {
    this.#isClosed = true;
    this.#channel.close();
  }

  #hear(message: TabMessage, from: TabId): void {
    if (!this.#isClosed) for (const listener of this.#listeners) listener(message, from);
  }
}
