/** The running generation of one or more sequences: drives the engine's events, which let the worker's messages through between tokens. */
import type { ConstraintOptions, EngineModel } from '../base/wasm-engine.ts';
import type {
  AnswerEvent, BatchEvent, BatchOptions, GenerateEvent, GenerateOptions, KnownEvent, OpenModel, Prompt, RebuildEvent,
} from '../protocol/protocol.ts';
import type { DurableCheckpoints } from '../state/durable-checkpoints.ts';
import type { DutyCycle } from './duty-cycle.ts';
import { continuationOf, joined, tokensOf } from './prompt-tokens.ts';

/** A device, or a worker, that is lost this often without a token in between would be lost again. */
const MOST_LOSSES = 3;
/** What an answer goes on after, once the model is loaded again. */
const LOSSES: ReadonlySet<string> = new Set(['device-lost', 'worker']);
/** The most sequences that run at once by default. */
const SEQUENCES = 8;

export interface GenerationHelp {
  /** Keeps checkpoints beyond this page. */
  checkpoints?: DurableCheckpoints;
  /** Loads the model again, on a new device or with new workers. */
  rebuild?: () => Promise<OpenModel | undefined>;
  /** How much of the time it works. */
  dutyCycle?: DutyCycle;
}

/** What reading a prompt ahead of its answer took. */
interface Read {
  tokens: number;
  seconds: number;
}

/** With what decides its tokens. */
type HeldOptions = BatchOptions & ConstraintOptions;

export class Generation {
  #events: AsyncIterator<GenerateEvent> | undefined;
  #stopped = false;

  constructor(
    private readonly model: EngineModel,
    private readonly help: GenerationHelp = {},
  ) {}

  /**
   * Completions of one prompt, whose prefill the engine runs once, or of prompts that differ. `written` are the first tokens of each,
   * where another engine has given them out.
   */
  async run(prompts: Prompt[], options: HeldOptions, onEvent: (event: BatchEvent) => void, written?: Uint32Array): Promise<void> {
    if (options.resume) return this.#goOn(prompts, options, onEvent, written);
    const checkpoints = this.#checkpointsFor(options);
    const tokens = prompts.map((prompt) => joined(tokensOf(this.model, prompt, options), written));
    const [first] = tokens;
    if (!checkpoints || !first) await this.#write(tokens, options, onEvent);
    else if (tokens.every((each) => areEqual(each, first))) await this.#runOnOnePrompt(tokens, first, options, checkpoints, onEvent);
    else await this.#runInGroups(tokens, options, checkpoints, onEvent);
    await this.help.checkpoints?.settle();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.help.dutyCycle?.wake();
    await this.#events?.return?.();
  }

  /** Where nothing is to be known, the store has nothing to add. */
  #checkpointsFor({ reuse }: GenerateOptions): DurableCheckpoints | undefined {
    return reuse === false ? undefined : this.help.checkpoints;
  }

  /** From where the model is, of which the store knows nothing. */
  async #goOn(prompts: Prompt[], options: HeldOptions, onEvent: (event: BatchEvent) => void, written?: Uint32Array): Promise<void> {
    await this.#write(prompts.map((prompt) => continuationOf(this.model, prompt, options, written)), options, onEvent);
    await this.help.checkpoints?.settle();
  }

  /** Whoever asked will go on from one of the ends. */
  async #runOnOnePrompt(
    prompts: Uint32Array[], first: Uint32Array, options: HeldOptions, checkpoints: DurableCheckpoints, onEvent: (event: BatchEvent) => void,
  ): Promise<void> {
    const isOne = prompts.length === 1;
    await checkpoints.prepare(first);
    if (isOne) this.#tellKnown(first, (event) => onEvent(numbered(event, 0)));
    let reading = false;
    await this.#write(prompts, options, (event) => {
      reading = event.type === 'prefill' && event.done < event.total;
      onEvent(event);
    });
    if (this.#stopped && reading && isOne) await checkpoints.keepNow();
  }

  /**
   * Prompts that differ, the parts of a document: each has its prefill before the sequences of its group are decoded as a batch.
   * The engine reads one after the other in any case, and so what is read outlives a pause and the page. The states of an answer
   * that has ended are forgotten: who asked has it then.
   */
  async #runInGroups(prompts: Uint32Array[], options: HeldOptions, checkpoints: DurableCheckpoints, onEvent: (event: BatchEvent) => void): Promise<void> {
    const { sequences = SEQUENCES, seed } = options;
    for (let first = 0; first < prompts.length && !this.#stopped; first += sequences) {
      const group = prompts.slice(first, first + sequences);
      const took: Read[] = [];
      for (const [at, tokens] of group.entries()) {
        if (!this.#stopped) took.push(await this.#read(tokens, checkpoints, (event) => onEvent(numbered(event, first + at))));
      }
      if (this.#stopped) break;
      // An answer draws by its number, whatever group it is in.
      await this.#write(group, { ...options, ...(seed === undefined ? {} : { seed: seed + first }) }, (event) => {
        if (!('index' in event)) return onEvent(event);
        onEvent({ ...whole(event, took[event.index]), index: first + event.index });
        const tokens = group[event.index];
        if (event.type === 'end' && event.stop !== 'cancelled' && tokens) checkpoints.forget(tokens);
      });
    }
  }

  /** Reads a prompt up to where its answer begins, and writes nothing. */
  async #read(tokens: Uint32Array, checkpoints: DurableCheckpoints, onEvent: (event: AnswerEvent) => void): Promise<Read> {
    await checkpoints.prepare(tokens);
    const known = this.#tellKnown(tokens, onEvent);
    const began = performance.now();
    if (!checkpoints.isWorthReading(tokens.length - known)) return { tokens: 0, seconds: 0 };
    let done = known;
    await this.#follow(this.model.generateBatch([tokens], { maxTokens: 0, sequences: 1 }), (event) => {
      if (event.type === 'prefill') done = event.done;
      if (event.type !== 'end') onEvent(event);
      // The checkpoint before the last token is there. One after it would serve nobody.
      return event.type !== 'prefill' || event.done < event.total;
    });
    if (done > known && done < tokens.length) await checkpoints.keepNow();
    return { tokens: done - known, seconds: (performance.now() - began) / 1000 };
  }

  #tellKnown(tokens: Uint32Array, onEvent: (event: KnownEvent) => void): number {
    const known = this.model.knownTokens(tokens);
    if (known > 0) onEvent({ type: 'known', tokens: known });
    return known;
  }

  async #write(prompts: Prompt[], options: HeldOptions, onEvent: (event: BatchEvent) => void): Promise<void> {
    await this.#follow(this.model.generateBatch(prompts, options), (event) => {
      onEvent(event);
      return true;
    });
  }

  /** Takes the events as long as `onEvent` says so, keeps the checkpoints on the way, and goes on upon another device, or with other workers, where one is lost. */
  async #follow<Event extends GenerateEvent>(events: AsyncIterator<Event>, onEvent: (event: Event | RebuildEvent) => boolean): Promise<void> {
    this.#events = events;
    // Stopped before it began, while the store was asked.
    if (this.#stopped) return void (await events.return?.());
    let losses = 0;
    for (;;) {
      try {
        const began = performance.now();
        const { done, value } = await events.next();
        if (done) return;
        if (value.type === 'token') losses = 0;
        const more = onEvent(value);
        this.help.checkpoints?.collect();
        if (!more) return void (await events.return?.());
        if (value.type !== 'end') await this.help.dutyCycle?.rest(performance.now() - began);
      } catch (thrown) {
        losses += 1;
        const { code } = thrown as { code?: string };
        if (!LOSSES.has(code ?? '') || !this.help.rebuild || losses > MOST_LOSSES) throw thrown;
        onEvent({ type: 'rebuild' });
        onEvent({ type: 'rebuilt', model: await this.help.rebuild() });
      }
    }
  }
}

function areEqual(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((token, at) => token === b[at]);
}

/** An event of an answer that is the only one. */
export function withoutIndex(event: BatchEvent): AnswerEvent {
  if (!('index' in event)) return event;
  const { index: _, ...alone } = event;
  return alone;
}

/** The event of an answer that has a number; that the device was lost concerns all of them. */
function numbered(event: AnswerEvent, index: number): BatchEvent {
  return event.type === 'rebuild' || event.type === 'rebuilt' ? event : { ...event, index };
}

/** The figures of an answer with those of reading its prompt ahead of it. */
function whole<T extends GenerateEvent | KnownEvent>(event: T, took: Read | undefined): T {
  if (event.type !== 'end' || !took || took.tokens === 0) return event;
  const prefilledTokens = event.prefilledTokens + took.tokens - 1;
  return { ...event, prefilledTokens, prefillTps: took.seconds > 0 ? took.tokens / took.seconds : event.prefillTps };
}
