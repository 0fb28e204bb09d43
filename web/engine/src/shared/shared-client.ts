/**
 * The engine's client of a model that several tabs share: one of them, the holder, has the worker and the weights; the others send it
 * their calls. Who holds is who has the model's lock, for which every tab waits: the browser gives it to the next when the holder is gone,
 * however it ended. The new holder opens the model from the store, and what was under way goes on there.
 */
import { failure, MambaError, toFailure } from '../base/failure.ts';
import { newId } from '../base/new-id.ts';
import { CALLS, type CallName, type EngineWorker } from '../protocol/calls.ts';
import type { AnswerEvent, AnswerOptions, BatchAnswerOptions, BatchEvent, DeviceOptions, OpenModel, OpenProgress, Prompt } from '../protocol/protocol.ts';
import type { ModelSource } from '../store/model-source.ts';
import type { ModelClient, StoppableCall } from '../client/client.ts';
import { ResumedAnswer } from '../client/resumed-answer.ts';
import { Holder } from './holder.ts';
import { tabLock, TabLink, type TabId, type TabMessage } from './tab-link.ts';

/** A call of this tab that is not over. */
interface Pending {
  readonly name: CallName;
  /** What is sent, without its listener; asked for again where another holder is to answer. */
  given(): readonly unknown[];
  onEvent(event: unknown): void;
  /** Another holder takes it on, by the model as that has it: false where it cannot go on. */
  moves(model: OpenModel): boolean;
  resolve(value: unknown): void;
  reject(reason: Error): void;
  /** Whom it was sent to. */
  holder?: TabId;
  isAborted?: boolean;
}

/** Whether tabs can share here: in a page that is not secure they cannot. */
export function canShare(): boolean {
  return typeof BroadcastChannel === 'function' && typeof navigator === 'object' && (navigator as { locks?: unknown }).locks !== undefined;
}

export interface SharedClient extends Omit<ModelClient, 'open' | 'generate' | 'generateBatch' | 'reading' | 'stop' | 'onCrash' | 'close'> {}

export class SharedClient implements ModelClient {
  static {
    const own = Object.getOwnPropertyNames(SharedClient.prototype);
    for (const name of (Object.keys(CALLS) as CallName[]).filter((each) => !own.includes(each))) {
      const value = function (this: SharedClient, ...given: unknown[]): Promise<unknown> {
        return this.#pass(name, given);
      };
      Object.defineProperty(SharedClient.prototype, name, { value, writable: true, configurable: true });
    }
  }

  readonly #tab = newId();
  readonly #name: string;
  readonly #link: TabLink;
  readonly #end = new AbortController();
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #device: DeviceOptions = {};
  /** Who takes calls now. */
  #holder: TabId | undefined;
  #held: Holder | undefined;
  #model: OpenModel | undefined;
  #opening: { source: ModelSource; onProgress(progress: OpenProgress): void; resolve(model: OpenModel): void; reject(reason: Error): void } | undefined;
  /** Why this tab does not wait for the lock any more: the next call tries again. */
  #failed: MambaError | undefined;

  /** `key` names the model, the same in every tab. */
  constructor(key: string, private readonly make: () => ModelClient) {
    this.#name = `web-mamba shared ${key}`;
    this.#link = new TabLink(this.#name, this.#tab);
    this.#link.listen((message, from) => this.#hear(message, from));
    // Others see by it whether this tab lives.
    navigator.locks.request(tabLock(this.#tab), () => new Promise<void>((free) => this.#atEnd(free))).catch(() => undefined);
  }

  /** Nothing of the holder's ends this client: what breaks there is opened again with the next call. */
  onCrash(): void {}

  async open(source: ModelSource, device: DeviceOptions, onProgress: (progress: OpenProgress) => void, signal?: AbortSignal): Promise<OpenModel> {
    signal?.throwIfAborted();
    this.#device = device;
    const model = new Promise<OpenModel>((resolve, reject) => (this.#opening = { source, onProgress, resolve, reject }));
    const abort = () => this.close();
    signal?.addEventListener('abort', abort);
    this.#waitForLock();
    this.#link.tell({ kind: 'join' });
    try {
      return await model;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#opening = undefined;
    }
  }

  generate(prompt: Prompt, options: AnswerOptions, onEvent: (event: AnswerEvent) => void, signal?: AbortSignal): Promise<void> {
    const answer = new ResumedAnswer(options);
    return this.#call({
      name: 'generate',
      given: () => [prompt, answer.resume()],
      onEvent: (event) => {
        const taken = answer.take(event as AnswerEvent);
        if (taken) onEvent(taken);
      },
      moves: (model) => {
        onEvent({ type: 'rebuild' });
        onEvent({ type: 'rebuilt', model });
        return true;
      },
    }, signal) as Promise<void>;
  }

  /** A batch of which something was given out does not go on at another holder. */
  generateBatch(prompts: Prompt[], options: BatchAnswerOptions, onEvent: (event: BatchEvent) => void, signal?: AbortSignal): Promise<void> {
    let isBegun = false;
    return this.#call({
      name: 'generateBatch',
      given: () => [prompts, options],
      onEvent: (event) => {
        isBegun = true;
        onEvent(event as BatchEvent);
      },
      moves: () => !isBegun,
    }, signal) as Promise<void>;
  }

  reading<Name extends StoppableCall>(name: Name, given: Parameters<EngineWorker[Name]>, signal?: AbortSignal): ReturnType<EngineWorker[Name]> {
    return this.#call({ name, given: () => given, onEvent: () => undefined, moves: () => true }, signal) as ReturnType<EngineWorker[Name]>;
  }

  /** Ends the calls of this tab alone. */
  stop(): Promise<void> {
    for (const pending of [...this.#pending.values()]) this.#abort(pending);
    return Promise.resolve();
  }

  /** Leaves the model to the other tabs, or frees it where there is none. Calls under way and later ones fail with `freed`. */
  close(): void {
    if (this.#end.signal.aborted) return;
    for (const [call, { holder }] of this.#pending) if (holder !== undefined) this.#link.post(holder, { kind: 'abort', call });
    this.#link.close();
    this.#held?.close();
    this.#end.abort();
    this.#fail(failure('freed'));
  }

  #pass(name: CallName, given: readonly unknown[]): Promise<unknown> {
    const { listener } = CALLS[name];
    const listen = listener === undefined ? undefined : (given[listener] as (event: unknown) => void);
    return this.#call({ name, given: () => given.filter((_, at) => at !== listener), onEvent: (event) => listen?.(event), moves: () => true });
  }

  async #call(call: Pick<Pending, 'name' | 'given' | 'onEvent' | 'moves'>, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#end.signal.aborted) throw failure('freed');
    if (this.#failed) this.#waitForLock();
    let pending: Pending | undefined;
    const result = new Promise<unknown>((resolve, reject) => (pending = { ...call, resolve, reject }));
    const abort = () => pending && this.#abort(pending);
    signal?.addEventListener('abort', abort);
    try {
      if (pending) this.#send(pending);
      return await result;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** To the holder, or to the next one. Each time by another number: what a former holder still says of it is of no account. */
  #send(pending: Pending): void {
    this.#calls += 1;
    this.#pending.set(this.#calls, pending);
    delete pending.holder;
    if (this.#holder === undefined) return;
    pending.holder = this.#holder;
    this.#link.post(this.#holder, { kind: 'call', call: this.#calls, name: pending.name, given: pending.given() });
  }

  #abort(pending: Pending): void {
    pending.isAborted = true;
    const [call] = [...this.#pending].find(([, each]) => each === pending) ?? [];
    if (call === undefined) return;
    if (pending.holder !== undefined && pending.holder === this.#holder) this.#link.post(pending.holder, { kind: 'abort', call });
    else this.#settle(call)?.resolve(undefined);
  }

  #settle(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    return pending;
  }

  #hear(message: TabMessage, from: TabId): void {
    switch (message.kind) {
      case 'opening':
        if (from !== this.#holder) this.#holder = undefined;
        if (from !== this.#tab && message.progress) this.#opening?.onProgress(message.progress);
        break;
      case 'held':
        this.#follow(from, message.model);
        break;
      case 'event':
        this.#pending.get(message.call)?.onEvent(message.event);
        break;
      case 'done':
        this.#settle(message.call)?.resolve(message.value);
        break;
      case 'failed':
        this.#settle(message.call)?.reject(new MambaError(message.report));
        break;
      default:
    }
  }

  /** Calls go to this holder from now on, those under way at another too. */
  #follow(holder: TabId, model: OpenModel): void {
    this.#holder = holder;
    this.#model = model;
    this.#opening?.resolve(model);
    for (const [call, pending] of [...this.#pending]) {
      if (pending.holder === holder) continue;
      this.#settle(call);
      if (pending.isAborted) pending.resolve(undefined);
      else if (pending.holder === undefined || pending.moves(model)) this.#send(pending);
      else pending.reject(failure('tab-closed', { name: model.name }));
    }
  }

  /** Every tab waits to become the holder; a failure to open lets the next one try. */
  #waitForLock(): void {
    this.#failed = undefined;
    const hold = async () => {
      // Without a source, its own opening has failed, and nobody has asked since.
      const source: ModelSource | undefined = this.#model ? { kind: 'stored', url: this.#model.url } : this.#opening?.source;
      if (this.#end.signal.aborted || !source) return;
      try {
        this.#held = new Holder(this.#link, this.make(), this.#device);
        await this.#held.open(source, (progress) => this.#opening?.onProgress(progress));
        await new Promise<void>((free) => this.#atEnd(free));
      } catch (thrown) {
        this.#held?.close();
        this.#held = undefined;
        this.#failed = toFailure(thrown);
        this.#fail(this.#failed);
      }
    };
    // It rejects where this client is closed while it waits.
    navigator.locks.request(this.#name, { signal: this.#end.signal }, hold).catch(() => undefined);
  }

  #fail(reason: Error): void {
    this.#opening?.reject(reason);
    for (const call of [...this.#pending.keys()]) this.#settle(call)?.reject(reason);
  }

  #atEnd(then: () => void): void {
    if (this.#end.signal.aborted) then();
    else this.#end.signal.addEventListener('abort', () => then(), { once: true });
  }
}
