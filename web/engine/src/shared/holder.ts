/** The tab that holds a shared model: it opens it in its worker, and makes the calls of every tab in turn. */
import { failure, toFailure, type MambaError } from '../base/failure.ts';
import { CALLS, type CallName } from '../protocol/calls.ts';
import type { AnswerEvent, AnswerOptions, DeviceOptions, OpenModel, OpenProgress } from '../protocol/protocol.ts';
import type { ModelSource } from '../store/model-source.ts';
import type { ModelClient } from '../client/client.ts';
import { tabLock, type TabId, type TabLink, type TabMessage } from './tab-link.ts';

/** Calls that leave the state alone, whoever makes them. */
const STATELESS: readonly CallName[] = [
  'tokenize', 'promptTokens', 'detokenize', 'chatTemplate', 'applyChatTemplate', 'score', 'perplexity', 'embed', 'readState', 'stateFile',
];
/** Calls of the client's that take a signal; others end with `stop`. */
const SIGNALLED: readonly CallName[] = ['generate', 'generateBatch'];

type AnyCall = (...given: readonly unknown[]) => Promise<unknown>;

/** Whether a call is about the state that the model is in. */
function needsState(name: CallName, given: readonly unknown[]): boolean {
  const [, options] = given as [unknown, AnswerOptions | undefined];
  return name === 'takeState' || ((name === 'generate' || name === 'read') && options?.resume === true && !options.state);
}

export class Holder {
  #model: OpenModel | undefined;
  /** The engine broke: the next call opens the model again. */
  #broken: MambaError | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Whose text the model's state is of. */
  #current: TabId | undefined;
  /** Where other tabs left the model, as state files: each goes on from its own text. */
  readonly #left = new Map<TabId, Blob>();
  /** The calls of each tab that are not over, by their numbers. */
  readonly #calls = new Map<TabId, Map<number, AbortController>>();
  /** Ends the watch over other tabs. */
  readonly #watch = new AbortController();

  constructor(private readonly link: TabLink, private readonly client: ModelClient, private readonly device: DeviceOptions) {
    client.onCrash((fault) => (this.#broken = fault));
    link.listen((message, from) => this.#hear(message, from));
  }

  /** Opens the model for all. A failure is the opener's. */
  async open(source: ModelSource, onProgress: (progress: OpenProgress) => void): Promise<void> {
    this.link.tell({ kind: 'opening' });
    this.#model = await this.client.open(source, this.device, (progress) => {
      onProgress(progress);
      this.link.tell({ kind: 'opening', progress });
    });
    this.link.tell({ kind: 'held', model: this.#model });
  }

  close(): void {
    this.#watch.abort();
    this.client.close();
  }

  #hear(message: TabMessage, from: TabId): void {
    if (this.#watch.signal.aborted) return;
    if (message.kind === 'join' && from !== this.link.tab) this.link.post(from, this.#model ? { kind: 'held', model: this.#model } : { kind: 'opening' });
    else if (message.kind === 'abort') this.#calls.get(from)?.get(message.call)?.abort();
    else if (message.kind === 'call') void this.#serve(from, message);
  }

  async #serve(from: TabId, { call, name, given }: TabMessage & { kind: 'call' }): Promise<void> {
    const control = new AbortController();
    this.#callsOf(from).set(call, control);
    const answer = this.#turn.then(() => this.#run(from, call, name, given, control.signal));
    this.#turn = answer.catch(() => undefined);
    try {
      this.link.post(from, { kind: 'done', call, value: await answer });
    } catch (thrown) {
      this.link.post(from, { kind: 'failed', call, report: toFailure(thrown).report() });
    } finally {
      this.#calls.get(from)?.delete(call);
    }
  }

  async #run(from: TabId, call: number, name: CallName, given: readonly unknown[], signal: AbortSignal): Promise<unknown> {
    if (signal.aborted) return undefined;
    if (this.#broken && this.#model) {
      this.#model = await this.client.open({ kind: 'stored', url: this.#model.url }, this.device, () => undefined, signal);
      this.#broken = undefined;
      this.#current = undefined;
    }
    const isElsewhere = !STATELESS.includes(name) && (await this.#turnTo(from, needsState(name, given)));
    const { listener } = CALLS[name];
    const sent = [...given];
    if (listener !== undefined) sent[listener] = (event: unknown) => this.#report(from, call, event);
    const isSignalled = SIGNALLED.includes(name);
    if (isSignalled) sent.push(signal);
    else signal.addEventListener('abort', () => void this.client.stop().catch(() => undefined));
    try {
      return await (this.client[name] as unknown as AnyCall).apply(this.client, sent);
    } catch (thrown) {
      // The model may be where another tab left it.
      if (isElsewhere) this.#current = undefined;
      throw thrown;
    }
  }

  /**
   * Keeps where the tab before left the model; takes it to where this one did, if that is gone on from. Whether it stays where
   * another tab left it.
   */
  async #turnTo(tab: TabId, goesOn: boolean): Promise<boolean> {
    const isElsewhere = this.#current !== tab && !goesOn;
    if (this.#current !== tab) {
      const kept = this.#left.get(tab);
      if (goesOn && !kept) throw failure('state-unknown');
      // Of a model that has read nothing there is nothing to keep.
      const left = this.#current === undefined ? undefined : await this.client.takeState().catch(() => undefined);
      if (left && this.#current !== undefined) this.#left.set(this.#current, left.file);
      this.#current = undefined;
      if (goesOn && kept) await this.client.restoreState(kept);
    }
    this.#left.delete(tab);
    this.#current = tab;
    return isElsewhere;
  }

  #report(to: TabId, call: number, event: unknown): void {
    const { type, model } = (event ?? {}) as Partial<AnswerEvent & { model?: OpenModel }>;
    if (type === 'rebuilt' && model) this.#model = model;
    this.link.post(to, { kind: 'event', call, event });
  }

  /** With the watch over a tab that is new: nobody waits for the answers of one that is gone. */
  #callsOf(tab: TabId): Map<number, AbortController> {
    const known = this.#calls.get(tab);
    if (known) return known;
    const calls = new Map<number, AbortController>();
    this.#calls.set(tab, calls);
    const gone = () => {
      for (const control of calls.values()) control.abort();
      this.#calls.delete(tab);
      this.#left.delete(tab);
    };
    // Of this tab itself there is no need to know, and it rejects where the watch ends first.
    if (tab !== this.link.tab) navigator.locks.request(tabLock(tab), { signal: this.#watch.signal }, gone).catch(() => undefined);
    return calls;
  }
}
