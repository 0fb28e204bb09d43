/** Wires the page to the engine: the only place that knows both. Holds what the page shows and redraws it after every change. */
import type { AnswerEvent, EngineWorker, GenerateOptions, OpenProgress, StopReason } from '../engine/protocol';
import { sourceKey } from '../weights/model-source';
import { askToPersist } from '../weights/room';
import { AnswerClock } from './answer-clock';
import { catalogue } from './catalogue';
import { chooseAddress, chooseEntry, chooseFiles, chooseParam, chooseStored, type Choice } from './choice';
import { Conversation, type AssistantMessage } from './conversation';
import { toFailure, type Failure } from './failure';
import type { ModelStatus, PageAddress, PageView } from './page-data';
import { StorageTasks } from './storage-tasks';
import { Transfer } from './transfer';

const SAMPLING: GenerateOptions = { maxTokens: 1024, temperature: 0.7, topK: 40, topP: 0.95 };

export class Controller {
  #choice: Choice | undefined;
  #url = '';
  #status: ModelStatus = { kind: 'failed' };
  #failure: Failure | undefined;
  #conversation = new Conversation();
  #answering: AssistantMessage | undefined;
  /** Settles when the model last asked for is open, or false when it could not be opened. */
  #opening: Promise<boolean> = Promise.resolve(false);
  /** The engine's last answer, which has to end before the next may begin. */
  #running: Promise<void> = Promise.resolve();
  /** Answers whether the licence is accepted, while the visitor is asked. */
  #consent: ((accepted: boolean) => void) | undefined;
  readonly #storage: StorageTasks;

  constructor(
    private readonly page: PageView,
    private readonly engine: EngineWorker,
    private readonly address: PageAddress,
  ) {
    const { base } = address;
    this.#storage = new StorageTasks(engine, page, () => this.#update(), (failure) => this.#update(() => (this.#failure = failure)));
    page.on('ask', (text) => void this.#ask(text));
    page.on('stop', () => this.#stop());
    page.on('newChat', () => this.#newChat());
    page.on('shareState', () => void this.#shareState());
    page.on('openEntry', (entry) => this.#openOther(() => chooseEntry(entry, base)));
    page.on('openAddress', (typed) => this.#openOther(() => chooseAddress(typed, base)));
    page.on('openFiles', ({ files, handles }) => this.#openOther(() => chooseFiles(files, handles)));
    page.on('openStored', ({ url, name }) => this.#openOther(() => chooseStored(url, name, base)));
    page.on('pause', () => void engine.endOpening('pause'));
    page.on('discard', () => this.#discard());
    page.on('acceptLicence', () => this.#consent?.(true));
    page.on('declineLicence', () => this.#consent?.(false));
    page.on('verify', (model) => void this.#storage.verify(model));
    page.on('export', (model) => void this.#storage.export(model));
    page.on('endTask', () => void this.#storage.end());
    page.on('remove', (model) => void this.#storage.remove(model));
    page.on('retry', () => this.#open(() => this.#choice ?? chooseParam(address.model, base)));
    page.on('dismiss', () => this.#update(() => (this.#failure = undefined)));
  }

  start(): void {
    this.#open(() => chooseParam(this.address.model, this.address.base));
  }

  /** A saved state belongs to the model that it came with. */
  #openOther(choose: () => Choice): void {
    this.address.state = null;
    this.#open(choose);
  }

  /** An address that is none changes nothing but the message; the model that is open stays. */
  #open(choose: () => Choice): void {
    let choice: Choice;
    try {
      choice = choose();
    } catch (thrown) {
      this.#update(() => (this.#failure = toFailure(thrown)));
      return;
    }
    this.#newChat();
    this.#opening = this.#openChoice(choice);
  }

  async #openChoice(choice: Choice): Promise<boolean> {
    const { source, param } = choice;
    this.#consent?.(false);
    this.#update(() => {
      this.#choice = choice;
      this.#url = '';
      this.#status = { kind: 'opening', origin: source.kind };
    });
    if (source.kind !== 'files') this.address.model = param;
    try {
      if (!(await this.#accepted(choice))) return false;
      void askToPersist();
      if (source.kind === 'stored') await this.page.permit(await this.engine.handles(source.url));
      const model = await this.engine.open(source, this.address.device, this.#follow(choice));
      // A newer choice has taken over: its own outcome is the one to show.
      if (this.#choice !== choice) return false;
      if (source.kind === 'files') this.address.model = model.url;
      this.#url = model.url;
      this.#status = { kind: 'ready', info: model.info };
      await this.#openState(choice);
      return true;
    } catch (thrown) {
      if (this.#choice === choice) this.#fail(toFailure(thrown));
      return false;
    } finally {
      await this.#storage.list();
      this.#showKept(choice);
    }
  }

  /** Begins from the state that the address names. Without it, the conversation begins as any other. */
  async #openState(choice: Choice): Promise<void> {
    const { state, base } = this.address;
    if (state === null) return;
    try {
      const { messages } = await this.engine.openState(new URL(state, base).href);
      if (this.#choice === choice && !this.#answering) this.#conversation = new Conversation(messages);
    } catch (thrown) {
      if (this.#choice === choice) this.#failure = toFailure(thrown);
    }
  }

  async #shareState(): Promise<void> {
    const name = `${this.#choice?.name ?? 'conversation'}.state`;
    try {
      this.page.save(name, await this.engine.saveState(this.#conversation.said, {}));
    } catch (thrown) {
      this.#update(() => (this.#failure = toFailure(thrown)));
    }
  }

  /** What a paused download shows is what is kept: chunks that were on their way come again. */
  #showKept({ source }: Choice): void {
    if (this.#status.kind !== 'paused' || !this.#status.progress) return;
    const kept = this.#storage.models.find(({ url }) => url === sourceKey(source));
    const progress = { ...this.#status.progress, done: kept?.stored ?? 0 };
    this.#update(() => (this.#status = { kind: 'paused', progress }));
  }

  /** Takes the reports of an opening, with how fast it goes. */
  #follow(choice: Choice): (progress: OpenProgress) => void {
    const transfer = new Transfer();
    return (progress) => {
      if (this.#choice !== choice) return;
      this.#update(() => (this.#status = { kind: 'opening', origin: choice.source.kind, progress, figures: transfer.update(progress) }));
    };
  }

  /** Where makers ask that their licence is accepted, it is shown before the first byte. What is kept here was accepted. */
  async #accepted(choice: Choice): Promise<boolean> {
    const { entry, source } = choice;
    if (!entry?.licence.accept) return true;
    const stored = await this.engine.stored();
    if (stored.some(({ url }) => url === sourceKey(source))) return true;
    if (this.#choice !== choice) return false;
    const accepted = await new Promise<boolean>((resolve) => {
      this.#consent = resolve;
      this.#update(() => (this.#status = { kind: 'licence', entry }));
    });
    this.#consent = undefined;
    if (this.#choice === choice) this.#update(() => (this.#status = accepted ? { kind: 'opening', origin: source.kind } : { kind: 'failed' }));
    return accepted && this.#choice === choice;
  }

  /** A download that its visitor ended is no error. */
  #fail(fault: Failure): void {
    const progress = this.#status.kind === 'opening' ? this.#status.progress : undefined;
    this.#status = fault.code === 'paused' ? { kind: 'paused', progress } : { kind: 'failed' };
    this.#failure = fault.code === 'paused' || fault.code === 'discarded' ? undefined : fault;
  }

  /** Gives up a download that runs, or one that is paused. */
  #discard(): void {
    if (this.#status.kind !== 'paused') return void this.engine.endOpening('discard');
    const choice = this.#choice;
    this.#update(() => (this.#status = { kind: 'failed' }));
    const kept = choice && this.#storage.models.find(({ url }) => url === sourceKey(choice.source));
    if (kept) void this.#storage.remove(kept);
  }

  async #ask(text: string): Promise<void> {
    if (this.#answering || text.trim() === '') return;
    const conversation = this.#conversation;
    const answer = conversation.ask(text.trim());
    this.#update(() => {
      this.#answering = answer;
      this.#failure = undefined;
    });
    try {
      const opened = await this.#opening;
      await this.#running;
      if (opened && this.#answering === answer) {
        this.#running = this.#generate(conversation, answer);
        await this.#running;
      }
    } catch (thrown) {
      if (conversation === this.#conversation) this.#failure = toFailure(thrown);
    }
    // Nothing came: the model could not be opened, or failed, or was stopped before. The question goes back to its writer.
    const draft = answer.state.kind === 'waiting' && conversation === this.#conversation ? conversation.takeBack(answer) : '';
    this.#update(() => {
      if (this.#answering === answer) this.#answering = undefined;
    });
    this.page.restoreDraft(draft);
  }

  async #generate(conversation: Conversation, answer: AssistantMessage): Promise<void> {
    const clock = new AnswerClock();
    let stop: StopReason = 'cancelled';
    const onEvent = (event: AnswerEvent) => {
      if (event.type === 'prefill') {
        if (answer.text === '') answer.state = { kind: 'waiting', prefill: event };
      } else if (event.type === 'token') {
        clock.token();
        answer.text += event.text;
        answer.state = { kind: 'streaming' };
      } else if (event.type !== 'end') {
        if (this.#status.kind === 'ready') this.#status = { ...this.#status, rebuilding: event.type === 'rebuild' };
      } else {
        answer.text += event.text;
        stop = event.stop;
      }
      this.#update();
    };
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    try {
      await this.engine.generate(conversation.promptFor(answer), { ...SAMPLING, ...this.#choice?.entry?.sampling, seed }, onEvent);
    } catch (thrown) {
      if (answer.text !== '') answer.state = { kind: 'done', stop: 'cancelled', stats: clock.stats() };
      if (this.#status.kind === 'ready') this.#status = { ...this.#status, rebuilding: false };
      throw thrown;
    }
    // Stopped before the first word: it stays waiting, and the question is taken back.
    if (answer.text !== '' || stop !== 'cancelled') answer.state = { kind: 'done', stop, stats: clock.stats() };
  }

  /** Stops the answer; one that still waits for its model is given up at once. */
  #stop(): void {
    if (!this.#answering) return;
    if (this.#status.kind === 'ready') {
      void this.engine.stop();
    } else {
      const answer = this.#answering;
      const draft = this.#conversation.takeBack(answer);
      this.#update(() => (this.#answering = undefined));
      this.page.restoreDraft(draft);
    }
  }

  #newChat(): void {
    this.#stop();
    this.#update(() => {
      this.#answering = undefined;
      this.#conversation = new Conversation();
      this.#failure = undefined;
    });
  }

  #update(change?: () => void): void {
    change?.();
    this.page.update({
      url: this.#url,
      name: this.#choice?.name ?? '',
      entry: this.#choice?.entry,
      status: this.#status,
      messages: this.#conversation.messages,
      answering: this.#answering !== undefined,
      failure: this.#failure,
      catalogue,
      stored: this.#storage.models,
      room: this.#storage.room,
      task: this.#storage.task,
      base: this.address.base,
    });
  }
}
