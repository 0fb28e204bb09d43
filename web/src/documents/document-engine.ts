/** The engine as documents use it: waits for the model, counts, and takes a turn for each thing that is asked of it. */
import type { AnswerEvent, BatchEvent, EngineWorker, GenerateEvent, KnownEvent } from 'web-mamba';
import { abortable } from '../base/abortable';
import { failure } from '../base/failure';
import type { Turns } from '../base/turns';
import type { SummaryStyle } from '../data/document-records';
import type { ModelLoader } from '../models/model-loader';
import type { SpeedEstimates } from '../models/speed-estimates';
import { CountedText } from './counted-text';
import { sectionTokens, summaryTokens, type DocumentPrompt } from './prompts';
import { blocksOf, type Block } from './sections';
import { PARALLEL, type Written } from './summary-job';

/** Calls of the tokenizer that are under way at once. */
const COUNTED_AT_ONCE = 64;
/** Facts are wanted, not ideas; and the same text twice gives the same summary. */
const FAITHFUL_SAMPLING = { temperature: 0.2, topK: 40, topP: 0.95, repetitionPenalty: 1.05, seed: 1 };

export interface DocumentEngineParts {
  engine: EngineWorker;
  loader: ModelLoader;
  turns: Turns;
  speeds: SpeedEstimates;
  changed(): void;
}

/** What is asked of the model about a document. */
export interface Asked {
  /** The document's id. */
  about: string;
  prompts: readonly DocumentPrompt[];
  maxTokens: number;
  /** Whether others go first. */
  background?: boolean;
}

/** What came of a turn at the engine. */
interface Turn {
  /** Before anything was written. */
  givenBack: boolean;
  /** Tokens of the prompt, where it is a single one. */
  read: number;
}

export type OnAnswer = (index: number, event: GenerateEvent | KnownEvent) => void;

export class DocumentEngine {
  constructor(private readonly parts: DocumentEngineParts) {}

  get context(): number {
    return this.parts.loader.context;
  }

  get modelName(): string {
    return this.parts.loader.choice?.name ?? '';
  }

  /** Waits for the model. Throws where there is none to wait for. */
  async ready(signal: AbortSignal): Promise<void> {
    if (!(await abortable(this.parts.loader.opening, signal))) throw failure('model-needed');
  }

  /** Counts by the open model's vocabulary, some blocks at a time: a long text must not hold the page up. */
  async count(text: string, signal: AbortSignal): Promise<CountedText> {
    const [blocks, tokens]: [Block[], number[]] = [[], []];
    const { url } = this.parts.loader;
    const all = blocksOf(text);
    for (let group = take(all, COUNTED_AT_ONCE); group.length > 0; group = take(all, COUNTED_AT_ONCE)) {
      tokens.push(...(await Promise.all(group.map(({ start, end }) => this.tokens(text.slice(start, end))))));
      blocks.push(...group);
      signal.throwIfAborted();
    }
    return new CountedText(url, this.context, blocks, tokens);
  }

  async tokens(text: string): Promise<number> {
    return (await this.parts.engine.tokenize(text)).length;
  }

  /** What a summary would take; no seconds while the model's speed is unknown. */
  estimate(counted: CountedText, style: SummaryStyle): { sections: number; seconds: number | undefined } {
    const { context, total } = counted;
    const count = counted.sections(style).length;
    const each = this.usualLength('section') ?? sectionTokens(context);
    const [between, written] = count === 1 ? [0, 0] : [count * each, Math.ceil(count / PARALLEL) * (this.usualLength('group') ?? each)];
    return { sections: count, seconds: this.seconds(total + between, written + (this.usualLength(style) ?? summaryTokens(style, context))) };
  }

  /** Tokens that such texts had before; undefined while unknown. What a visitor asks for by words of their own is as long as they want it. */
  usualLength(kind: Written): number | undefined {
    return kind === 'custom' ? undefined : this.parts.speeds.usualLength(kind);
  }

  takeLength(kind: Written, tokens: number): void {
    if (kind !== 'custom') this.parts.speeds.takeLength(kind, tokens);
  }

  /** Seconds that reading and writing so many tokens takes; undefined while unknown. */
  seconds(read: number, written: number): number | undefined {
    return this.parts.speeds.estimate(read, written);
  }

  /**
   * One prompt through the engine's single path, which begins from what it has read before; more of them side by side. In one turn,
   * which a `background` question gives back while it is read, as soon as somebody else wants it: in its next turn it goes on where it was.
   * Words that are being written would be lost, so they are finished. What is read is kept under the document's id until it is deleted.
   */
  async answer(asked: Asked, onEvent: OnAnswer, signal: AbortSignal): Promise<void> {
    const { background = false } = asked;
    let read = 0;
    for (;;) {
      const turn = await this.parts.turns.take('documents', (wanted) => this.#answer(asked, read, onEvent, signal, wanted), { signal, background });
      if (!turn.givenBack || signal.aborted) return;
      read += turn.read;
    }
  }

  /** One turn, after others in which so many tokens were read. */
  async #answer(asked: Asked, readBefore: number, onEvent: OnAnswer, signal: AbortSignal, wanted: AbortSignal): Promise<Turn> {
    const { engine, loader, speeds, changed } = this.parts;
    const { about, prompts, maxTokens } = asked;
    // What it thinks is no part of a summary.
    const options = { ...FAITHFUL_SAMPLING, maxTokens, about, ...(loader.canThink && { thinking: 'skip' as const }) };
    const turn: Turn = { givenBack: false, read: 0 };
    let [known, written] = [0, false];
    const stop = () => void engine.stop().catch(() => undefined);
    const giveBack = () => {
      turn.givenBack = !written;
      if (turn.givenBack) stop();
    };
    const take = (event: AnswerEvent | BatchEvent) => {
      // A stop that came before the engine had begun was not heard.
      if (signal.aborted || turn.givenBack) stop();
      if (event.type === 'rebuild' || event.type === 'rebuilt') {
        loader.rebuilding(event.type === 'rebuild', event.type === 'rebuilt' ? event.model : undefined);
        return changed();
      }
      const index = 'index' in event ? event.index : 0;
      if (event.type === 'known') known = event.tokens;
      if (event.type === 'prefill') turn.read = event.done - known;
      if (event.type === 'known' || event.type === 'prefill') return onEvent(index, event);
      // Words that come in spite of the stop are written again.
      if (turn.givenBack) return;
      written = true;
      if (event.type === 'end' && prompts.length === 1) {
        speeds.take(event);
        onEvent(index, { ...event, prefilledTokens: readBefore + event.prefilledTokens });
      } else {
        onEvent(index, event);
      }
    };
    const [only] = prompts;
    signal.addEventListener('abort', stop);
    wanted.addEventListener('abort', giveBack);
    try {
      if (prompts.length === 1 && only) await engine.generate(only.messages, { ...options, ...(only.shared === '' ? {} : { keepAfter: only.shared }) }, take);
      else await engine.generateBatch(prompts.map(({ messages }) => messages), { ...options, sequences: prompts.length }, take);
    } finally {
      signal.removeEventListener('abort', stop);
      wanted.removeEventListener('abort', giveBack);
      loader.rebuilding(false);
    }
    return turn;
  }
}

function take<T>(all: Iterator<T>, most: number): T[] {
  const taken: T[] = [];
  while (taken.length < most) {
    const { done, value } = all.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}
