/**
 * The model that is open in the supervised worker: which it is, what its end is to those who use it, and how it is opened again. That
 * happens by itself only where a GPU was in use: a call of the browser's that throws there breaks the engine, and the same model may
 * well run on another device, or on the CPU. It happens at most once for each of the two, so that no model breaks the engine for ever.
 */
import { proxy, type Remote } from 'comlink';
import { failure, toFailure, type MambaError } from '../base/failure.ts';
import { CALLS, type CallName, type EngineWorker } from '../protocol/calls.ts';
import type { AnswerEvent, AnswerOptions, DeviceOptions, OpenModel, OpenProgress, Prompt } from '../protocol/protocol.ts';
import { sourceKey, sourceName, storedName, type ModelSource } from '../store/model-source.ts';
import { startFailure } from './refusals.ts';
import { ResumedAnswer } from './resumed-answer.ts';
import { Crash, WorkerSupervisor, type SupervisedWorker } from './supervisor.ts';

/** Tokens that the CPU reads in one step, and bytes of weights that the slowest device worth waiting for multiplies with a token in a second. */
const STEP_TOKENS = 32;
const LEAST_BYTES_PER_SECOND = 4e9;

type Calls = Remote<EngineWorker>;
type Follow<T> = (value: T) => void;

interface Subject {
  name: string;
  source: ModelSource;
  device: DeviceOptions;
  /** Once it is open. */
  model?: OpenModel;
}

/** The answer that goes on in another worker, should its own break. */
interface Carried {
  stopped: boolean;
  /** Workers that broke under it. */
  breaks: number;
}

export class ModelHost {
  /** Called when the open model is open no more. Calls under way fail with the same. */
  onCrash: (fault: MambaError) => void = () => undefined;
  readonly #worker: WorkerSupervisor<EngineWorker>;
  #opens = 0;
  /** Calls under way that run the model, and do not go on where it is lost. */
  #uses = 0;
  #subject: Subject | undefined;
  #carried: Carried | undefined;
  /** While the model is opened again in the middle of an answer. */
  #reopening: Promise<OpenModel> | undefined;
  /** What became of the model that was open last. */
  #lost: MambaError | undefined;
  /** What each crash is to those whose calls it ended. */
  readonly #faults = new WeakMap<Crash, MambaError>();
  /** Of models that broke the engine on the GPU, by key: where the device may be chosen, they are opened on the CPU in this visit. */
  readonly #gpuProblems = new Map<string, string>();

  constructor(start: () => SupervisedWorker, private readonly hasGpu: () => Promise<boolean>) {
    this.#worker = new WorkerSupervisor(start, (crash) => this.#crashed(crash), () => this.#stepSeconds());
    this.#worker.warmUp();
  }

  /** Passes a call on as its description says. */
  pass(name: CallName, given: readonly unknown[]): Promise<unknown> {
    const { kind, listener } = CALLS[name];
    const make = (remote: Calls) => {
      const sent = given.map((each, at) => (at === listener ? this.listener(each as Follow<unknown>) : each));
      return (remote[name] as (...sent: readonly unknown[]) => Promise<unknown>)(...sent);
    };
    if (kind === 'prompt') return this.promptly(make as (remote: Calls) => Promise<void>);
    return kind === 'model' ? this.ofModel(make) : this.call(make);
  }

  /** Ends the worker: every call fails with `freed`. */
  close(): void {
    this.#worker.close(failure('freed'));
  }

  async call<T>(make: (remote: Calls) => Promise<T>): Promise<T> {
    return this.#said(() => this.#worker.call(make));
  }

  /** A call that ends something. A worker that does not answer it is ended itself. */
  async promptly(make: (remote: Calls) => Promise<void>): Promise<void> {
    return this.#said(() => this.#worker.promptly(make));
  }

  /** A call that needs the open model: it waits while that is opened again, and fails with what became of it. */
  async ofModel<T>(make: (remote: Calls) => Promise<T>): Promise<T> {
    await this.#reopening?.catch(() => undefined);
    if (!this.#subject && this.#lost) throw this.#lost;
    this.#uses += 1;
    return this.call(make).finally(() => (this.#uses -= 1));
  }

  /** A listener as a worker can call it. What it throws is the page's own, and ends no call. */
  listener<Event>(listen: Follow<Event>): Follow<Event> {
    return proxy((event: Event) => {
      this.#worker.heard();
      try {
        listen(event);
      } catch (thrown) {
        reportError(thrown);
      }
    });
  }

  async open(source: ModelSource, device: DeviceOptions, onProgress: Follow<OpenProgress>): Promise<OpenModel> {
    this.#opens += 1;
    const mine = this.#opens;
    // A worker that is lost in what it does is replaced before another model goes into it.
    await this.stop();
    if (mine !== this.#opens) throw failure('cancelled');
    const subject: Subject = { name: source.kind === 'stored' ? storedName(source.url) : sourceName(source), source, device };
    this.#subject = subject;
    this.#lost = undefined;
    this.#worker.forgetSilence();
    try {
      return await this.#said(() => this.#open(subject, onProgress));
    } catch (thrown) {
      if (this.#subject === subject) [this.#subject, this.#lost] = [undefined, toFailure(thrown)];
      throw thrown;
    }
  }

  stop(): Promise<void> {
    if (this.#carried) this.#carried.stopped = true;
    return this.promptly((remote) => remote.stop());
  }

  async generate(prompt: Prompt, options: AnswerOptions, onEvent: Follow<AnswerEvent>): Promise<void> {
    await this.#reopening?.catch(() => undefined);
    const subject = this.#subject;
    // A second answer is refused by the worker, and the first goes on. Where the model is ends with its worker: what goes on from there, and from no state that can be gone back to, does so too.
    if (!subject?.model || this.#carried || (options.resume && !options.state)) return this.ofModel((remote) => remote.generate(prompt, options, this.listener(onEvent)));
    const carried = (this.#carried = { stopped: false, breaks: 0 });
    try {
      await this.#said(() => this.#carry(subject, carried, prompt, options, onEvent));
    } catch (thrown) {
      // Where it could not be opened again, nothing is open any more.
      if (carried.breaks > 0) this.#lose(subject, toFailure(thrown));
      throw thrown;
    } finally {
      this.#carried = undefined;
    }
  }

  async #carry(subject: Subject, carried: Carried, prompt: Prompt, options: AnswerOptions, onEvent: Follow<AnswerEvent>): Promise<void> {
    const answer = new ResumedAnswer(options);
    for (;;) {
      let [isLive, asked] = [true, answer.resume()];
      const listener = this.listener((event: AnswerEvent) => {
        // Words of a worker that was ended may still be on their way: they are written again.
        const taken = isLive ? answer.take(event) : undefined;
        if (taken) onEvent(taken);
      });
      try {
        return await this.#worker.call((remote) => remote.generate(prompt, asked, listener));
      } catch (thrown) {
        isLive = false;
        if (!(thrown instanceof Crash) || !this.#goesOn(subject, carried, thrown)) throw thrown;
        onEvent({ type: 'rebuild' });
        carried.breaks += 1;
        this.#reopening = this.#reopen(subject, carried, thrown);
        // Calls that wait for it fail by themselves.
        this.#reopening.catch(() => undefined);
        const model = await this.#reopening.finally(() => (this.#reopening = undefined));
        onEvent({ type: 'rebuilt', model });
        if (carried.stopped) return;
      }
    }
  }

  /** Whether an answer whose worker broke goes on in another: on the GPU once more, and on the CPU after that. */
  #goesOn({ device, model }: Subject, { stopped, breaks }: Carried, { kind }: Crash): boolean {
    return kind === 'fault' && !stopped && model?.info.backend === 'webgpu' && breaks < (isFree(device) ? 2 : 1);
  }

  #reopen(subject: Subject, { breaks }: Carried, { detail }: Crash): Promise<OpenModel> {
    const url = subject.model?.url ?? '';
    subject.source = { kind: 'stored', url };
    if (breaks > 1) this.#gpuProblems.set(url, detail);
    return this.#open(subject, () => undefined);
  }

  /** Where the device may be chosen and the engine breaks on the GPU, the model is opened on the CPU. */
  async #open(subject: Subject, onProgress: Follow<OpenProgress>): Promise<OpenModel> {
    const key = sourceKey(subject.source);
    const known = isFree(subject.device) ? this.#gpuProblems.get(key) : undefined;
    if (known !== undefined) return this.#openOn(subject, onProgress, known);
    try {
      return await this.#openOn(subject, onProgress);
    } catch (thrown) {
      const again = thrown instanceof Crash && thrown.kind === 'fault' && isFree(subject.device) && (await this.hasGpu());
      if (!again || this.#subject !== subject) throw thrown;
      const model = await this.#openOn(subject, onProgress, thrown.detail);
      this.#gpuProblems.set(key, thrown.detail);
      return model;
    }
  }

  /** With a problem of the GPU's, on the CPU. */
  async #openOn(subject: Subject, onProgress: Follow<OpenProgress>, gpuProblem?: string): Promise<OpenModel> {
    const { source, device } = subject;
    const isOnCpu = gpuProblem !== undefined;
    const opening = this.#worker.call((remote) => remote.open(source, isOnCpu ? { ...device, backend: 'cpu' } : device, this.listener(onProgress)));
    const model = { ...(await opening), ...(isOnCpu ? { gpuProblem } : {}) };
    subject.model = model;
    subject.name = model.name;
    return model;
  }

  #crashed(crash: Crash): void {
    const subject = this.#subject;
    const fault = faultOf(crash, subject);
    this.#faults.set(crash, fault);
    const isHandled = this.#reopening || (subject && this.#carried && this.#goesOn(subject, this.#carried, crash));
    // While it is opened, the opening fails by itself.
    if (!subject?.model || isHandled) return;
    const isGpuProblem = crash.kind === 'fault' && this.#uses > 0 && subject.model.info.backend === 'webgpu';
    // Whoever tries again is to get on.
    if (isGpuProblem) this.#gpuProblems.set(sourceKey(subject.source), crash.detail);
    this.#lose(subject, fault);
  }

  #lose(subject: Subject, fault: MambaError): void {
    if (this.#subject !== subject) return;
    this.#subject = undefined;
    this.#lost = fault;
    this.onCrash(fault);
  }

  async #said<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw (thrown instanceof Crash && this.#faults.get(thrown)) || toFailure(thrown);
    }
  }

  #stepSeconds(): number {
    const info = this.#subject?.model?.info;
    return info?.backend === 'cpu' ? (STEP_TOKENS * info.bytesPerToken) / LEAST_BYTES_PER_SECOND : 0;
  }
}

function isFree({ backend }: DeviceOptions): boolean {
  return backend === undefined || backend === 'auto';
}

function faultOf({ kind, detail }: Crash, subject: Subject | undefined): MambaError {
  if (kind === 'start') return startFailure(detail);
  if (!subject) return failure('engine-restarted', {}, detail);
  const { name, device, model } = subject;
  if (kind === 'silent') return failure('engine-silent', { name }, detail);
  const isOnGpu = model ? model.info.backend === 'webgpu' : !isFree(device) && device.backend !== 'cpu';
  return failure(isOnGpu ? 'engine-crashed-gpu' : 'engine-crashed', { name }, detail);
}
